-- Close a database (Airflow's own, and `postgres`) to every login that has no business there. Run
-- by its owner, connected to it.
DO $$
BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
END
$$;
