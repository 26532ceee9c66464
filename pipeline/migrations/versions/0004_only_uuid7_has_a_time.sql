-- Not STRICT, which would keep PostgreSQL from writing the expression into the query.
CREATE OR REPLACE FUNCTION uuid7_time(id uuid) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        -- Version 7 of the variant of RFC 9562.
        WHEN get_byte(uuid_send(id), 6) >> 4 = 7 AND get_byte(uuid_send(id), 8) >> 6 = 2 THEN
            to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000::float8)
    END;
COMMENT ON FUNCTION uuid7_time IS
    'The millisecond of a UUIDv7, as uuid_extract_timestamp of PostgreSQL 18 gives it, or NULL';
