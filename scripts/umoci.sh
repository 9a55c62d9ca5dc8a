#!/usr/bin/env bash
# Prints the path of umoci, whose merged layers the tests compare with those of `taxiway audit`. Where it is missing, Debian's
# package is unpacked below $CACHE; nothing is installed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

UNPACKED="${CACHE}/umoci"

unpack() {
  command -v apt-get >/dev/null || fail "umoci is not installed" "it is used by the tests; install it with your package manager"
  note "no umoci here yet: unpacking Debian's package"
  rm -rf "${UNPACKED}.new"
  mkdir -p "${UNPACKED}.new"
  [[ -n "$(apt-cache madison umoci 2>/dev/null)" ]] || quietly as_root apt-get update -qq
  (cd "${UNPACKED}.new" && quietly apt-get download umoci && dpkg-deb --extract umoci_*.deb . && rm umoci_*.deb)
  rm -rf "${UNPACKED}"
  mv "${UNPACKED}.new" "${UNPACKED}"
}

main() {
  if command -v umoci; then
    return
  fi
  mkdir -p "${CACHE}"
  exec 9>"${UNPACKED}.lock"
  flock 9
  [[ -x "${UNPACKED}/usr/bin/umoci" ]] || unpack
  printf '%s\n' "${UNPACKED}/usr/bin/umoci"
}

main "$@"
