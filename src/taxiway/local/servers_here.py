"""Which server a laptop can run where the application asks for none: the images have an Apache, a laptop may not."""

import os
import shutil
import sysconfig
from collections.abc import Mapping

from taxiway.launch_plan import WSGI

_APXS = ("apxs2", "apxs")
_APACHE = ("apache2", "httpd")
_COMPILERS = ("cc", "gcc", "clang")


def defaults(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return what `plan.choose_server` takes: empty where mod_wsgi can be compiled and run here, as in the images."""
    path = f"{environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"  # Debian's Apache is no user's command
    missing = why_no_mod_wsgi(
        apxs=_has(_APXS, path),
        apache=_has(_APACHE, path),
        compiler=_has(_COMPILERS, path),
        headers=os.path.isfile(os.path.join(sysconfig.get_path("include"), "Python.h")),
        root=os.geteuid() == 0,
    )
    return {WSGI: ("gunicorn", f"mod_wsgi, which {missing}")} if missing else {}


def why_no_mod_wsgi(*, apxs: bool, apache: bool, compiler: bool, headers: bool, root: bool) -> str:
    """Say why mod_wsgi can't serve here; empty: it can; pure."""
    if root:
        return "doesn't serve as root"
    if not (apxs and apache):
        return "needs Apache's headers (apt-get install apache2-dev)"
    if not compiler:
        return "needs a C compiler (apt-get install gcc)"
    if not headers:
        return "needs Python's headers (apt-get install python3-dev)"
    return ""


def _has(names: tuple[str, ...], path: str) -> bool:
    return any(shutil.which(name, path=path) for name in names)
