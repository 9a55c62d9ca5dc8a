#!/bin/sh
# graceful.sh SIGNAL SECONDS COMMAND...: run a server, and stop it without losing a request.
# graceful.sh program SECONDS COMMAND...: run a program of the user's, which may be a shell that other programs run below.
#
# SIGTERM and SIGINT become SIGNAL, on which the server finishes what it has begun; after SECONDS it is killed. A second one ends
# everything at once. The exit status is 0 after a stop, else the server's. SIGABRT comes from the application's process
# (taxiway_runtime.wsgi) where its import failed and the server would stay up: that ends with 3, as gunicorn does.
#
# A shell dies of SIGTERM without telling what it runs. So what is left of a program's process group when its leader has ended
# gets the signal then, and is waited for. Not before: who has children of its own, such as Celery, stops them as it wants.
# shellcheck disable=SC2329  # the functions are called by traps
signal="$1"
seconds="$2"
shift 2
stopping=
interrupted=
server=
group= # the sign before a process ID by which kill means a process group
if [ "${signal}" = program ]; then
  signal=TERM
  group=-
  set -- setsid "$@"
fi

# A signal may come before the line that notes the server's process ID; $! has it as soon as there is a server.
stop() {
  interrupted=yes
  server="${server:-$!}"
  [ -n "${server}" ] || exit 0
  if [ -n "${stopping}" ]; then
    kill -s KILL -- "${group}${server}"
    exit "$1"
  fi
  stopping=0
  kill -s "${signal}" "${server}"
  (
    trap 'kill "$!"; exit' TERM
    sleep "${seconds}" &
    wait
    kill -s KILL -- "${group}${server}"
  ) >/dev/null 2>&1 &
  timer=$!
}

fail() {
  interrupted=yes
  server="${server:-$!}"
  stopping=3
  kill -s TERM "${server}"
}

pass_on() {
  interrupted=yes
  server="${server:-$!}"
  [ -z "${server}" ] || kill -s "$1" "${server}"
}

trap 'stop 143' TERM
trap 'stop 130' INT
trap fail ABRT
for name in HUP QUIT USR1 USR2 TTIN TTOU; do
  # shellcheck disable=SC2064  # the name of now
  trap "pass_on ${name}" "${name}"
done
TAXIWAY_SUPERVISOR=$$ "$@" &
server="${server:-$!}"
exec 3<&- # the server alone has the socket: once it stops listening, nobody does
status=0
while :; do
  interrupted=
  wait "${server}" 2>/dev/null # it would say by which signal
  status=$?
  [ -n "${interrupted}" ] || break
done
if [ -n "${group}" ] && [ -n "${stopping}" ]; then
  kill -s TERM -- "-${server}" 2>/dev/null
  while kill -s 0 -- "-${server}" 2>/dev/null; do
    sleep 0.1
  done
  case "${status}" in
    130 | 137 | 143) ;; # of the signals that it got
    *) stopping="${status}" ;;
  esac
fi
[ -z "${timer:-}" ] || kill "${timer}" 2>/dev/null
exit "${stopping:-${status}}"
