#!/usr/bin/env bash
# Make .venv of this checkout: the locked tools for lint and tests, and taxiway itself, read from src. Quick while it is
# up to date. The newest Python that is here is used; PYTHON=... asks for another.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

VENV="${ROOT}/.venv"
LOCKED="${ROOT}/requirements/dev.txt"

# wanted_state PYTHON: what the environment is made from.
wanted_state() {
  local python="${1}"
  {
    "${python}" -c 'import sys; print(sys.version, sys.base_prefix)'
    cat "${LOCKED}" "${BASH_SOURCE[0]}"
    printf '%s\n' "${ROOT}"
  } | sha256sum | cut -d ' ' -f 1
}

# add_taxiway: what an editable installation would do, without a build back end.
add_taxiway() {
  local packages
  packages="$("${VENV}/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
  printf '%s\n' "${ROOT}/src" >"${packages}/taxiway-checkout.pth"
  cat >"${VENV}/bin/taxiway" <<END
#!${VENV}/bin/python
import sys

from taxiway.__main__ import main

sys.exit(main())
END
  chmod +x "${VENV}/bin/taxiway"
}

create() {
  local python="${1}" state="${2}"
  make_venv "${python}" "${VENV}"
  pip_install "${VENV}" --requirement "${LOCKED}"
  add_taxiway
  printf '%s\n' "${state}" >"${VENV}/taxiway-state"
}

main() {
  local python state
  python="${PYTHON:-$(newest_python)}"
  state="$(wanted_state "${python}")"
  if [[ "$(cat "${VENV}/taxiway-state" 2>/dev/null)" == "${state}" ]] && "${VENV}/bin/python" -c '' 2>/dev/null; then
    return
  fi
  mkdir -p "${CACHE}"
  step "development environment .venv, $("${python}" --version)" create "${python}" "${state}"
}

main "$@"
