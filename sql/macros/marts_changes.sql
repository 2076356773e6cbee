-- Purpose: what differs in a mart between two service dates, column by column.
-- Grain:   one row per key of the mart (its service date apart) and column that differs.
-- Reads:   meta.dictionary
CREATE OR REPLACE MACRO marts_changes(mart, from_date, to_date) AS TABLE
WITH told AS (
    SELECT to_json(mart_row)::JSON AS cells
    FROM query_table(mart) AS mart_row
    WHERE service_date IN (from_date::DATE, to_date::DATE)
),
named AS (
    SELECT dictionary.column_name, dictionary.position, dictionary.is_key
    FROM meta.dictionary AS dictionary
    WHERE dictionary.table_name = mart AND dictionary.column_name <> 'service_date'
),
keyed AS (
    SELECT
        (told.cells ->> 'service_date')::DATE AS service_date,
        coalesce((
            SELECT string_agg(
                named.column_name || '='
                || coalesce(json_extract_string(told.cells, named.column_name), ''),
                ', ' ORDER BY named.position
            )
            FROM named WHERE named.is_key
        ), '') AS row_key,
        told.cells
    FROM told
),
before AS (SELECT row_key, cells FROM keyed WHERE service_date = from_date::DATE),
after AS (SELECT row_key, cells FROM keyed WHERE service_date = to_date::DATE)
SELECT
    CASE
        WHEN before.cells IS NULL THEN 'added'
        WHEN after.cells IS NULL THEN 'removed'
        ELSE 'changed'
    END AS change,
    coalesce(before.row_key, after.row_key) AS row_key,
    named.column_name,
    json_extract_string(before.cells, named.column_name) AS before_value,
    json_extract_string(after.cells, named.column_name) AS after_value
FROM before
FULL JOIN after ON after.row_key = before.row_key
CROSS JOIN named
WHERE
    NOT named.is_key
    AND json_extract_string(before.cells, named.column_name)
    IS DISTINCT FROM json_extract_string(after.cells, named.column_name)
ORDER BY 2, named.position;
COMMENT ON MACRO TABLE marts_changes IS
'What differs in a mart between two service dates, e.g. marts_changes(''marts.metro_reach'', a, b).';
