"""Rules M: what the image says about itself."""

import re
from collections.abc import Iterator

from taxiway.audit.image import Image
from taxiway.audit.rules.rule import Hit, Rule
from taxiway.audit.tar import FILE

_PLATFORM_LABELS = (
    "io.k8s.display-name",
    "io.k8s.description",
    "io.openshift.tags",
    "io.openshift.expose-services",
    "io.openshift.s2i.scripts-url",
    "io.openshift.s2i.assemble-user",
)
_LABELS = ("name", "vendor", "version", "release", "summary", "description", "maintainer")
_OWNERS = ("name", "vendor", "maintainer")
_OCI = "org.opencontainers.image."
# Each with what else says the same: a repository or a commit, in the names of s2i and OpenShift too.
_OCI_LABELS: dict[str, tuple[str, ...]] = {
    "source": (f"{_OCI}revision", "io.openshift.build.source-location", "io.openshift.build.commit.id"),
    "version": (),
    "licenses": (),
    "base.name": (),
    "base.digest": (),
}
_OWN_REVISION = "io.taxiway.revision"
"""Of taxiway's own images. An application's has the label too, but from what it is built on."""
_APPLICATION = "/opt/app-root/.taxiway/launch.json"
_MOST_LAYERS = 40
"""Of Red Hat's container certification (preflight, LayerCountAcceptable)."""
_FIRST_FREE_PORT = 1024
_KERNEL = ("/dev/", "/proc/", "/sys/")
_SHELLS = {("/bin/sh", "-c"), ("/bin/bash", "-c"), ("sh", "-c"), ("bash", "-c")}
_MAKES_WAY = "container-entrypoint"
"""It lets the shell of a shell-form CMD make way for the server."""


def _platform_labels(image: Image) -> Iterator[Hit]:
    yield from (
        Hit("there is no such label", path=f"config.Labels.{n}") for n in _PLATFORM_LABELS if not image.config.labels.get(n)
    )


def _labels(image: Image) -> Iterator[Hit]:
    labels = image.config.labels
    yield from (Hit("there is no such label, or it is empty", path=f"config.Labels.{n}") for n in _LABELS if not labels.get(n))
    for name in _OWNERS:
        if re.search(r"red[\s-]?hat", labels.get(name, ""), re.IGNORECASE):
            yield Hit("it has the trademark Red Hat, which says who made the image", path=f"config.Labels.{name}")


def _oci_labels(image: Image) -> Iterator[Hit]:
    known = {**image.annotations, **image.config.labels}
    if known.get(_OWN_REVISION) and _APPLICATION not in image.tree:
        known[f"{_OCI}source"] = known[_OWN_REVISION]
    for label, others in _OCI_LABELS.items():
        name = f"{_OCI}{label}"
        if not any(known.get(one) for one in (name, *others)):
            yield Hit("there is neither such a label nor an annotation", path=f"config.Labels.{name}")


def _licenses(image: Image) -> Iterator[Hit]:
    if not any(entry.kind == FILE for entry in image.tree.below("/licenses")):
        yield Hit("there is no file in it", path="/licenses")


def _shape(image: Image) -> Iterator[Hit]:
    if len(image.layers) > _MOST_LAYERS:
        yield Hit(f"the image has {len(image.layers)} layers, expected {_MOST_LAYERS} at most", path="manifest.layers")
    if image.name.endswith(":latest"):
        yield Hit("its tag is latest, which doesn't say what it is, and will be something else tomorrow", path="manifest.tag")


def _ports_and_volumes(image: Image) -> Iterator[Hit]:
    for port in image.config.ports:
        number = port.partition("/")[0]
        if not re.fullmatch("[0-9]{1,5}", number) or int(number) < _FIRST_FREE_PORT:
            yield Hit(
                f"expected a number from {_FIRST_FREE_PORT} on: below, only root may listen", path=f"config.ExposedPorts.{port}"
            )
    directory = f"{image.config.working_directory.rstrip('/')}/"
    for volume in image.config.volumes:
        place = f"{volume.rstrip('/')}/"
        if place.startswith(_KERNEL):
            yield Hit("it is the kernel's", path=f"config.Volumes.{volume}")
        elif directory.startswith(place):
            yield Hit("it has the application's code, which an old volume would hide", path=f"config.Volumes.{volume}")


def _healthcheck(image: Image) -> Iterator[Hit]:
    if not image.config.healthcheck:
        yield Hit("there is none, or the image was saved in the OCI format, which has no place for it", path="config.Healthcheck")


def _start(image: Image) -> Iterator[Hit]:
    config = image.config
    for name, words in (("Entrypoint", config.entrypoint), ("Cmd", config.command)):
        is_shell = words[:2] in _SHELLS and not words[-1].lstrip().startswith("exec ")
        if is_shell and not any(word.endswith(_MAKES_WAY) for word in config.entrypoint):
            yield Hit("in the shell form: the shell gets SIGTERM, and the server never hears of it", path=f"config.{name}")
    if config.stop_signal not in {"", "SIGTERM", "TERM", "15"}:
        yield Hit(f"it is {config.stop_signal}; platforms and their tools count on SIGTERM", path="config.StopSignal")


RULES = (
    Rule(
        id="M1",
        title="Labels of Kubernetes, OpenShift and S2I are there",
        severity="note",
        source="OpenShift's guidelines for images; consoles show them, and s2i builds by them",
        profiles=frozenset({"taxiway", "openshift"}),
        fix="LABEL NAME=VALUE, or build on taxiway's images, which have them",
        check=_platform_labels,
    ),
    Rule(
        id="M2",
        title="The image says what it is and who made it",
        severity="note",
        source="Red Hat's container certification (preflight: HasRequiredLabel, HasNoProhibitedLabels)",
        profiles=frozenset({"taxiway", "openshift"}),
        fix="LABEL name=... vendor=... version=... release=... summary=... description=... maintainer=...",
        check=_labels,
    ),
    Rule(
        id="M3",
        title="The image says from which source and base it was built",
        severity="note",
        source="OCI image specification, annotations.md",
        profiles=frozenset({"taxiway"}),
        fix="LABEL org.opencontainers.image.source=... and the others, or --label at the build; s2i tells the source by itself",
        check=_oci_labels,
    ),
    Rule(
        id="M4",
        title="/licenses has the licence",
        severity="note",
        source="Red Hat's container certification (preflight: HasLicense)",
        profiles=frozenset({"taxiway", "openshift"}),
        fix="COPY LICENSE /licenses/",
        check=_licenses,
    ),
    Rule(
        id="M5",
        title="At most 40 layers, and a tag that stays",
        severity="note",
        source="Red Hat's container certification (preflight: LayerCountAcceptable, HasUniqueTag); Dockle DKL-DI-0006",
        profiles=frozenset({"taxiway", "openshift", "cis"}),
        fix="join RUN instructions, or build with --squash; tag with the version or the commit",
        check=_shape,
    ),
    Rule(
        id="M6",
        title="Ports are free for all users, and volumes hide no code",
        severity="warning",
        source="OpenShift's guidelines for images; Docker's documentation of VOLUME",
        profiles=frozenset({"taxiway", "openshift", "kubernetes-restricted"}),
        fix="EXPOSE 8080, and a volume for data alone",
        check=_ports_and_volumes,
    ),
    Rule(
        id="M7",
        title="There is a HEALTHCHECK",
        severity="note",
        source="CIS Docker 4.6; Kubernetes doesn't read it, so only the profile cis asks for it",
        profiles=frozenset({"cis"}),
        fix='HEALTHCHECK CMD ["taxiway", "alive"], and build with --format docker; on Kubernetes: a probe, docs/openshift.md',
        check=_healthcheck,
    ),
    Rule(
        id="M8",
        title="The server gets SIGTERM itself",
        severity="warning",
        source="hadolint DL3025; OpenShift's guidelines for images; dash doesn't hand signals on",
        profiles=frozenset({"taxiway", "openshift", "kubernetes-restricted"}),
        fix='CMD ["PROGRAM", "ARGUMENT"], and no STOPSIGNAL',
        check=_start,
    ),
)
