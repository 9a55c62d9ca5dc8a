# shellcheck shell=bash
# Shared by the scripts beside it: messages, durations, and the container engine's environment.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
CACHE="${TAXIWAY_CACHE:-${XDG_CACHE_HOME:-${HOME}/.cache}/taxiway}"
SUITE="${SUITE:-trixie}"
export ROOT CACHE SUITE

# note TEXT: say one thing that was found or decided.
note() {
  printf '    %s\n' "$*"
}

# fail TEXT...: end with a message, one argument a line: what was found, what was expected, what to type.
fail() {
  printf 'error: %s\n' "${1}" >&2
  shift
  [[ $# -eq 0 ]] || printf '       %s\n' "$@" >&2
  exit 1
}

# step TEXT COMMAND...: run a command, say what for and how long it took; its output is shown only if it fails.
step() {
  local text="${1}"
  shift
  local log started
  log="$(mktemp)"
  started="${EPOCHREALTIME}"
  if [[ -n "${VERBOSE:-}" ]]; then
    printf '==> %s\n' "${text}"
    "$@" || fail "${text}: failed (exit status $?)"
  elif ! "$@" >"${log}" 2>&1; then
    cat "${log}" >&2
    rm -f "${log}"
    fail "${text}: failed" "the command was: $*"
  fi
  rm -f "${log}"
  printf '==> %s (%s s)\n' "${text}" "$(awk -v a="${started}" -v b="${EPOCHREALTIME}" 'BEGIN { printf "%.1f", b - a }')"
}

# as_root COMMAND...: run as root, with sudo where the user isn't.
as_root() {
  if [[ "$(id -u)" -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "root is needed for: $*" "expected: root, or sudo" "type that command as root, then start again"
  fi
}

# load_engine: set ENGINE (podman or docker) and what it needs on this machine; prepares it first where that was not done.
load_engine() {
  [[ -f "${CACHE}/engine.env" ]] || "${ROOT}/scripts/engine.sh"
  set -a
  # shellcheck source=/dev/null
  source "${CACHE}/engine.env"
  set +a
}
