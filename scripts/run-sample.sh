#!/usr/bin/env bash
# Build an application with s2i, start it and wait until it answers.
#
#   run-sample.sh run     APP names the folder (examples/django-polls); PORT the port to try first (8080)
#   run-sample.sh stop    stop and remove its container
#
# SAMPLE_NAME   another name for image and container: a second sample beside the first (taxiway-sample)
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

CONTAINER="${SAMPLE_NAME:-taxiway-sample}"
START_TIMEOUT_S=60
S2I_UNAVAILABLE=3

# What isn't the application's source, though it may lie in its folder.
NOT_SOURCE=(--exclude=.git --exclude=.venv --exclude=__pycache__)

# sources_hash FOLDER: changes with the content, the names and the modes of the files.
sources_hash() {
  local folder="${1}"
  tar --directory "${folder}" --create --sort=name --mtime=@0 --owner=0 --group=0 "${NOT_SOURCE[@]}" . |
    sha256sum | cut -d ' ' -f 1
}

# image_id IMAGE: print its ID; nothing if there is no such image.
image_id() {
  local image="${1}"
  "${ENGINE}" image inspect --format '{{.Id}}' "${image}" 2>/dev/null || true
}

# build_with_taxiway SRC IMAGE: the same image without the s2i tool.
build_with_taxiway() {
  local source="${1}" image="${2}"
  "${ROOT}/scripts/dev-env.sh"
  cd "${source}"
  local options=()
  [[ "${ENGINE_PUBLISH:?}" != no ]] || options+=(--network=host)
  options+=(--builder-image "localhost/${IMAGE_PREFIX}-builder:${SUITE}" --runtime-image "localhost/${IMAGE_PREFIX}-runtime:${SUITE}")
  "${ROOT}/.venv/bin/taxiway" image "${options[@]}" "${image}"
}

# build SRC IMAGE: unless the image was made from these sources by this builder image.
build() {
  local source="${1}" image="${2}" name="${2##*/}" builder key record status=0
  builder="localhost/${IMAGE_PREFIX}-builder:${SUITE}"
  record="${CACHE}/sample-${name%%:*}"
  key="$(sources_hash "${source}") $(image_id "${builder}")"
  if [[ "$(cat "${record}" 2>/dev/null)" == "${key} $(image_id "${image}")" ]]; then
    note "${image} is up to date"
    return
  fi
  "${ROOT}/scripts/s2i-tool.sh" >/dev/null || status=$?
  case "${status}" in
    0) step "s2i build ${source#"${ROOT}/"} into ${image}" "${ROOT}/scripts/s2i-build.sh" "${source}" "${image}" --copy ;;
    "${S2I_UNAVAILABLE}")
      note "building with \`taxiway image\` instead, which needs no s2i"
      step "taxiway image of ${source#"${ROOT}/"} into ${image}" build_with_taxiway "${source}" "${image}"
      ;;
    *) fail "getting the s2i tool failed (exit status ${status})" ;;
  esac
  printf '%s\n' "${key} $(image_id "${image}")" >"${record}"
}

# free_port FIRST: print the first port from there on that nothing on this machine listens at.
free_port() {
  local port="${1}" last=$(("${1}" + 100))
  while ((port < last)); do
    if ! (: <>"/dev/tcp/127.0.0.1/${port}") 2>/dev/null; then
      printf '%s\n' "${port}"
      return
    fi
    port=$((port + 1))
  done
  fail "no free port between ${1} and ${last}" "type: PORT=NUMBER make run"
}

# http_status PORT: print the status of a GET of the first page, by bash alone; nothing if there is no answer.
http_status() {
  local port="${1}" line=""
  {
    exec 4<>"/dev/tcp/127.0.0.1/${port}"
    printf 'GET / HTTP/1.0\r\nHost: localhost:%s\r\n\r\n' "${port}" >&4
    IFS=' ' read -r -t 10 -u 4 _ line _
    exec 4>&-
  } 2>/dev/null || true
  printf '%s\n' "${line}"
}

start() {
  local image="${1}" port="${2}" options=()
  if [[ "${ENGINE_PUBLISH:?}" == yes ]]; then
    options+=(--publish "127.0.0.1:${port}:8080")
  else
    options+=(--network host --env "PORT=${port}")
  fi
  # Descriptor 3 belongs to `step`: what watches the container must not keep it.
  "${ENGINE}" run --detach --name "${CONTAINER}" "${options[@]}" "${image}" 3>&-
}

# wait_until_answering PORT: not every application has a first page, so "not found" is an answer as well; an error of the
# server is none.
wait_until_answering() {
  local port="${1}" deadline=$((SECONDS + START_TIMEOUT_S)) running status
  until status="$(http_status "${port}")" && [[ "${status}" == [1-4]* ]]; do
    running="$("${ENGINE}" container inspect --format '{{.State.Running}}' "${CONTAINER}")"
    if [[ "${running}" != true ]] || ((SECONDS >= deadline)); then
      "${ENGINE}" logs "${CONTAINER}" >&2
      fail "the application didn't answer (running: ${running}, HTTP status: ${status:-none})" \
        "its output is above" "look around with: ${ENGINE} start --attach ${CONTAINER}"
    fi
    sleep 0.1
  done
  [[ "${status}" == 200 ]] || note "its first page answers with HTTP ${status}"
}

run() {
  local source image port
  source="$(cd "${ROOT}" && cd "${APP:-examples/django-polls}" && pwd)" ||
    fail "there is no folder ${APP:-examples/django-polls}" "type: make run APP=FOLDER"
  image="localhost/${SAMPLE_NAME:-$(basename "${source}" | tr '[:upper:]' '[:lower:]')}"
  step "container engine" "${ROOT}/scripts/engine.sh"
  load_engine
  "${ROOT}/scripts/images.sh"
  build "${source}" "${image}"
  remove
  port="$(free_port "${PORT:-8080}")"
  step "start ${image}" start "${image}" "${port}"
  step "wait for the first page" wait_until_answering "${port}"
  echo
  printf '%-30s %s\n' \
    "http://localhost:${port}/" "$(basename "${source}"), served from ${image}" \
    "make stop${SAMPLE_NAME:+ SAMPLE_NAME=${SAMPLE_NAME}}" "stops it" \
    "${ENGINE} logs ${CONTAINER}" "shows what it says"
}

remove() {
  "${ENGINE}" rm --force "${CONTAINER}" >/dev/null 2>&1 || true
}

# stop: for a machine where nothing was ever started, too, so it installs nothing.
stop() {
  [[ -f "$(engine_file)" ]] || return 0
  load_engine
  if "${ENGINE}" container inspect "${CONTAINER}" >/dev/null 2>&1; then
    step "stop ${CONTAINER}" "${ENGINE}" stop "${CONTAINER}"
    remove
  else
    note "nothing to stop: no container named ${CONTAINER}"
  fi
}

main() {
  case "${1:-run}" in
    run) run ;;
    stop) stop ;;
    *) fail "run-sample.sh was called with '${1}'" "expected: run or stop" ;;
  esac
}

main "$@"
