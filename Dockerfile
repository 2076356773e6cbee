# One image for every service of docker-compose.yml. Build: docker compose build
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    AIRFLOW_HOME=/qala/airflow AIRFLOW__CORE__DAGS_FOLDER=/qala/app/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False QALA_DATA=/qala/data

RUN useradd --uid 50000 --create-home --home-dir /qala qala
WORKDIR /qala/app
COPY requirements/production.lock requirements/production.lock
RUN pip install --no-cache-dir --require-hashes -r requirements/production.lock
COPY --chown=qala . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . \
    && mkdir -p /qala/data /qala/airflow && chown -R qala /qala/data /qala/airflow
USER qala
