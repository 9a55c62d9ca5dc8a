# shellcheck shell=sh
# Login shells: Debian's /etc/profile starts PATH anew, and `bash -l` wouldn't find the application's python.
PATH="/opt/app-root/src/.local/bin:/opt/app-root/src/bin:/opt/app-root/bin:${PATH}"
export PATH

# A name for a user without a passwd entry, as the entry point gives it.
# shellcheck source=scripts/image/container-user.sh
. /usr/libexec/taxiway/container-user.sh
