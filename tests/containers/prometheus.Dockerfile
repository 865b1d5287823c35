# Debian's Prometheus under the paths of the official image, for where that cannot be had. Its promtool serves tests, too.
FROM debian:bookworm-slim AS fetched
RUN apt-get update && cd /tmp && apt-get download prometheus && dpkg -x prometheus_*.deb /tmp/unpacked

FROM debian:bookworm-slim
COPY --from=fetched /tmp/unpacked/usr/bin/prometheus /tmp/unpacked/usr/bin/promtool /bin/
WORKDIR /prometheus
RUN chown nobody:nogroup /prometheus
USER nobody
ENTRYPOINT ["/bin/prometheus"]
