# shellcheck shell=sh
# Sourced by container-entrypoint, login shells, and scripts that source generate_container_user.
#
# OpenShift and `docker run --user` give any user ID, and not every engine adds a passwd entry for it. Without one, Python's
# pwd.getpwuid() and getpass.getuser() fail, and so do ssh, psql and others. Where the lookup really fails, libnss-wrapper answers it from
# a file in /tmp: /etc/passwd stays as it is, which nobody but root may write, and the root file system may be read-only.
#
# On the way of every container start: no program is run unless the user has no entry in /etc/passwd.

taxiway_user() {
  taxiway_uid='' taxiway_gid=''
  while read -r taxiway_key taxiway_value _; do
    case "${taxiway_key}" in
      Uid:) taxiway_uid="${taxiway_value}" ;;
      Gid:) taxiway_gid="${taxiway_value}" && break ;;
      *) ;;
    esac
  done </proc/self/status
  taxiway_files="${TMPDIR:-/tmp}/taxiway-${taxiway_uid}"

  # A home that can't be written: many libraries keep a cache there, and find another place only if they are told.
  if [ ! -w "${HOME:-/}" ] && [ -z "${XDG_CACHE_HOME:-}" ]; then
    export XDG_CACHE_HOME="${taxiway_files}/cache"
  fi

  while IFS=: read -r taxiway_key _ taxiway_value _; do
    if [ "${taxiway_value}" = "${taxiway_uid}" ]; then return 0; fi
  done </etc/passwd
  if getent passwd "${taxiway_uid}" >/dev/null; then return 0; fi # by another service of nsswitch.conf

  if [ -n "${LD_PRELOAD:-}" ]; then # such as a monitoring agent's, or another malloc: two of them may not get on with each other
    taxiway_why="LD_PRELOAD is ${LD_PRELOAD} already"
  elif [ ! -s "${taxiway_files}/passwd" ] && ! taxiway_write; then
    taxiway_why="${taxiway_files} can't be written"
  else
    export LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_PASSWD="${taxiway_files}/passwd" NSS_WRAPPER_GROUP=/etc/group
    return 0
  fi
  echo "note: user ${taxiway_uid} has no passwd entry and gets none, because ${taxiway_why}" >&2
  export USER="${USER:-default}" # enough for getpass.getuser()
}

# The image's users, with this one in place of `default`, so that the name is the same whatever the ID.
taxiway_write() {
  if [ ! -d "${taxiway_files}" ]; then mkdir -m 0700 "${taxiway_files}" 2>/dev/null || return 1; fi
  # shellcheck disable=SC3067 # dash has it, though POSIX hasn't
  if [ ! -O "${taxiway_files}" ]; then return 1; fi
  {
    while read -r taxiway_key; do
      case "${taxiway_key}" in
        default:*) ;;
        *) printf '%s\n' "${taxiway_key}" ;;
      esac
    done </etc/passwd
    printf 'default:x:%s:%s:Application:%s:/usr/sbin/nologin\n' "${taxiway_uid}" "${taxiway_gid}" "${HOME:-/}"
  } 2>/dev/null >"${taxiway_files}/passwd.new" && mv "${taxiway_files}/passwd.new" "${taxiway_files}/passwd"
}

taxiway_user
unset -f taxiway_user taxiway_write
unset taxiway_uid taxiway_gid taxiway_key taxiway_value taxiway_files taxiway_why
