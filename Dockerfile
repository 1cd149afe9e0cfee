# crmsync as one image for api, worker, scheduler and migrate: the command says which.
#   docker build -t crmsync .
#   docker run --rm --read-only --tmpfs /tmp -v "$PWD":/config:ro --env-file .env -p 8000:8000 crmsync
# The root file system may be read-only: crmsync writes to its database, and to /tmp (a tmpfs will
# do) the sign that a worker or scheduler is alive. With SQLite (no CRMSYNC_DATABASE_URL) /config must
# be a writable volume, for the database stands beside crmsync.yaml.

FROM python:3.11-slim AS build
WORKDIR /build
RUN python -m venv /opt/crmsync
COPY requirements-run.lock ./
RUN /opt/crmsync/bin/pip install --no-cache-dir --require-hashes --requirement requirements-run.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN /opt/crmsync/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim
RUN groupadd --system --gid 10001 crmsync \
    && useradd --system --uid 10001 --gid crmsync --no-create-home --shell /usr/sbin/nologin crmsync
COPY --from=build /opt/crmsync /opt/crmsync
ENV PATH=/opt/crmsync/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CRMSYNC_CONFIG=/config/crmsync.yaml \
    CRMSYNC_ALIVE_FILE=/tmp/crmsync-alive \
    PORT=8000
WORKDIR /config
USER 10001:10001
EXPOSE 8000
# Of the API. Workers and schedulers have no port and keep a file instead (CRMSYNC_ALIVE_FILE):
# their check is `crmsync healthcheck worker` or `scheduler`, as docker-compose.yml has it.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/healthz\", timeout=4)"]
ENTRYPOINT ["crmsync"]
CMD ["api", "--host", "0.0.0.0"]
