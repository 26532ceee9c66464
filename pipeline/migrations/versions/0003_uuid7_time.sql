CREATE FUNCTION uuid7_time(id uuid) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000::float8);
COMMENT ON FUNCTION uuid7_time IS
    'The millisecond of a UUIDv7, as uuid_extract_timestamp of PostgreSQL 18 gives it';
