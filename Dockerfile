# syntax=docker/dockerfile:1
# One image for every service; docker-compose.yml says what each of them runs.

FROM python:3.11-slim AS build
RUN python -m venv --without-pip /venv
COPY requirements.txt /
RUN pip --python /venv/bin/python install --no-cache-dir --only-binary :all: --require-hashes --requirement /requirements.txt
COPY --chmod=755 <<'PYTHON' /venv/bin/columnline
#!/venv/bin/python
from worker.cli import main

main()
PYTHON

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin columnline
COPY --from=build /venv /venv
COPY models /app/models
COPY worker /app/worker
COPY tasks /app/tasks
# The file system is read-only when it runs: compiled now, and readable whatever the umask of the checkout was.
RUN chmod -R a+rX /app && python -m compileall -q /app

ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    COLUMNLINE_DATA_DIR=/tmp/columnline
WORKDIR /app
USER 10001
# Whether a service is healthy depends on what it runs: see docker-compose.yml.
HEALTHCHECK NONE
CMD ["uvicorn", "worker.bridge:app", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", "--timeout-keep-alive=75"]
