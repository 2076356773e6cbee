-- Who may do what in the lake's catalog on PostgreSQL. Run by the catalog's owner, again after every
-- upgrade of the code and whenever the list of open tables changes (sql/roles/open_tables.sql runs
-- first); running it twice changes nothing. Logins are made by the operator and get one role each:
--
--     CREATE ROLE night LOGIN PASSWORD '...' IN ROLE qala_writer;
--     ALTER ROLE night SET role = qala_writer;
--     CREATE ROLE analyst LOGIN PASSWORD '...' IN ROLE qala_analyst;
--
-- The owner may write the nights itself, as a member of qala_writer; so does `make cluster`.
--
--   qala_writer   writes the nights: reads and writes the catalog, and makes what DuckLake makes in it
--   qala_reader   reads all of it and writes nothing: doctor, backup, replay of a past night
--   qala_analyst  reads of it what leads to marts and to the listed staging tables, and nothing else
--
-- Objects are the store's to guard: an analyst's key reads the folders marts/ and those listed alone.

BEGIN;

DO $$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['qala_writer', 'qala_reader', 'qala_analyst'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
    END IF;
  END LOOP;
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format(
    'GRANT CONNECT ON DATABASE %I TO qala_writer, qala_reader, qala_analyst', current_database()
  );
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO qala_reader, qala_analyst;
GRANT USAGE, CREATE ON SCHEMA public TO qala_writer;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, qala_reader, qala_analyst;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO qala_writer;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO qala_reader;
-- What DuckLake makes later (rows kept in the catalog) is the writer's and the reader's at once,
-- whether the owner made it or a writer.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO qala_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO qala_writer;
ALTER DEFAULT PRIVILEGES FOR ROLE qala_writer IN SCHEMA public
  GRANT SELECT ON TABLES TO qala_reader;

-- Numbers of the tables that are open, whatever snapshot they are of.
CREATE OR REPLACE FUNCTION qala_access.open_table_ids() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT DISTINCT tables.table_id
  FROM ducklake_table AS tables
  JOIN ducklake_schema AS schemas USING (schema_id)
  JOIN qala_access.open_tables AS listed
    ON listed.schema_name = schemas.schema_name AND listed.table_name = tables.table_name
$$;
REVOKE ALL ON FUNCTION qala_access.open_table_ids() FROM PUBLIC;
GRANT USAGE ON SCHEMA qala_access TO qala_analyst;
GRANT EXECUTE ON FUNCTION qala_access.open_table_ids() TO qala_analyst;

DO $$
DECLARE
  catalog_table record;
  open_id bigint;
BEGIN
  -- Tables of the catalog with a row for each table or file: an analyst sees those of open tables.
  FOR catalog_table IN
    SELECT tables.table_name AS name
    FROM information_schema.tables AS tables
    JOIN information_schema.columns AS columns USING (table_schema, table_name)
    WHERE tables.table_schema = 'public'
      AND tables.table_name LIKE 'ducklake\_%'
      AND tables.table_name NOT LIKE 'ducklake\_inlined\_data\_%\_%'
      AND columns.column_name = 'table_id'
  LOOP
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', catalog_table.name);
    EXECUTE format('DROP POLICY IF EXISTS everything ON public.%I', catalog_table.name);
    EXECUTE format('DROP POLICY IF EXISTS open_tables ON public.%I', catalog_table.name);
    EXECUTE format(
      'CREATE POLICY everything ON public.%I TO qala_writer, qala_reader USING (true) WITH CHECK (true)',
      catalog_table.name
    );
    EXECUTE format(
      'CREATE POLICY open_tables ON public.%I FOR SELECT TO qala_analyst'
      ' USING (table_id IN (SELECT qala_access.open_table_ids()))',
      catalog_table.name
    );
    EXECUTE format('GRANT SELECT ON public.%I TO qala_analyst', catalog_table.name);
  END LOOP;
  -- Comments, by the number of what they are on.
  ALTER TABLE public.ducklake_tag ENABLE ROW LEVEL SECURITY;
  DROP POLICY IF EXISTS everything ON public.ducklake_tag;
  DROP POLICY IF EXISTS open_tables ON public.ducklake_tag;
  CREATE POLICY everything ON public.ducklake_tag TO qala_writer, qala_reader
    USING (true) WITH CHECK (true);
  CREATE POLICY open_tables ON public.ducklake_tag FOR SELECT TO qala_analyst
    USING (object_id IN (SELECT qala_access.open_table_ids()));
  GRANT SELECT ON public.ducklake_tag TO qala_analyst;
  -- Tables of the catalog that tell of no table. What a snapshot changed names tables by number
  -- alone; who committed it and why is in its message.
  FOR catalog_table IN
    SELECT table_name AS name
    FROM information_schema.tables
    WHERE table_schema = 'public' AND table_name IN (
      'ducklake_metadata', 'ducklake_snapshot', 'ducklake_snapshot_changes', 'ducklake_schema',
      'ducklake_schema_versions', 'ducklake_view', 'ducklake_macro', 'ducklake_macro_impl',
      'ducklake_macro_parameters', 'ducklake_name_mapping'
    )
  LOOP
    EXECUTE format('GRANT SELECT ON public.%I TO qala_analyst', catalog_table.name);
  END LOOP;
  -- Rows that the catalog keeps itself: those of open tables.
  FOR open_id IN SELECT qala_access.open_table_ids() LOOP
    FOR catalog_table IN
      SELECT table_name AS name
      FROM information_schema.tables
      WHERE table_schema = 'public'
        AND table_name LIKE 'ducklake\_inlined\_data\_' || open_id || '\_%'
    LOOP
      EXECUTE format('GRANT SELECT ON public.%I TO qala_analyst', catalog_table.name);
    END LOOP;
  END LOOP;
END
$$;

COMMIT;
