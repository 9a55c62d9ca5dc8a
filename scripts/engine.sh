#!/usr/bin/env bash
# Find a container engine or install one, check that it really runs containers, and store the answer in
# $CACHE/engine.env (read by load_engine in lib.sh). Quick while the stored answer is still true.
#
# ENGINE=podman or ENGINE=docker asks for that one. The machine's own engine configuration is never
# changed: what this machine needs goes into a containers.conf below $CACHE, named by CONTAINERS_CONF.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What podman sets for root's containers (podman: libpod/define, RLimitDefaultValue), and what a root needs in order to
# raise a limit (linux/capability.h).
PODMAN_LIMIT=1048576
CAP_SYS_RESOURCE_BIT=24

PROBE_IMAGE=localhost/taxiway-probe

# is_docker_running: a docker command alone doesn't count, its daemon must answer.
is_docker_running() {
  command -v docker >/dev/null && docker info --format '{{.ServerVersion}}' 2>/dev/null | grep -q '[0-9]'
}

# is_cgroup_v2: crun and new Podman want the unified hierarchy; v1 and hybrid need runc.
is_cgroup_v2() {
  [[ "$(stat --file-system --format %T /sys/fs/cgroup 2>/dev/null)" == cgroup2fs ]]
}

# has_command NAME: also where an ordinary user's PATH doesn't look.
has_command() {
  local name="${1}"
  PATH="${PATH}:/usr/sbin:/sbin" type -P "${name}" >/dev/null
}

has_cap_sys_resource() {
  local effective
  effective="$(awk '$1 == "CapEff:" { print $2 }' /proc/self/status)"
  (((16#${effective} >> CAP_SYS_RESOURCE_BIT) & 1))
}

# at_most LIMIT MAXIMUM: print the lower one; a limit may be "unlimited".
at_most() {
  local limit="${1}" maximum="${2}"
  if [[ "${limit}" == unlimited ]] || ((limit > maximum)); then limit="${maximum}"; fi
  printf '%s\n' "${limit}"
}

# ca_volume BUNDLE: print the volume that puts the bundle where Debian's OpenSSL looks for it.
ca_volume() {
  local bundle="${1}"
  if [[ "${bundle}" == /etc/ssl/certs/* ]]; then
    printf '%s\n' /etc/ssl/certs:/etc/ssl/certs:ro
  else
    printf '%s:/etc/ssl/certs/ca-certificates.crt:ro\n' "${bundle}"
  fi
}

# is_candidate_older_than PACKAGE VERSION: whether the version that apt would install is older.
is_candidate_older_than() {
  local package="${1}" version="${2}" candidate
  candidate="$(apt-cache policy "${package}" | awk '$1 == "Candidate:" { print $2 }')"
  dpkg --compare-versions "${candidate}" lt "${version}"
}

# install_podman: with apt-get, without the recommended packages, so each one needed is named here.
install_podman() {
  command -v apt-get >/dev/null || fail \
    "no container engine: neither podman nor a running Docker daemon was found" \
    "expected: one of them; automatic installation works on Debian and Ubuntu only" \
    "install podman with your package manager (Fedora, RHEL: dnf install podman), then start again"
  note "no container engine here yet: installing podman with apt-get"
  quietly as_root apt-get update -qq
  local packages=(podman conmon uidmap iptables)
  # Debian 12's Podman 4.3.1 is used with the CNI plugins, newer ones with Netavark, which may call nft or iptables.
  if is_candidate_older_than podman 4.4; then
    packages+=(containernetworking-plugins)
  else
    packages+=(netavark aardvark-dns nftables)
  fi
  if is_cgroup_v2; then packages+=(crun); else packages+=(runc); fi
  # Networking and file systems without root.
  [[ "$(id -u)" -eq 0 ]] || packages+=(slirp4netns fuse-overlayfs)
  apt_install "${packages[@]}"
}

# complete_podman: install what an installed podman lacks here: a runtime that works, port publishing.
complete_podman() {
  local missing=() backend
  if ! is_cgroup_v2; then
    command -v runc >/dev/null || missing+=(runc)
  fi
  backend="$(podman info --format '{{.Host.NetworkBackend}}' 2>/dev/null)" || backend=""
  if [[ "${backend}" == cni ]]; then
    [[ -x /usr/lib/cni/portmap || -x /opt/cni/bin/portmap || -x /usr/libexec/cni/portmap ]] ||
      missing+=(containernetworking-plugins)
  fi
  has_command iptables || has_command nft || missing+=(iptables nftables)
  [[ ${#missing[@]} -gt 0 ]] || return 0
  command -v apt-get >/dev/null || fail \
    "podman is here, but it lacks: ${missing[*]}" \
    "expected: a runtime for this machine's control groups and a network that publishes ports" \
    "install these with your package manager, then start again"
  note "podman is here, but it lacks: ${missing[*]}; installing with apt-get"
  apt_install "${missing[@]}"
}

# write_containers_conf FILE BUNDLE: what podman must be told on this machine; no file where that is nothing.
write_containers_conf() {
  local file="${1}" bundle="${2}"
  local nofile nproc containers=() section=()
  if [[ "$(id -u)" -eq 0 ]] && ! has_cap_sys_resource; then
    nofile="$(at_most "$(ulimit -Hn)" "${PODMAN_LIMIT}")"
    # Podman lowers its own limit of processes to pid_max, and then can't go back up either.
    nproc="$(at_most "$(ulimit -Hu)" "$(cat /proc/sys/kernel/pid_max)")"
    nproc="$(at_most "${nproc}" "${PODMAN_LIMIT}")"
    note "this root may not raise limits (no CAP_SYS_RESOURCE): containers get nofile ${nofile}, nproc ${nproc}"
    containers+=("default_ulimits = [\"nofile=${nofile}:${nofile}\", \"nproc=${nproc}:${nproc}\"]")
  fi
  if [[ -n "${bundle}" ]]; then
    note "this machine has a certificate authority of its own: containers get $(ca_volume "${bundle}")"
    containers+=("volumes = [\"$(ca_volume "${bundle}")\"]")
  fi
  if ! is_cgroup_v2; then
    note "control groups are version 1 or hybrid, which crun refuses: the runtime is runc"
    section+=('runtime = "runc"')
  fi
  rm -f "${file}"
  [[ $((${#containers[@]} + ${#section[@]})) -gt 0 ]] || return 0
  {
    echo "# Written by scripts/engine.sh for this machine."
    [[ ${#containers[@]} -eq 0 ]] || printf '%s\n' "[containers]" "${containers[@]}"
    [[ ${#section[@]} -eq 0 ]] || printf '%s\n' "[engine]" "${section[@]}"
  } >"${file}"
}

# make_probe DIR: a root file system of one program and its libraries, taken from this machine: no registry needed.
make_probe() {
  local dir="${1}" program library
  program="$(type -P true)"
  rm -rf "${dir}"
  mkdir -p "${dir}"
  cp --parents --dereference "${program}" "${dir}"
  while read -r library; do
    cp --parents --dereference "${library}" "${dir}"
  done < <(ldd "${program}" | grep -oE '/[^ ]+')
}

# run_probe ENGINE DIR OPTIONS...: run the probe in a container.
run_probe() {
  local engine="${1}" dir="${2}" program
  shift 2
  program="$(type -P true)"
  if [[ "${engine}" == podman ]]; then
    podman run --rm "$@" --rootfs "${dir}" "${program}"
  else
    docker run --rm "$@" "${PROBE_IMAGE}" "${program}"
  fi
}

# can_publish ENGINE DIR: whether a container gets a network with published ports; prints the engine's complaint.
can_publish() {
  local engine="${1}" dir="${2}"
  if [[ "${engine}" == docker ]] && ! docker network inspect bridge >/dev/null 2>&1; then
    echo "it has no bridge network"
    return 1
  fi
  run_probe "${engine}" "${dir}" --publish 127.0.0.1::8080 2>&1
}

# check_engine ENGINE: run a container for real, first alone, then with a published port.
check_engine() {
  local engine="${1}" dir="${CACHE}/probe" said
  make_probe "${dir}"
  [[ "${engine}" == podman ]] || tar --directory "${dir}" --create . | docker import - "${PROBE_IMAGE}" >/dev/null
  if ! said="$(run_probe "${engine}" "${dir}" --network none 2>&1)"; then
    fail "${engine} can't run a container on this machine" "${said}" \
      "try it by hand: ${CONTAINERS_CONF:+CONTAINERS_CONF=${CONTAINERS_CONF} }${engine} run --rm IMAGE true"
  fi
  PUBLISH=yes
  if ! said="$(can_publish "${engine}" "${dir}")"; then
    note "${engine} can't publish ports here, so containers get the host's network: ${said//$'\n'/ }"
    PUBLISH=no
  fi
  [[ "${engine}" == podman ]] || docker rmi --force "${PROBE_IMAGE}" >/dev/null
  rm -rf "${dir}"
}

# choose_engine: print podman or docker; nothing where neither is here.
choose_engine() {
  if [[ -n "${ENGINE:-}" ]]; then
    printf '%s\n' "${ENGINE}"
  elif command -v podman >/dev/null; then
    printf '%s\n' podman
  elif is_docker_running; then
    printf '%s\n' docker
  fi
}

# machine_key ENGINE BUNDLE: everything the stored answer depends on, as one hash.
machine_key() {
  local engine="${1}" bundle="${2}"
  {
    if [[ "${engine}" == docker ]]; then
      docker info --format '{{.ServerVersion}} {{.ID}}' 2>&1
      printf '%s\n' "${DOCKER_HOST:-}"
    else
      "${engine}" --version
    fi
    id -u
    ulimit -Hn
    ulimit -Hu
    is_cgroup_v2 || echo "cgroup v1"
    printf '%s\n' "${bundle}" "${CACHE}" "${foreign_conf}"
    cat "${BASH_SOURCE[0]}"
    [[ -z "${bundle}" ]] || cat "${bundle}"
  } | sha256sum | cut -d ' ' -f 1
}

# write_env FILE KEY=VALUE...: one assignment a line, quoted for the shell, all or nothing.
write_env() {
  local file="${1}" pair
  shift
  for pair in "$@"; do
    printf '%s=%q\n' "${pair%%=*}" "${pair#*=}"
  done >"${file}.new"
  mv "${file}.new" "${file}"
}

main() {
  [[ "$(uname -s)" == Linux ]] || fail "this is $(uname -s); scripts/engine.sh knows Linux only" \
    "expected: a Linux machine, for example a virtual one"
  case "${ENGINE:-}" in
    "" | podman | docker) ;;
    *) fail "ENGINE is '${ENGINE}'" "expected: podman, docker, or nothing at all" ;;
  esac
  mkdir -p "${CACHE}"
  # One at a time: a second caller waits, and finds the answer of the first.
  exec 9>"${CACHE}/engine.lock"
  flock 9

  local own_conf="${CACHE}/containers.conf" file engine bundle key
  file="$(engine_file)"
  # A CONTAINERS_CONF that is not ours was set by someone who knows this machine.
  foreign_conf="${CONTAINERS_CONF:-}"
  [[ "${foreign_conf}" != "${own_conf}" ]] || foreign_conf=""
  [[ -n "${foreign_conf}" ]] || unset CONTAINERS_CONF

  bundle="$(custom_ca_bundle)"
  engine="$(choose_engine)"
  if [[ -n "${engine}" ]] && command -v "${engine}" >/dev/null && [[ -f "${file}" ]]; then
    key="$(machine_key "${engine}" "${bundle}")"
    if grep -qx "ENGINE=${engine}" "${file}" && grep -qx "ENGINE_KEY=${key}" "${file}"; then
      return 0
    fi
  fi

  if [[ "${engine}" == docker ]]; then
    is_docker_running || fail "ENGINE is docker, but its daemon doesn't answer" \
      "${DOCKER_HOST:+DOCKER_HOST is ${DOCKER_HOST}}" "start it, or leave ENGINE unset to use podman"
  else
    engine=podman
    command -v podman >/dev/null || install_podman
    if [[ -z "${foreign_conf}" ]]; then
      write_containers_conf "${own_conf}" "${bundle}"
      [[ ! -f "${own_conf}" ]] || export CONTAINERS_CONF="${own_conf}"
    fi
    is_cgroup_v2 || export PODMAN_IGNORE_CGROUPSV1_WARNING=1
    complete_podman
  fi
  check_engine "${engine}"
  key="$(machine_key "${engine}" "${bundle}")"

  local values=("ENGINE=${engine}" "ENGINE_KEY=${key}" "ENGINE_PUBLISH=${PUBLISH:?}")
  [[ -z "${bundle}" ]] || values+=("CA_BUNDLE=${bundle}" "CA_VOLUME=$(ca_volume "${bundle}")")
  # Podman 5 says so at each command, which this script has said once.
  [[ "${engine}" != podman ]] || is_cgroup_v2 || values+=("PODMAN_IGNORE_CGROUPSV1_WARNING=1")
  [[ "${engine}" != podman || -z "${CONTAINERS_CONF:-}" ]] || values+=("CONTAINERS_CONF=${CONTAINERS_CONF}")
  write_env "${file}" "${values[@]}"
  note "engine: $("${engine}" --version)"
}

main "$@"
