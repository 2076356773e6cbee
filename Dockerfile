# One image for every service of ours in docker-compose.yml. Build: docker compose build
FROM python:3.11.13-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    AIRFLOW_HOME=/qala/airflow AIRFLOW__CORE__DAGS_FOLDER=/qala/app/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False QALA_DATA=/qala/data

RUN useradd --uid 50000 --user-group --create-home --home-dir /qala qala
WORKDIR /qala/app
COPY requirements/production.lock requirements/production.lock
RUN pip install --no-cache-dir --require-hashes -r requirements/production.lock
# The code belongs to root: who runs it can't change it. Volumes take the folders' owner.
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . \
    && python -m compileall -q pipelines dags scripts \
    && install -d -o qala -g qala /qala/data /qala/airflow /qala/s3
USER 50000:50000
HEALTHCHECK NONE
