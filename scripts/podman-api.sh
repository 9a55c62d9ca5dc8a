#!/usr/bin/env bash
# Podman's Docker-compatible API on a socket of our own, for s2i (DOCKER_HOST=unix://SOCKET).
#
#   podman-api.sh start    start it, unless it answers already
#   podman-api.sh stop     stop it
#   podman-api.sh socket   print the path of its socket
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

START_TIMEOUT_S=15

RUN="${CACHE}/run"
SOCKET="${RUN}/podman.sock"
# A socket's path has at most 107 characters (sun_path in unix(7)).
if [[ ${#SOCKET} -gt 107 ]]; then
  RUN="${XDG_RUNTIME_DIR:-/tmp}/taxiway-$(id -u)"
  SOCKET="${RUN}/podman.sock"
fi

# service_pid: print the process that serves our socket; nothing if there is none.
service_pid() {
  local pid
  pid="$(cat "${RUN}/podman.pid" 2>/dev/null)" || return 0
  if grep --quiet --null-data --line-regexp --fixed-strings "unix://${SOCKET}" "/proc/${pid}/cmdline" 2>/dev/null; then
    printf '%s\n' "${pid}"
  fi
}

is_answering() {
  podman --remote --url "unix://${SOCKET}" version >/dev/null 2>&1
}

stop() {
  local pid
  pid="$(service_pid)"
  [[ -z "${pid}" ]] || kill "${pid}"
  rm -f "${SOCKET}" "${RUN}/podman.pid" "${RUN}/podman.key"
}

start() {
  load_engine
  [[ "${ENGINE}" == podman ]] || fail "the container engine is ${ENGINE}" "expected: podman" "${ENGINE} needs no API service of ours"
  (umask 077 && mkdir -p "${RUN}")
  # One at a time, so that two builds at once share one service.
  exec 9>"${RUN}/podman.lock"
  flock 9
  # The service read containers.conf when it started: another answer of engine.sh needs another service.
  if [[ "$(cat "${RUN}/podman.key" 2>/dev/null)" == "${ENGINE_KEY:?}" ]] && [[ -n "$(service_pid)" ]] && is_answering; then
    return
  fi
  stop
  # Descriptors 3 and 9 belong to `step` and the lock; a daemon that keeps them keeps its callers waiting.
  # In /: the service outlives this checkout, and can't start containers from a folder that was removed.
  setsid env --chdir=/ podman system service --time=0 "unix://${SOCKET}" </dev/null >"${RUN}/podman.log" 2>&1 3>&- 9>&- &
  printf '%s\n' "$!" >"${RUN}/podman.pid"
  local deadline=$((SECONDS + START_TIMEOUT_S))
  until is_answering; do
    if ((SECONDS >= deadline)); then
      cat "${RUN}/podman.log" >&2
      fail "Podman's API didn't answer within ${START_TIMEOUT_S} s" "the command was: podman system service --time=0 unix://${SOCKET}"
    fi
    sleep 0.1
  done
  printf '%s\n' "${ENGINE_KEY}" >"${RUN}/podman.key"
}

main() {
  case "${1:-}" in
    start) start ;;
    stop) stop ;;
    socket) printf '%s\n' "${SOCKET}" ;;
    *) fail "podman-api.sh was called with '${1:-}'" "expected: start, stop or socket" ;;
  esac
}

main "$@"
