#!/usr/bin/env bash
# A private Docker engine for tests: Debian's own packages, unpacked below $CACHE and started by hand. Nothing is
# installed, no service is enabled, the machine's own Docker (if any) isn't touched.
#
#   docker-engine.sh start          start it, unless it answers already
#   docker-engine.sh stop           stop it (its images stay)
#   docker-engine.sh socket         print the path of its socket
#   docker-engine.sh env            print shell assignments that select it: ENGINE, DOCKER_HOST, PATH
#   docker-engine.sh load IMAGE...  copy images from the machine's engine, unless they are there already
#
# It has no bridge network, for which it would change the machine's firewall: containers get --network host or none.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

START_TIMEOUT_S=30
STOP_TIMEOUT_S=15

HOME_DIR="${CACHE}/docker"
UNPACKED="${HOME_DIR}/unpacked"
RUN="${HOME_DIR}/run"
SOCKET="${RUN}/docker.sock"
# A socket's path has at most 107 characters (sun_path in unix(7)); containerd's lies deeper than ours.
if [[ ${#SOCKET} -gt 70 ]]; then
  RUN="/run/taxiway-docker-$(id -u)"
  SOCKET="${RUN}/docker.sock"
fi
ENGINE_PATH="${UNPACKED}/usr/bin:${UNPACKED}/usr/sbin:${PATH}:/usr/sbin:/sbin"

# docker_cli ARGUMENTS...: the command that came with the engine, whatever else is on PATH.
docker_cli() {
  DOCKER_HOST="unix://${SOCKET}" "${UNPACKED}/usr/bin/docker" "$@"
}

is_answering() {
  [[ -x "${UNPACKED}/usr/bin/docker" ]] && docker_cli info >/dev/null 2>&1
}

# daemon_pid: print the process of our daemon; nothing if there is none.
daemon_pid() {
  local pid
  pid="$(cat "${RUN}/docker.pid" 2>/dev/null)" || return 0
  if grep --quiet --null-data --line-regexp --fixed-strings "unix://${SOCKET}" "/proc/${pid}/cmdline" 2>/dev/null; then
    printf '%s\n' "${pid}"
  fi
}

# unpack: Debian's packages of the engine. They aren't installed, because their install scripts would start services.
unpack() {
  [[ ! -x "${UNPACKED}/usr/sbin/dockerd" ]] || return 0
  command -v apt-get >/dev/null || fail "this machine has no apt-get" \
    "expected: Debian or Ubuntu, whose packages of the Docker engine are used for the tests"
  local packages=(docker.io containerd) missing=() command new="${UNPACKED}.new"
  quietly as_root apt-get update -qq
  # From Debian 13 on, the client is a package of its own.
  [[ -z "$(apt-cache madison docker-cli)" ]] || packages+=(docker-cli)
  # What the engine starts; the libraries came with podman or are listed by ldd below.
  command -v runc >/dev/null || missing+=(runc)
  command -v iptables >/dev/null || [[ -x /usr/sbin/iptables ]] || missing+=(iptables)
  [[ ${#missing[@]} -eq 0 ]] ||
    apt_install "${missing[@]}"
  rm -rf "${new}" "${HOME_DIR}/debs"
  mkdir -p "${new}" "${HOME_DIR}/debs"
  (cd "${HOME_DIR}/debs" && quietly apt-get download "${packages[@]}")
  local deb
  for deb in "${HOME_DIR}"/debs/*.deb; do
    dpkg-deb --extract "${deb}" "${new}"
  done
  rm -rf "${HOME_DIR}/debs"
  for command in usr/sbin/dockerd usr/bin/containerd; do
    if ldd "${new}/${command}" 2>/dev/null | grep --fixed-strings 'not found' >&2; then
      fail "${command##*/} needs the libraries above" "install the packages that have them, then start again"
    fi
  done
  rm -rf "${UNPACKED}"
  mv "${new}" "${UNPACKED}"
}

start() {
  mkdir -p "${HOME_DIR}"
  exec 9>"${HOME_DIR}/lock"
  flock 9
  ! is_answering || return 0
  unpack
  as_root mkdir -p "${RUN}"
  as_root rm -f "${RUN}/docker.pid"
  # An empty configuration file, because the machine's own /etc/docker/daemon.json is meant for another daemon.
  echo '{}' >"${HOME_DIR}/daemon.json"
  # Descriptors 3 and 9 belong to `step` and the lock; a daemon that keeps them keeps its callers waiting.
  as_root setsid env --chdir=/ PATH="${ENGINE_PATH}" "${UNPACKED}/usr/sbin/dockerd" \
    --config-file "${HOME_DIR}/daemon.json" \
    --host "unix://${SOCKET}" --group "$(id -g)" \
    --data-root "${HOME_DIR}/data" --exec-root "${RUN}/exec" --pidfile "${RUN}/docker.pid" \
    --storage-driver overlay2 --iptables=false --ip6tables=false --bridge=none \
    </dev/null >"${HOME_DIR}/dockerd.log" 2>&1 3>&- 9>&- &
  local deadline=$((SECONDS + START_TIMEOUT_S))
  until is_answering; do
    if ((SECONDS >= deadline)) || ! kill -0 "$!" 2>/dev/null; then
      tail -n 20 "${HOME_DIR}/dockerd.log" >&2
      fail "the Docker engine didn't start within ${START_TIMEOUT_S} s" "its log is ${HOME_DIR}/dockerd.log"
    fi
    sleep 0.2
  done
  note "Docker engine $(docker_cli version --format '{{.Server.Version}}') at ${SOCKET}"
}

stop() {
  local pid deadline=$((SECONDS + STOP_TIMEOUT_S))
  pid="$(daemon_pid)"
  [[ -n "${pid}" ]] || return 0
  as_root kill "${pid}"
  while [[ -n "$(daemon_pid)" ]] && ((SECONDS < deadline)); do
    sleep 0.1
  done
  [[ -z "$(daemon_pid)" ]] || fail "the Docker engine (process ${pid}) didn't stop within ${STOP_TIMEOUT_S} s"
  # What --network host was for; left there by the engine, it would keep the folder from being removed.
  as_root umount "${RUN}"/exec/netns/* 2>/dev/null || true
}

# load IMAGE...: an image's ID may change on the way (it is the hash of its configuration, which is written anew), so the
# pair of IDs is remembered.
load() {
  local image here there record missing=()
  unset ENGINE DOCKER_HOST
  load_engine
  start
  mkdir -p "${HOME_DIR}/loaded"
  for image in "$@"; do
    here="$("${ENGINE}" image inspect --format '{{.Id}}' "${image}")" ||
      fail "${ENGINE} has no image ${image}" "see its images: ${ENGINE} images"
    record="${HOME_DIR}/loaded/${image//[\/:]/_}"
    there="$(docker_cli image inspect --format '{{.Id}}' "${image}" 2>/dev/null)" || there=""
    [[ -n "${there}" && "$(cat "${record}" 2>/dev/null)" == "${here} ${there}" ]] || missing+=("${image}")
  done
  for image in "${missing[@]}"; do
    "${ENGINE}" save "${image}" | docker_cli load --quiet
    here="$("${ENGINE}" image inspect --format '{{.Id}}' "${image}")"
    there="$(docker_cli image inspect --format '{{.Id}}' "${image}")"
    printf '%s %s\n' "${here}" "${there}" >"${HOME_DIR}/loaded/${image//[\/:]/_}"
  done
}

main() {
  local action="${1:-}"
  [[ $# -eq 0 ]] || shift
  case "${action}" in
    start) start ;;
    stop) stop ;;
    socket) printf '%s\n' "${SOCKET}" ;;
    env) printf '%s=%q\n' ENGINE docker DOCKER_HOST "unix://${SOCKET}" PATH "${UNPACKED}/usr/bin:${PATH}" ;;
    load) load "$@" ;;
    *) fail "docker-engine.sh was called with '${action}'" "expected: start, stop, socket, env or load IMAGE..." ;;
  esac
}

main "$@"
