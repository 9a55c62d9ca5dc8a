# shellcheck shell=bash
# Shared by the scripts beside it: messages, durations, and the container engine's environment.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
CACHE="${TAXIWAY_CACHE:-${XDG_CACHE_HOME:-${HOME}/.cache}/taxiway}"
SUITE="${SUITE:-trixie}"
IMAGE_PREFIX="${IMAGE_PREFIX:-taxiway}" # another one keeps the images of a second checkout apart
export ROOT CACHE SUITE IMAGE_PREFIX

# note TEXT: say one thing that was found or decided; inside a `step` too (see there).
note() {
  if { true >&3; } 2>/dev/null; then
    printf '    %s\n' "$*" >&3
  else
    printf '    %s\n' "$*"
  fi
}

# fail TEXT...: end with a message, one argument a line: what was found, what was expected, what to type.
fail() {
  printf 'error: %s\n' "${1}" >&2
  shift
  [[ $# -eq 0 ]] || printf '       %s\n' "$@" >&2
  exit 1
}

# step TEXT COMMAND...: run a command, say what for and how long it took. Its output is shown only if it fails;
# what it says with `note` is always shown (file descriptor 3; what starts a daemon closes that first).
step() {
  local text="${1}"
  shift
  local log started
  log="$(mktemp)"
  started="${EPOCHREALTIME}"
  if [[ -n "${VERBOSE:-}" ]]; then
    printf '==> %s\n' "${text}"
    "$@" || fail "${text}: failed (exit status $?)"
  else
    [[ ! -t 1 ]] || printf '==> %s ...\r' "${text}"
    if ! "$@" 3>&1 >"${log}" 2>&1; then
      cat "${log}" >&2
      rm -f "${log}"
      fail "${text}: failed" "the command was: $*"
    fi
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

# quietly COMMAND...: run a command whose output is of interest only if it fails.
quietly() {
  local log status=0
  log="$(mktemp)"
  "$@" >"${log}" 2>&1 || status=$?
  [[ "${status}" -eq 0 ]] || cat "${log}" >&2
  rm -f "${log}"
  return "${status}"
}

# apt_install PACKAGES...: exactly these and what they need; recommended packages that are needed have to be named.
apt_install() {
  quietly as_root apt-get update -qq
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends "$@"
}

# engine_file: print where the answer of engine.sh is stored. An engine that is asked for by ENGINE and isn't the
# machine's usual one has a file of its own: a private Docker engine for tests beside Podman, for example. The first
# answer of all is the usual one.
engine_file() {
  local usual="${CACHE}/engine.env"
  if [[ -z "${ENGINE:-}" || ! -f "${usual}" ]] || grep --quiet --line-regexp "ENGINE=${ENGINE}" "${usual}" 2>/dev/null; then
    printf '%s\n' "${usual}"
  else
    printf '%s/engine-%s.env\n' "${CACHE}" "${ENGINE}"
  fi
}

# load_engine: set ENGINE (podman or docker) and what it needs on this machine; prepares it first where that was not
# done, or the machine has changed. Sets ENGINE_PUBLISH (yes or no) and, where the machine has a certificate
# authority of its own, CA_BUNDLE and CA_VOLUME (the volume that build and run containers need; Podman gets it
# from CONTAINERS_CONF already).
load_engine() {
  "${ROOT}/scripts/engine.sh" >&2
  set -a
  # shellcheck source=/dev/null
  source "$(engine_file)"
  set +a
}

# newest_python: print the newest Python that is here and new enough for taxiway (3.11, see pyproject.toml).
newest_python() {
  local name
  for name in python3.{20..11} python3; do
    if "${name}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "${name}"
      return
    fi
  done
  fail "no Python 3.11 or newer was found" "expected: python3 on PATH" "on Debian and Ubuntu: apt-get install python3"
}

# make_venv PYTHON DIR: make a virtual environment, with what Debian packages apart (ensurepip) installed first.
make_venv() {
  local python="${1}" dir="${2}" package
  if ! "${python}" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    package="$("${python}" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    command -v apt-get >/dev/null || fail "${python} has no ensurepip" "expected: a Python that can make virtual environments"
    note "${python} can't make virtual environments yet: installing ${package} with apt-get"
    apt_install "${package}"
  fi
  "${python}" -m venv --clear "${dir}"
}

# custom_ca_bundle: print the bundle with the certificate authorities of this machine's own, if it has any.
custom_ca_bundle() {
  local named
  for named in "${SSL_CERT_FILE:-}" "${PIP_CERT:-}" "${REQUESTS_CA_BUNDLE:-}" "${CURL_CA_BUNDLE:-}"; do
    if [[ -f "${named}" ]]; then
      readlink --canonicalize "${named}"
      return
    fi
  done
  if [[ -n "$(find /usr/local/share/ca-certificates -name '*.crt' -print -quit 2>/dev/null)" ]]; then
    printf '%s\n' /etc/ssl/certs/ca-certificates.crt
  fi
}

# pip_install VENV OPTIONS...: install into a virtual environment; a bundled pip may not know the machine's authorities.
pip_install() {
  local venv="${1}" bundle
  shift
  bundle="$(custom_ca_bundle)"
  [[ -z "${bundle}" || -n "${PIP_CERT:-}" ]] || local -x PIP_CERT="${bundle}"
  "${venv}/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes "$@"
}
