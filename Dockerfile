# The service, its worker and its migrations in one image.
# Linted by hadolint in the tests; no container engine is at hand in CI, so it is not built there.
FROM python:3.11.14-slim-bookworm AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY requirements.lock ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY migrations ./migrations
COPY solver ./solver
COPY service ./service
# Installed in place: the migrations and their settings stand beside the packages.
RUN /opt/venv/bin/pip install --no-deps --no-build-isolation --editable . \
    && /opt/venv/bin/python -m compileall -q service solver

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="rehab-beds" \
      org.opencontainers.image.description="Bed placement, transfer and planning for a city's drug-rehabilitation network" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.3.0"
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin rehab-beds
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /app /app
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
CMD ["rehab-beds", "serve", "--host", "0.0.0.0", "--port", "8000"]
