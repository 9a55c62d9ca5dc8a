# shellcheck shell=sh
# Login shells: Debian's /etc/profile starts PATH anew, and `bash -l` wouldn't find the application's python.
PATH="/opt/app-root/src/.local/bin:/opt/app-root/src/bin:/opt/app-root/bin:${PATH}"
export PATH
