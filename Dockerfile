# All images of taxiway: targets `builder` and `runtime`. `scripts/images.sh` calls this with what the machine needs; plain
# `podman build --target builder .` does as well. Nothing here needs BuildKit: OpenShift, buildah and Docker's classic builder work.
#
#   BASE_IMAGE ── wheels ── tool    download and compile, then thrown away
#     ├────────── builder-rootfs    Debian packages, trimmed
#     └────────── runtime-rootfs
#   scratch ───── shape ── builder  what is copied together from the stages above: no layer below keeps a setuid file, or what was
#                     └─── runtime  trimmed

# Any Debian-family image with Python 3.11 or later in its packages.
ARG BASE_IMAGE=debian:trixie-slim
# The base image's Python as X.Y: stated here for the images' environment, and checked below.
ARG PYTHON_VERSION=3.13
ARG VERSION=0
# For the bill of materials and labels: what is known of the base image, and of what the images are made from.
ARG BASE_DIGEST=
ARG INPUTS=


# ---- wheels: the only stage that asks a package index ----
FROM ${BASE_IMAGE} AS wheels
# What is compiled, and put into wheels, is the same on any day: 1980-01-01, as scripts/images.sh has it for all files. Debug information
# would name the directory of the compilation, which pip makes at random; the linker leaves it out.
ENV SOURCE_DATE_EPOCH=315532800 LDFLAGS=-Wl,-S
# Packages have the version of the Debian release, which BASE_IMAGE chooses.
# hadolint ignore=DL3008
RUN set -eux; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        apache2-dev \
        ca-certificates \
        gcc \
        libc6-dev \
        python3-dev \
        python3-venv \
    ; \
    rm -rf /var/lib/apt/lists/*; \
    python3 --version

# The network's own certificate authorities, and its package index (pip.conf): see certs/README.md.
COPY certs/ /certs/
COPY requirements/ /requirements/
# Variables are set for this one command, in this stage: nothing of them may get into an image. A bundle of our own, because an engine
# may mount the machine's certificates read-only.
RUN set -eux; \
    find /etc/ssl/certs/ca-certificates.crt /certs -name '*.crt' -exec awk 1 {} + >/certs/bundle.pem; \
    export PIP_CERT=/certs/bundle.pem PIP_CONFIG_FILE=/certs/pip.conf; \
    export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_REQUIRE_HASHES=1; \
    python3 -m venv /opt/wheels; \
    /opt/wheels/bin/pip install --requirement /requirements/wheels.txt; \
    /opt/wheels/bin/pip download --no-deps --only-binary :all: --dest /wheels/tool --requirement /requirements/tool.txt; \
    /opt/wheels/bin/pip download --no-deps --only-binary :all: --dest /wheels/builder --requirement /requirements/builder.txt; \
    /opt/wheels/bin/pip download --no-deps --only-binary :all: --dest /wheels/backends --requirement /requirements/backends.txt; \
    /opt/wheels/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels/servers --requirement /requirements/servers.txt; \
    /opt/wheels/bin/pip --version

# From here on everything is installed from these wheels, without an index. /layers holds what the final images copy: `common` for
# both, `builder` for one. pip's --root puts files there whose own paths start at /opt.
COPY scripts/image/make-layers scripts/image/true-records scripts/image/generate_container_user /scripts/
RUN /scripts/make-layers


# ---- tool: taxiway itself; a stage of its own, so that a changed source repeats only this ----
FROM wheels AS tool
COPY scripts/image/ /scripts/
COPY pyproject.toml LICENSE /taxiway/
COPY docs/errors.md /taxiway/docs/
COPY requirements/servers.txt requirements/backends.txt /taxiway/requirements/
COPY src/ /taxiway/src/
COPY s2i/bin/ /taxiway/s2i/
RUN /scripts/make-tool-layer /taxiway


# ---- root file systems ----
FROM ${BASE_IMAGE} AS builder-rootfs
ARG PYTHON_VERSION
# hadolint ignore=DL3008
RUN set -eux; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        apache2-bin \
        ca-certificates \
        dumb-init \
        g++ \
        gcc \
        git \
        libc6-dev \
        libffi-dev \
        libmariadb-dev \
        libnss-wrapper \
        libpq-dev \
        make \
        media-types \
        pkgconf \
        python3 \
        python3-dev \
        python3-venv \
        tzdata \
    ; \
    gcc --version; \
    python3 -c 'import sys; found = "%d.%d" % sys.version_info[:2]; sys.exit(found != sys.argv[1] and f"PYTHON_VERSION must be {found}")' \
        "${PYTHON_VERSION}"
COPY scripts/image/finish-rootfs /tmp/
RUN /tmp/finish-rootfs builder

FROM ${BASE_IMAGE} AS runtime-rootfs
ARG PYTHON_VERSION
# hadolint ignore=DL3008
RUN set -eux; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        apache2-bin \
        ca-certificates \
        dumb-init \
        libnss-wrapper \
        "libpython${PYTHON_VERSION}" \
        media-types \
        python3 \
        tzdata \
    ; \
    python3 -c 'import sys; found = "%d.%d" % sys.version_info[:2]; sys.exit(found != sys.argv[1] and f"PYTHON_VERSION must be {found}")' \
        "${PYTHON_VERSION}"
COPY scripts/image/finish-rootfs /tmp/
RUN /tmp/finish-rootfs runtime


# ---- bills of materials ----
FROM tool AS builder-materials
COPY --from=builder-rootfs /usr/lib/os-release /image/usr/lib/
COPY --from=builder-rootfs /var/lib/dpkg/status /image/var/lib/dpkg/
COPY --from=builder-rootfs /usr/share/doc/ /image/usr/share/doc/
ARG BASE_IMAGE
ARG BASE_DIGEST
ARG INPUTS
RUN /scripts/make-materials taxiway-builder "${BASE_IMAGE}" "${BASE_DIGEST}" "${INPUTS}" common builder tool

FROM tool AS runtime-materials
COPY --from=runtime-rootfs /usr/lib/os-release /image/usr/lib/
COPY --from=runtime-rootfs /var/lib/dpkg/status /image/var/lib/dpkg/
COPY --from=runtime-rootfs /usr/share/doc/ /image/usr/share/doc/
ARG BASE_IMAGE
ARG BASE_DIGEST
ARG INPUTS
RUN /scripts/make-materials taxiway-runtime "${BASE_IMAGE}" "${BASE_DIGEST}" "${INPUTS}" common tool


# ---- shape: the configuration that both images have ----
FROM scratch AS shape
# The time that scripts/images.sh gives to all files, so that the images are the same on any day. Engines don't look at it when they
# take layers from their cache: the label keeps those apart that were built without it.
LABEL io.taxiway.created="315532800" \
      maintainer="the taxiway developers" \
      vendor="taxiway"
# Before the rest something that differs from one Python to the next: buildah's cache doesn't look at build arguments in ENV and LABEL, so
# it would give one suite's values to another.
COPY --from=wheels /layers/common/ /
ARG PYTHON_VERSION
# Names and values of s2i-python-container, which users' own Dockerfiles and scripts rely on.
ENV APP_ROOT=/opt/app-root \
    HOME=/opt/app-root/src \
    PATH=/opt/app-root/src/.local/bin:/opt/app-root/src/bin:/opt/app-root/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    VIRTUAL_ENV=/opt/app-root \
    STI_SCRIPTS_PATH=/usr/libexec/s2i \
    STI_SCRIPTS_URL=image:///usr/libexec/s2i \
    PYTHON_VERSION=${PYTHON_VERSION} \
    PYTHONUNBUFFERED=1 \
    PYTHONIOENCODING=UTF-8 \
    LANG=C.UTF-8 \
    LC_ALL=C.UTF-8 \
    CNB_USER_ID=1001 \
    CNB_GROUP_ID=0
LABEL io.openshift.s2i.scripts-url="image:///usr/libexec/s2i" \
      io.s2i.scripts-url="image:///usr/libexec/s2i" \
      io.openshift.s2i.assemble-user="1001" \
      io.openshift.s2i.assemble-input-files="/opt/app-root" \
      io.openshift.expose-services="8080:http" \
      io.taxiway.writable="/opt/app-root" \
      release="1" \
      org.opencontainers.image.vendor="taxiway" \
      org.opencontainers.image.licenses="Apache-2.0"
# What engines send anyway, said for those who look: each server is stopped by it, as graceful.sh translates it.
STOPSIGNAL SIGTERM


# ---- builder ----
FROM shape AS builder
ARG PYTHON_VERSION
LABEL name="taxiway-builder" \
      io.taxiway.writable="/opt/app-root /etc/taxiway/credentials" \
      summary="Builds and runs Python ${PYTHON_VERSION} web applications" \
      description="Source-to-Image builder for Python ${PYTHON_VERSION} web applications: finds out what an application is, installs its locked dependencies and serves it with a production server." \
      usage="s2i build SOURCE localhost/taxiway-builder APPLICATION" \
      io.k8s.display-name="taxiway builder, Python ${PYTHON_VERSION}" \
      io.k8s.description="Source-to-Image builder for Python ${PYTHON_VERSION} web applications" \
      io.openshift.tags="builder,python,python${PYTHON_VERSION},django,flask,wsgi" \
      org.opencontainers.image.title="taxiway-builder" \
      org.opencontainers.image.description="Source-to-Image builder for Python ${PYTHON_VERSION} web applications"
# Copying everything is the point: see the top.
# hadolint ignore=DL3067
COPY --from=builder-rootfs / /
COPY --from=wheels /layers/builder/ /
COPY --from=tool /layers/tool/ /
COPY --from=builder-materials /materials/ /
ARG VERSION
LABEL version="${VERSION}" \
      org.opencontainers.image.version="${VERSION}"
WORKDIR /opt/app-root/src
EXPOSE 8080
# A number, so that Kubernetes can tell it is not root; any other user ID with group 0 works as well.
USER 1001
# --single-child: the server gets SIGTERM, and decides itself about its workers.
ENTRYPOINT ["/usr/bin/dumb-init", "--single-child", "--", "container-entrypoint"]
CMD ["/usr/libexec/s2i/usage"]


# ---- runtime ----
# assemble-runtime-user: the files that s2i copies there belong to root, and only root can move them to their places. The
# image's own user stays USER.
FROM shape AS runtime
ARG PYTHON_VERSION
LABEL name="taxiway-runtime" \
      summary="Runs Python ${PYTHON_VERSION} web applications built by taxiway-builder" \
      description="Python ${PYTHON_VERSION}, Apache's httpd and an init: what an application built by taxiway-builder needs to run, without compilers and package managers." \
      usage="COPY --from=BUILD_STAGE /opt/app-root /opt/app-root" \
      io.k8s.display-name="taxiway runtime, Python ${PYTHON_VERSION}" \
      io.k8s.description="Runs Python ${PYTHON_VERSION} web applications built by taxiway-builder" \
      io.openshift.tags="python,python${PYTHON_VERSION},django,flask,wsgi" \
      io.openshift.s2i.assemble-runtime-user="0" \
      org.opencontainers.image.title="taxiway-runtime" \
      org.opencontainers.image.description="Runs Python ${PYTHON_VERSION} web applications built by taxiway-builder"
# hadolint ignore=DL3067
COPY --from=runtime-rootfs / /
COPY --from=tool /layers/tool/ /
COPY --from=runtime-materials /materials/ /
ARG VERSION
LABEL version="${VERSION}" \
      org.opencontainers.image.version="${VERSION}"
WORKDIR /opt/app-root/src
EXPOSE 8080
USER 1001
ENTRYPOINT ["/usr/bin/dumb-init", "--single-child", "--", "container-entrypoint"]
CMD ["/usr/libexec/s2i/run"]
