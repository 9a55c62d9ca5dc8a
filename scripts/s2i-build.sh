#!/usr/bin/env bash
# Build an application image with the real s2i and this machine's container engine.
#
#   s2i-build.sh SRC IMAGE [s2i options...]
#
# SRC is what s2i takes: a folder or a git repository. BUILDER names the builder image, taxiway's own by default.
# Exit status: that of s2i; 3 where s2i can't be had (scripts/s2i-tool.sh said why).
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# with_registry IMAGE: an unqualified name means this machine, and s2i would look for it in a public registry.
with_registry() {
  local image="${1}" first="${1%%/*}"
  if [[ "${image}" == */* && ("${first}" == *[.:]* || "${first}" == localhost) ]]; then
    printf '%s\n' "${image}"
  else
    printf 'localhost/%s\n' "${image}"
  fi
}

# option_value LONG SHORT ARGUMENTS...: print the value that s2i will use for an option; nothing if it isn't there.
option_value() {
  local long="${1}" short="${2}" value=""
  shift 2
  while [[ $# -gt 0 ]]; do
    case "${1}" in
      "--${long}="*) value="${1#*=}" ;;
      "--${long}" | "-${short:-none}") value="${2:-}" ;;
      *) ;;
    esac
    shift
  done
  printf '%s\n' "${value}"
}

# has_option LONG SHORT ARGUMENTS...
has_option() {
  local long="${1}" short="${2}" argument
  shift 2
  for argument in "$@"; do
    case "${argument}" in
      "--${long}" | "--${long}=true" | "-${short}") return 0 ;;
      *) ;;
    esac
  done
  return 1
}

# engine_options: what s2i's containers need on this machine.
engine_options() {
  # Podman's containers get the certificates by containers.conf.
  [[ "${ENGINE}" != docker || -z "${CA_VOLUME:-}" ]] || printf '%s\n' "--volume=${CA_VOLUME}"
  if [[ "${ENGINE_PUBLISH:?}" == no ]]; then
    # No bridge network, so the host's is the only one with a way out.
    printf '%s\n' --network=host
  fi
}

# git_labels REPOSITORY: print the labels that s2i makes of a commit, separated by NUL (s2i: pkg/scm/git, GetInfo).
git_labels() {
  local repository="${1}" ref="${2:-HEAD}" name
  local prefix=io.openshift.s2i.build.commit
  name="$(git -C "${repository}" rev-parse --abbrev-ref "${ref}")"
  printf '%s\0' \
    "${prefix}.author=$(git -C "${repository}" show --no-patch --format='%an <%ae>' "${ref}")" \
    "${prefix}.date=$(git -C "${repository}" show --no-patch --format=%ad "${ref}")" \
    "${prefix}.id=$(git -C "${repository}" rev-parse --verify "${ref}^{commit}")" \
    "${prefix}.message=$(git -C "${repository}" show --no-patch --format='%<(80,trunc)%s' "${ref}" | sed 's/ *$//')" \
    "${prefix}.ref=${name}"
}

# expected_labels SRC IMAGE BUILDER OPTIONS...: print the labels s2i asked for, separated by NUL.
expected_labels() {
  local source="${1}" image="${2}" builder="${3}" name context location
  shift 3
  [[ "${builder##*/}" == *:* ]] || builder+=:latest
  name="$(option_value application-name n "$@")"
  context="$(option_value context-dir "" "$@")"
  location="${source}"
  printf '%s\0' \
    "io.openshift.s2i.build.image=${builder}" \
    "io.k8s.display-name=${name:-${image}}"
  name="$(option_value description "" "$@")"
  [[ -z "${name}" ]] || printf '%s\0' "io.k8s.description=${name}"
  local folder="${source#file://}"
  if [[ -d "${folder}" ]]; then
    [[ "${folder}" == /* ]] || location="$(cd "${folder}" && pwd)"
    # With --copy, s2i takes the files and leaves the commit alone.
    if [[ -e "${folder}/.git" ]] && ! has_option copy c "$@"; then
      git_labels "${folder}" "$(option_value ref r "$@")"
    fi
  fi
  printf '%s\0' "io.openshift.s2i.build.source-location=${location}"
  [[ -z "${context}" ]] || printf '%s\0' "io.openshift.s2i.build.source-context-dir=${context}"
}

# labels_from_assemble IMAGE: print the labels that assemble left in its metadata file, separated by NUL.
labels_from_assemble() {
  local image="${1}"
  # Most images have none; then python3 reads nothing.
  { podman run --rm --network none --entrypoint /bin/cat "${image}" /tmp/.s2i/image_metadata.json 2>/dev/null || true; } |
    python3 -c '
import json, sys
for labels in json.loads(sys.stdin.read() or "{}").get("labels", []):
    for name, value in labels.items():
        print(name, value, sep="=", end="\0")
'
}

# run_script IMAGE DESTINATION: print the run script s2i asked for: the one the source brought, or the image's own.
run_script() {
  local image="${1}" destination="${2}" url
  if podman run --rm --network none --entrypoint /usr/bin/test "${image}" -x "${destination}/scripts/run"; then
    printf '%s/scripts/run\n' "${destination}"
  else
    url="$(podman image inspect --format '{{index .Config.Labels "io.openshift.s2i.scripts-url"}}' "${image}")"
    printf '%s/run\n' "${url#image://}"
  fi
}

# repair SRC IMAGE BUILDER OPTIONS...: Podman before 4.4 or so commits a container without the configuration that s2i sends
# along (https://github.com/containers/podman/issues/13770): the image then starts assemble, not run, and has none of s2i's
# labels. Looks at the image, not at a version, and does nothing to an image that is right.
repair() {
  local source="${1}" image="${2}" builder="${3}" command name destination runs label options=() labels base user
  command="$(podman image inspect --format '{{json .Config.Cmd}}' "${image}")"
  [[ "${command}" == */assemble* ]] || return 0
  destination="$(option_value destination d "${@:4}")"
  [[ -n "${destination}" ]] ||
    destination="$(podman image inspect --format '{{index .Config.Labels "io.openshift.s2i.destination"}}' "${builder}")"
  [[ -n "${destination}" ]] || destination=/tmp
  runs="$(run_script "${image}" "${destination}")"
  labels="$(mktemp)"
  {
    expected_labels "$@"
    labels_from_assemble "${image}"
  } >"${labels}"
  while IFS= read -r -d '' label; do
    options+=(--label "${label}")
  done <"${labels}"
  rm -f "${labels}"
  # What Podman puts into every container's environment isn't the image's.
  for name in TERM container HOSTNAME PIP_CERT; do
    podman image inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "${builder}" | grep --quiet "^${name}=" ||
      options+=(--unsetenv "${name}")
  done
  echo "s2i-build: this Podman ignored the configuration of the new image (podman issue 13770): set CMD and labels again"
  # An extended build runs assemble-runtime as another user; the image's user is that of the image it was built on.
  base="$(option_value runtime-image "" "${@:4}")"
  user="$(podman image inspect --format '{{.Config.User}}' "${base:-${builder}}")"
  printf 'FROM %s\nUSER %s\nCMD ["%s"]\n' "${image}" "${user:-0}" "${runs}" |
    podman build --quiet --pull=never --layers=false "${options[@]}" --tag "${image}" --file - >/dev/null
}

main() {
  [[ $# -ge 2 ]] || fail "s2i-build.sh needs a source and an image name" "usage: scripts/s2i-build.sh SRC IMAGE [s2i options...]"
  local source="${1}" image builder s2i status=0 options=()
  image="$(with_registry "${2}")"
  builder="$(with_registry "${BUILDER:-${IMAGE_PREFIX}-builder:${SUITE}}")"
  shift 2
  load_engine
  s2i="$("${ROOT}/scripts/s2i-tool.sh")" || exit $?
  mapfile -t options < <(engine_options)
  if [[ "${ENGINE}" == podman ]]; then
    "${ROOT}/scripts/podman-api.sh" start
    DOCKER_HOST="unix://$("${ROOT}/scripts/podman-api.sh" socket)"
    export DOCKER_HOST
  fi
  # Images of this machine only: without these, a missing image costs half a minute of tries at a registry.
  "${s2i}" build "${source}" "${builder}" "${image}" \
    --pull-policy=never --incremental-pull-policy=never --runtime-pull-policy=never \
    "${options[@]}" "$@" || status=$?
  if [[ "${status}" -eq 0 && "${ENGINE}" == podman ]] && ! has_option as-dockerfile "" "$@" &&
    [[ -z "$(option_value as-dockerfile "" "$@")" ]]; then
    repair "${source}" "${image}" "${builder}" "$@"
  fi
  exit "${status}"
}

main "$@"
