"""The production topology on one machine, without containers: real servers on loopback.

PostgreSQL, Redis and an S3 server (SeaweedFS), Airflow's api-server, scheduler, DAG processor and
triggerer, and Celery workers: each a group of processes that is stopped at the end, whatever
happens. The same secrets, roles and preparation as `docker-compose.yml`.
"""
