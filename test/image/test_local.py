"""A laptop that can run the images' own server: Debian with Apache's headers, and somebody who isn't root.

The builder image has all else that such a machine needs; what makes it an image is taken away.
"""

import harness

SCRIPT = """
set -e
apt-get update -qq >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends apache2-dev >/dev/null 2>&1
cd /
rm -rf /opt/app-root /opt/taxiway/wheelhouse /etc/taxiway
useradd --create-home ada
cp -r /case /home/ada/site
chown -R ada /home/ada
chown ada /proc/self/fd/1 /proc/self/fd/2  # Apache opens its standard error again
cd /home/ada/site
unset APP_ROOT VIRTUAL_ENV
export HOME=/home/ada
exec setpriv --reuid=ada --regid=ada --init-groups taxiway start --host 0.0.0.0
"""


def test_mod_wsgi_serves_as_in_the_images() -> None:
    mounts = (f"--volume={harness.APPS / 'django-static-sqlite'}:/case:ro", *harness.certificates(), "--user=0")
    with harness.container(harness.BUILDER, *mounts, command=("bash", "-c", SCRIPT)) as running:
        harness.wait_for(lambda: True if "configured -- resuming" in running.logs() or not running.is_running() else None, 180)
        assert running.wait().status == 200
        assert "compiled from source, because there is no wheel for this Python: mod-wsgi" in running.logs()
        expected = harness.read_expectation("django-static-sqlite")
        harness.check_requests(running, expected["request"])
        assert running.stop() == 0, running.logs()[-3000:]
        assert "Built. It starts hangar.wsgi:application under mod_wsgi" in running.logs()
