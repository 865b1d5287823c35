# The minimizer's image: `docker build -t telemetry-pipelines .` See docs/containers.md.
# The first stage builds; the second holds an interpreter, the locked packages, the compiled wheel, the contract, and
# nothing to build with: no shell, no package manager, no pip.
ARG PYTHON=python:3.11-slim
FROM ${PYTHON} AS build

# Python.h comes with the official image, and with Debian's own Python as a package.
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
      $(python3 -c 'import os, sysconfig; print("" if os.path.exists(sysconfig.get_path("include") + "/Python.h") else "python3-dev")') \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_NO_CACHE_DIR=1
COPY requirements/wheel.txt requirements/image.txt requirements/
RUN python3 -m venv venv && venv/bin/pip install --quiet --require-hashes -r requirements/wheel.txt
# mypyc reads the types of the packages that the modules import: the build's environment sees the program's, too.
RUN python3 -m venv --without-pip /opt/pipelines \
 && venv/bin/pip --python /opt/pipelines/bin/python install --quiet --no-compile --require-hashes -r requirements/image.txt \
 && venv/bin/python -c 'import pathlib, sysconfig; here = sysconfig.get_path("purelib"); \
pathlib.Path(here, "program.pth").write_text(here.replace("/build/venv", "/opt/pipelines"))'

COPY pyproject.toml README.md LICENSE setup.py ./
COPY pipelines pipelines
RUN PIPELINES_COMPILE=yes venv/bin/pip wheel --quiet --no-deps --no-build-isolation -w dist . \
 && venv/bin/pip --python /opt/pipelines/bin/python install --quiet --no-compile --no-deps dist/*.whl
COPY containers/rootfs.py .
RUN python3 rootfs.py /rootfs /opt/pipelines
COPY topics.yaml /rootfs/contract/
COPY schemas /rootfs/contract/schemas
COPY policies /rootfs/contract/policies
COPY overlays /rootfs/contract/overlays

FROM scratch
COPY --from=build /rootfs /
ENV PATH=/opt/pipelines/bin \
    HOME=/home/pipelines \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PIPELINES_CONTRACT=/contract \
    PIPELINES_KEYRING=/keys/keyring.json \
    PIPELINES_METRICS_ADDRESS=0.0.0.0 \
    PIPELINES_METRICS_PORT=9464
WORKDIR /home/pipelines
USER 10001:10001
EXPOSE 9464
# SIGTERM: the batch at hand is finished, then the workers leave; they have the transaction timeout (30 s) for it.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=30s --start-period=60s --retries=3 CMD ["pipelines", "health"]
ENTRYPOINT ["pipelines"]
CMD ["--help"]

ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="telemetry-pipelines" \
      org.opencontainers.image.description="Minimizes product telemetry on Kafka: raw events in; reduced, purpose-tagged, expiring events out" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.documentation="docs/containers.md" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
