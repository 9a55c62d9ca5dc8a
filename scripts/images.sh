#!/usr/bin/env bash
# Builds localhost/taxiway-builder:SUITE, localhost/taxiway-runtime:SUITE and localhost/taxiway-builder:onbuild, as far as they are
# missing or out of date.
#
#   scripts/images.sh [builder|runtime|onbuild]...     all by default
#
# SUITE, BASE_IMAGE, PULL_TIMEOUT, DEBIAN_MIRROR: see base-image.sh. BASE_IMAGE is pulled, with the engine's own settings for
# its registry, unless it is here.
# PYTHON_VERSION    with BASE_IMAGE: X.Y of its Python, if that is not the suite's
# IMAGE_PREFIX      the first part of the images' names, for a second checkout beside the first (taxiway)
# REFRESH=1         build again, with nothing from the engine's cache
# VERBOSE=1         show the builds' output
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly LABEL="io.taxiway.inputs"
readonly CREATED=315532800 # 1980-01-01, the first day of zip archives, wheels among them; the Dockerfile has it too
# What the Dockerfile copies.
readonly CONTEXT_PATHS=(Dockerfile LICENSE docs/errors.md pyproject.toml requirements s2i/bin scripts/image src)

# python_version: the Python that the base image's packages have.
python_version() {
  if [[ -n "${BASE_IMAGE:-}" && -n "${PYTHON_VERSION:-}" ]]; then
    echo "${PYTHON_VERSION}"
    return
  fi
  case "${SUITE}" in
    bookworm) echo 3.11 ;;
    trixie) echo 3.13 ;;
    forky | sid) echo 3.14 ;;
    *) fail "Python's version in SUITE=${SUITE} is not known" "type: BASE_IMAGE=IMAGE PYTHON_VERSION=X.Y scripts/images.sh" ;;
  esac
}

# copy_context FOLDER: exactly what the build may see, with modes that don't depend on this machine's umask.
copy_context() {
  local folder="${1}"
  mkdir -p "${folder}/certs"
  (cd "${ROOT}" && tar --create --exclude=__pycache__ --sort=name --mode='u=rwX,go=rX' --owner=0 --group=0 --mtime=@0 \
    "${CONTEXT_PATHS[@]}") | tar --extract --directory "${folder}"
  cp "${ROOT}/certs/README.md" "${folder}/certs/"
}

# copy_certificates FOLDER: certificate authorities that were added to this machine, so that downloads work in the build as they do here.
copy_certificates() {
  local folder="${1}"
  local found bundle
  while IFS= read -r -d '' found; do
    cp "${found}" "${folder}/$(basename "${found%.*}").crt"
  done < <(find "${ROOT}/certs" /usr/local/share/ca-certificates /etc/pki/ca-trust/source/anchors -type f \
    \( -name '*.crt' -o -name '*.pem' \) -print0 2>/dev/null)
  for bundle in "${SSL_CERT_FILE:-}" "${PIP_CERT:-}" "${REQUESTS_CA_BUNDLE:-}"; do
    # The system's own bundle brings nothing that is not in the folders above.
    if [[ -f "${bundle}" && "${bundle}" != /etc/ssl/certs/ca-certificates.crt && "${bundle}" != /etc/pki/* ]]; then
      cp "${bundle}" "${folder}/bundle-$(sha256sum <"${bundle}" | cut -c1-8).crt"
    fi
  done
  chmod 0644 "${folder}"/*
}

# copy_index_settings FILE: the package index of this machine's pip. A file, because build arguments are in the process list.
copy_index_settings() {
  local file="${1}"
  local key variable value
  for key in index-url extra-index-url trusted-host; do
    variable="PIP_${key^^}"
    variable="${variable//-/_}"
    value="${!variable:-}"
    if [[ -z "${value}" ]]; then
      value="$(python3 -m pip config get "global.${key}" 2>/dev/null || true)"
    fi
    if [[ -n "${value}" ]]; then
      [[ -f "${file}" ]] || echo '[global]' >"${file}"
      printf '%s = %s\n' "${key}" "${value//$'\n'/ }" >>"${file}"
    fi
  done
}

# without_volumes FILE: the engine's settings for this machine, except what only running containers need. The machine's certificates
# mounted over /etc/ssl/certs would keep the package ca-certificates from being installed.
without_volumes() {
  local file="${1}"
  [[ -n "${CONTAINERS_CONF:-}" ]] || return 0
  sed -E '/^(volumes|env) *=/d' "${CONTAINERS_CONF}" >"${file}"
  export CONTAINERS_CONF="${file}"
}

# inputs_hash CONTEXT BASE TARGET PYTHON: changes with everything that an image is made from.
inputs_hash() {
  local context="${1}" base="${2}" target="${3}" python="${4}"
  local base_id
  base_id="$("${ENGINE}" image inspect --format '{{ .Id }}' "${base}")"
  {
    printf '%s\n' "${base_id}" "${target}" "${python}"
    cd "${context}"
    find "${CONTEXT_PATHS[@]}" -type f -print0 | sort --zero-terminated | xargs -0 sha256sum
  } | sha256sum | cut -c1-16
}

label_of() {
  local image="${1}"
  "${ENGINE}" image inspect --format "{{ index .Config.Labels \"${LABEL}\" }}" "${image}" 2>/dev/null || true
}

# label IMAGE ID NAME=VALUE...: IMAGE is that of ID, with labels.
label() {
  local image="${1}" from="${2}" options=()
  shift 2
  [[ "${ENGINE}" != podman ]] || options+=("--timestamp=${CREATED}")
  mkdir -p "${SCRATCH}/empty"
  printf 'FROM %s\nLABEL%s\n' "${from}" "$(printf ' "%s"' "${@/=/\"=\"}")" >"${SCRATCH}/Dockerfile"
  step "label ${image}" "${ENGINE}" build --tag "${image}" --file "${SCRATCH}/Dockerfile" "${options[@]}" "${SCRATCH}/empty"
}

# build TARGET BASE PYTHON CONTEXT
build() {
  local target="${1}" base="${2}" python="${3}" context="${4}" options=()
  local image="localhost/${IMAGE_PREFIX}-${target}:${SUITE}"
  # No bridge network, so the host's is the only one with a way out.
  [[ "${ENGINE_PUBLISH:?}" == yes ]] || options+=(--network=host)
  # One time for all files and for the image, whose digest is the same on any day then; Docker's classic builder can't.
  [[ "${ENGINE}" != podman ]] || options+=("--timestamp=${CREATED}")
  [[ -z "${REFRESH:-}" ]] || options+=(--no-cache)
  local hash found version digest revision id
  hash="$(inputs_hash "${context}" "${base}" "${target}" "${python}")"
  found="$(label_of "${image}")"
  if [[ "${found}" == "${hash}" && -z "${REFRESH:-}" ]]; then
    note "${image} is up to date"
  else
    version="$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "${context}/src/taxiway/__init__.py")"
    digest="$("${ENGINE}" image inspect --format '{{ .Digest }}' "${base}" 2>/dev/null || true)"
    # Not OCI's own label: an application's image would have it too, as if it were the application's. Without Git there is none.
    revision="$(git -C "${ROOT}" rev-parse HEAD 2>/dev/null || true)"
    step "build ${image}" "${ENGINE}" build --target "${target}" --iidfile "${SCRATCH}/${target}" \
      --build-arg "BASE_IMAGE=${base}" --build-arg "PYTHON_VERSION=${python}" --build-arg "VERSION=${version}" \
      --build-arg "BASE_DIGEST=${digest}" --build-arg "INPUTS=${hash}" "${options[@]}" "${context}"
    # A build of its own: Podman gives the labels of its command to each step, of which the cache keeps those of another day, and the
    # image's history would have their IDs.
    id="$(<"${SCRATCH}/${target}")"
    # BuildKit knows images by their names alone.
    [[ "${ENGINE}" == podman ]] || { "${ENGINE}" tag "${id}" "${image}" && id="${image}"; }
    label "${image}" "${id}" "${LABEL}=${hash}" "io.taxiway.revision=${revision}" \
      "org.opencontainers.image.base.name=${base}" "org.opencontainers.image.base.digest=${digest}"
  fi
  if [[ "${SUITE}" == trixie ]]; then
    "${ENGINE}" tag "${image}" "localhost/${IMAGE_PREFIX}-${target}:latest"
  fi
}

# build_onbuild: the builder image with the instructions for users' Dockerfiles.
build_onbuild() {
  local builder="localhost/${IMAGE_PREFIX}-builder:${SUITE}" image="localhost/${IMAGE_PREFIX}-builder:onbuild" options=()
  [[ "${SUITE}" == trixie ]] || image+="-${SUITE}"
  local hash found
  hash="$({ "${ENGINE}" image inspect --format '{{ .Id }}' "${builder}" && cat "${ROOT}/Dockerfile.onbuild"; } | sha256sum | cut -c1-16)"
  found="$(label_of "${image}")"
  if [[ "${found}" == "${hash}" ]]; then
    note "${image} is up to date"
    return
  fi
  # OCI's format, which is Podman's default, has no ONBUILD.
  [[ "${ENGINE}" != podman ]] || options+=(--format=docker "--timestamp=${CREATED}")
  mkdir -p "${SCRATCH}/empty"
  step "build ${image}" "${ENGINE}" build --tag "${image}" --build-arg "BUILDER_IMAGE=${builder}" --label "${LABEL}=${hash}" \
    "${options[@]}" --file "${ROOT}/Dockerfile.onbuild" "${SCRATCH}/empty"
}

main() {
  local targets=("$@")
  [[ $# -gt 0 ]] || targets=(builder runtime onbuild)
  local target
  for target in "${targets[@]}"; do
    [[ "${target}" =~ ^(builder|runtime|onbuild)$ ]] ||
      fail "there is no image \"${target}\"" "expected: builder, runtime, onbuild or nothing"
  done
  local python
  python="$(python_version)"
  load_engine
  "${ROOT}/scripts/base-image.sh"
  local base="${BASE_IMAGE:-localhost/taxiway-base:${SUITE}}"
  "${ENGINE}" image inspect "${base}" >/dev/null 2>&1 || step "pull ${base}" "${ENGINE}" pull "${base}"
  SCRATCH="$(mktemp -d)"
  trap 'rm -rf "${SCRATCH}"' EXIT
  without_volumes "${SCRATCH}/containers.conf"
  local context="${SCRATCH}/context"
  copy_context "${context}"
  copy_certificates "${context}/certs"
  copy_index_settings "${context}/certs/pip.conf"
  for target in "${targets[@]}"; do
    if [[ "${target}" == onbuild ]]; then
      build_onbuild
    else
      build "${target}" "${base}" "${python}" "${context}"
    fi
  done
}

main "$@"
