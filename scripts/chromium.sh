#!/usr/bin/env bash
# Debian's headless Chromium for tests that look at pages: its packages, unpacked below $CACHE; nothing is installed.
# Prints the path of the program. With --path, only where that would be.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

UNPACKED="${CACHE}/chromium"
PROGRAM="${UNPACKED}/run"

# packages: what isn't installed of the browser and the libraries that it needs; fonts, too, or text is no text.
packages() {
  apt-get install --simulate --no-install-recommends chromium-headless-shell fonts-dejavu-core |
    awk '$1 == "Inst" { print $2 }'
}

unpack() {
  command -v apt-get >/dev/null || fail "this machine has no apt-get" "expected: Debian, whose Chromium is used for the tests"
  local new="${UNPACKED}.new" names deb libraries
  quietly as_root apt-get update -qq
  names="$(packages)"
  rm -rf "${new}"
  mkdir -p "${new}/debs"
  # shellcheck disable=SC2086  # several names
  (cd "${new}/debs" && quietly apt-get download ${names})
  for deb in "${new}"/debs/*.deb; do
    dpkg-deb --extract "${deb}" "${new}"
  done
  rm -rf "${new}/debs" "${UNPACKED}"
  # Libraries and fonts are found where they were unpacked.
  mkdir -p "${new}/fonts"
  cat >"${new}/fonts/fonts.conf" <<END
<?xml version="1.0"?>
<fontconfig><dir>${UNPACKED}/usr/share/fonts</dir><dir>/usr/share/fonts</dir><cachedir>${UNPACKED}/fonts/cache</cachedir></fontconfig>
END
  libraries="$(cd "${new}" && find usr/lib -name 'lib*.so*' -printf "${UNPACKED}/%h\n" | sort --unique | paste --serial --delimiters=:)"
  cat >"${new}/run" <<END
#!/bin/sh
export LD_LIBRARY_PATH='${libraries}' FONTCONFIG_FILE='${UNPACKED}/fonts/fonts.conf'
exec '${UNPACKED}/usr/lib/chromium/chromium-headless-shell' --no-sandbox --disable-gpu "\$@"
END
  chmod +x "${new}/run"
  mv "${new}" "${UNPACKED}"
}

main() {
  if [[ "${1:-}" != --path && ! -x "${PROGRAM}" ]]; then
    step "unpack Debian's headless Chromium" unpack >&2
  fi
  printf '%s\n' "${PROGRAM}"
}

main "$@"
