#!/usr/bin/env bash
# Makes localhost/taxiway-base:SUITE, the Debian image that all others start from: pulled where a registry answers within a
# few seconds, otherwise bootstrapped from Debian packages.
#
# SUITE            trixie (default), bookworm; forky and sid as far as their mirrors allow
# BASE_IMAGE       use this image instead; nothing is made
# PULL_TIMEOUT     seconds for the registry, 10 by default; 0: do not ask one
# DEBIAN_MIRROR    mirror to bootstrap from, where the default one can't be reached, or a dated one
# REFRESH          1: make it again
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly LABEL="io.taxiway.inputs"
readonly CREATED=315532800 # 1980-01-01, as images.sh has it: the same packages make the same image on any day

# inputs_hash: changes with this script, the suite and the mirror, and with nothing else.
inputs_hash() {
  { cat "${BASH_SOURCE[0]}" && printf '%s\n' "${SUITE}" "${DEBIAN_MIRROR:-}"; } | sha256sum | cut -c1-16
}

# label_of IMAGE: the hash stored in it; empty where the image or the label is missing.
label_of() {
  local image="${1}"
  "${ENGINE}" image inspect --format "{{ index .Config.Labels \"${LABEL}\" }}" "${image}" 2>/dev/null || true
}

# pull IMAGE HASH: debian:SUITE-slim under our name, labelled. Fails quietly: the bootstrap comes next.
pull() {
  local image="${1}" hash="${2}"
  local upstream="debian:${SUITE}-slim" seconds="${PULL_TIMEOUT:-10}"
  [[ "${seconds}" -gt 0 ]] || return 1
  timeout "${seconds}" "${ENGINE}" pull --quiet "${upstream}" >/dev/null 2>&1 || return 1
  printf 'FROM %s\nLABEL %s="%s"\n' "${upstream}" "${LABEL}" "${hash}" | "${ENGINE}" build --quiet --tag "${image}" - >/dev/null
}

install_mmdebstrap() {
  command -v apt-get >/dev/null || fail "no registry answered, and mmdebstrap is not installed" \
    "expected: an image debian:${SUITE}-slim, or mmdebstrap to make one" \
    "set BASE_IMAGE to an image that is here, or raise PULL_TIMEOUT"
  as_root apt-get update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends debian-archive-keyring mmdebstrap
  mmdebstrap --version
}

# bootstrap TAR: a slim Debian root file system.
bootstrap() {
  local tar="${1}"
  # shellcheck disable=SC2016 # $1 is the hook's own
  local options=(
    --variant=minbase
    --include=ca-certificates
    --aptopt='Acquire::Languages "none"'
    --aptopt='APT::Install-Recommends "false"'
    # Stays in the image, so that packages installed later are slim as well.
    --dpkgopt='path-exclude=/usr/share/man/*'
    --dpkgopt='path-exclude=/usr/share/info/*'
    --dpkgopt='path-exclude=/usr/share/locale/*'
    --dpkgopt='path-exclude=/usr/share/doc/*'
    --dpkgopt='path-include=/usr/share/doc/*/copyright'
    --dpkgopt='path-exclude=/usr/share/lintian/*'
    --dpkgopt='path-exclude=/usr/share/groff/*'
    # mmdebstrap copies these two from the machine it runs on.
    --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"'
  )
  case "${SUITE}" in
    bookworm)
      # Without the hook, usrmerge pulls in all of perl (50 MB).
      options+=(--include=usr-is-merged --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr)
      ;;
    forky | sid)
      # Frozen mirrors of moving suites carry expired index files. What this machine's apt accepts is accepted here; signatures
      # are checked all the same.
      if apt-config dump Acquire::Check-Valid-Until 2>/dev/null | grep -q '"false"'; then
        options+=(--aptopt='Acquire::Check-Valid-Until "false"')
      fi
      ;;
    *) ;;
  esac
  # The image lies in a scratch directory until it is imported: no need to wait for the disk after each package.
  # shellcheck disable=SC2016 # $1 is the hook's own
  SOURCE_DATE_EPOCH="${CREATED}" TMPDIR="$(dirname "${tar}")" mmdebstrap "${options[@]}" --dpkgopt=force-unsafe-io \
    --customize-hook='sed -i /force-unsafe-io/d "$1"/etc/dpkg/dpkg.cfg.d/*' \
    "${SUITE}" "${tar}" ${DEBIAN_MIRROR:+"${DEBIAN_MIRROR}"}
}

# import TAR IMAGE HASH
import() {
  local tar="${1}" image="${2}" hash="${3}"
  "${ROOT}/scripts/rootfs-archive.py" "${tar}" "${image}" "${CREATED}" "${LABEL}=${hash}" >"${tar}.image"
  "${ENGINE}" load --input "${tar}.image"
}

main() {
  if [[ -n "${BASE_IMAGE:-}" ]]; then
    note "base image: ${BASE_IMAGE} (BASE_IMAGE is set)"
    return
  fi
  load_engine
  local image="localhost/taxiway-base:${SUITE}"
  local hash found
  hash="$(inputs_hash)"
  found="$(label_of "${image}")"
  if [[ "${found}" == "${hash}" && -z "${REFRESH:-}" ]]; then
    note "base image: ${image} is up to date"
    return
  fi
  if pull "${image}" "${hash}"; then
    note "base image: ${image} is debian:${SUITE}-slim from the registry"
    return
  fi
  note "base image: no registry answered for debian:${SUITE}-slim, so it is made from Debian packages"
  command -v mmdebstrap >/dev/null || step "install mmdebstrap" install_mmdebstrap
  SCRATCH="$(mktemp -d)"
  trap 'rm -rf "${SCRATCH}"' EXIT
  # apt drops its privileges and still has to read from there.
  chmod 0755 "${SCRATCH}"
  step "bootstrap Debian ${SUITE}" bootstrap "${SCRATCH}/base.tar"
  step "import ${image}" import "${SCRATCH}/base.tar" "${image}" "${hash}"
}

main "$@"
