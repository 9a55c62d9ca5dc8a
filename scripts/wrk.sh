#!/usr/bin/env bash
# Prints the path of wrk, the load generator of the tests and benchmarks; Debian's package is installed where it is missing.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
  if ! command -v wrk >/dev/null; then
    command -v apt-get >/dev/null || fail "wrk is not installed" "it is the load generator of the tests; install it with your package manager"
    note "no wrk here yet: installing it with apt-get"
    apt_install wrk
  fi
  command -v wrk
}

main "$@"
