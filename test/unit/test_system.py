"""Debian packages that an application declares."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from trees import Tree

from taxiway.dependencies import system
from taxiway.errors import CommandFailedError, SystemPackagesError
from taxiway.image.dockerfile import ImagePlan, render
from taxiway.process import Result


def package(name: str, depends: str = "", section: str = "libs", priority: str = "optional", **more: str) -> str:
    fields = {
        "Package": name,
        "Status": "install ok installed",
        "Priority": priority,
        "Section": section,
        "Architecture": "amd64",
    }
    fields |= {"Depends": depends} if depends else {}
    return "".join(f"{key}: {value}\n" for key, value in (fields | more).items()) + "Description: x\n more: text\n"


BUILDER = "\n".join(
    (
        package("libpq-dev", "libpq5 (= 17.5), libssl-dev | other", section="libdevel"),
        package("libpq5", "libc6 (>= 2.38), libldap2:any (>= 2), perl-base, debconf"),
        package("libldap2", "libc6"),
        package("libssl-dev", "libssl3t64", section="libdevel"),
        package("libssl3t64", "libc6", Provides="libssl3 (= 3.5)"),
        package("libc6", priority="optional"),
        package("perl-base", priority="required"),
        package("cmake", "cmake-data", section="devel"),
        package("cmake-data", section="devel"),
        package("gone", "libldap2", Status="deinstall ok config-files"),
    )
)
RUNTIME = package("libc6") + "\n" + package("libssl3t64")


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        (["libpq-dev"], ["libldap2", "libpq5"]),  # no headers; nothing that is there, or the system's own
        (["libpq5", "libldap2"], ["libldap2", "libpq5"]),
        (["libssl3"], []),  # a name of what is there
        (["perl-base"], ["perl-base"]),  # asked for
        (["cmake"], []),
        (["nowhere", "gone"], []),
    ],
)
def test_needed(declared: list[str], found: list[str]) -> None:
    assert [fields["Package"] for fields in system.needed(declared, BUILDER, RUNTIME)] == found


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch, tree: Tree) -> list[list[str]]:
    calls: list[list[str]] = []

    def run(argv: list[str], *, env: Mapping[str, str], cwd: str, brief: bool) -> Result:
        assert (env["DEBIAN_FRONTEND"], cwd, brief) == ("noninteractive", "/", True)
        calls.append(argv)
        return Result(int("broken" in argv), "")

    monkeypatch.setattr(system, "run", run)
    monkeypatch.setattr(system, "STATUS", tree({"status": BUILDER}) / "status")
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return calls


def test_packages_are_installed_where_the_build_may(apt: list[list[str]]) -> None:
    system.ensure([], {})
    system.ensure(["libpq5", "libssl3"], {})
    assert apt == [], "they are there"
    system.ensure(["libpq5", "libxml2"], {})
    assert apt == [["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", "libxml2"]]
    with pytest.raises(CommandFailedError, match="apt-get install"):
        system.ensure(["broken"], {})


def test_packages_are_refused_where_it_may_not(apt: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1001)
    with pytest.raises(SystemPackagesError) as caught:
        system.ensure(["libpq5", "libxml2", "cargo"], {})
    assert apt == []
    assert str(caught.value) == (
        "The application declares Debian packages that aren't in this image: libxml2 cargo.\n"
        "This build has no right to install them: it doesn't run as root, or there is no apt-get. Two ways:\n\n"
        "  taxiway image NAME                                 installs them itself\n"
        "  FROM localhost/taxiway-builder                     a builder image of your own, for s2i\n"
        "  USER 0\n"
        "  RUN apt-get update && apt-get install --yes --no-install-recommends libxml2 cargo\n"
        "  USER 1001"
    )


def test_set_aside(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """With links, without documentation; dpkg's list grows by what is copied."""
    root = tree({"usr/lib/libldap.so.2.0": "library", "usr/share/doc/l/copyright": "", "runtime": RUNTIME, "status": BUILDER})
    (root / "usr/lib/libldap.so.2").symlink_to("libldap.so.2.0")
    (root / "lib").symlink_to("usr/lib")
    names = ("usr/lib", "lib/libldap.so.2.0", "lib/libldap.so.2", "usr/share/doc/l/copyright", "gone")
    tree({"info/libldap2:amd64.list": "".join(f"{root}/{name}\n" for name in names)})
    monkeypatch.setattr(system, "STATUS", Path("/var/lib/dpkg/status"))
    monkeypatch.setattr(system, "_INFO", root / "info")
    monkeypatch.setattr(Path, "read_text", lambda self, **_: BUILDER if self == system.STATUS else self.read_bytes().decode())
    target = root / "target"
    assert system.set_aside(["libldap2"], root / "runtime", target) == ["libldap2"]
    copied = target / root.relative_to("/")
    assert (copied / "usr/lib/libldap.so.2.0").read_bytes() == b"library"
    assert (copied / "usr/lib/libldap.so.2").readlink() == Path("libldap.so.2.0")
    assert not (copied / "lib").exists(), "a link of the system"
    found = system.available(system.stanzas((target / "var/lib/dpkg/status").read_bytes().decode()))
    assert found == {"libc6", "libssl3t64", "libldap2"}


def test_dockerfile() -> None:
    plan = ImagePlan(builder="b", runtime="r", packages=("libpq5", "libldap-dev"))
    assert (
        "FROM b AS build\n"
        "USER 0\n"
        "RUN apt-get update && apt-get install --yes --no-install-recommends libpq5 libldap-dev && rm -rf /var/lib/apt/lists/*\n"
        "COPY --from=r /var/lib/dpkg/status /opt/runtime-packages\n"
        "RUN taxiway system-packages /opt/runtime-packages /opt/system-packages libpq5 libldap-dev\n"
        "USER 1001\n"
        "COPY --chown"
    ) in render(plan)
    assert "FROM r\nCOPY --from=build /opt/system-packages/ /\n" in render(plan)
    on_builder = render(ImagePlan(builder="b", runtime=None, packages=("libpq5",)))
    assert "apt-get install" in on_builder
    assert "taxiway system-packages" not in on_builder
