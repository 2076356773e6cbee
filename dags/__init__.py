"""When, in which order and how often: the only part of the project that knows Airflow."""
