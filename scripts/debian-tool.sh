#!/usr/bin/env bash
# Prints the path of a program that the tests compare with: umoci, buildah. Where it is missing, Debian's package of that name is
# unpacked below $CACHE; nothing is installed. The libraries that it needs are Podman's too.
#
#   scripts/debian-tool.sh NAME
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

NAME="${1:?a name is needed, such as umoci}"
UNPACKED="${CACHE}/${NAME}"

unpack() {
  command -v apt-get >/dev/null || fail "${NAME} is not installed" "it is used by the tests; install it with your package manager"
  note "no ${NAME} here yet: unpacking Debian's package"
  rm -rf "${UNPACKED}.new"
  mkdir -p "${UNPACKED}.new"
  [[ -n "$(apt-cache madison "${NAME}" 2>/dev/null)" ]] || quietly as_root apt-get update -qq
  (cd "${UNPACKED}.new" && quietly apt-get download "${NAME}" && dpkg-deb --extract "${NAME}"_*.deb . && rm "${NAME}"_*.deb)
  rm -rf "${UNPACKED}"
  mv "${UNPACKED}.new" "${UNPACKED}"
}

main() {
  if command -v "${NAME}"; then
    return
  fi
  mkdir -p "${CACHE}"
  exec 9>"${UNPACKED}.lock"
  flock 9
  [[ -x "${UNPACKED}/usr/bin/${NAME}" ]] || unpack
  printf '%s\n' "${UNPACKED}/usr/bin/${NAME}"
}

main
