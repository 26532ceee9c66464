CREATE TABLE predictions (
    prediction_id uuid NOT NULL,
    predicted_at timestamptz NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('ok', 'refused', 'failed')),
    reason text CHECK ((reason IS NULL) = (outcome = 'ok')),
    endpoint_type text NOT NULL CHECK (endpoint_type IN ('single', 'batch', 'simple')),
    request_id text,
    duration_seconds real NOT NULL CHECK (duration_seconds >= 0),
    model_version text,
    context text CHECK (context IN ('cold', 'warm')),
    driver_number smallint,
    circuit_key integer,
    session_key integer,
    lap_number smallint,
    year smallint,
    st_speed double precision,
    i1_speed double precision,
    i2_speed double precision,
    temp double precision,
    rhum double precision,
    pres double precision,
    compound text,
    tyre_age smallint,
    stint_lap smallint,
    rainfall boolean,
    track_status text,
    pit_in_planned boolean,
    total_laps smallint,
    field_recent_median double precision,
    circuit_avg_laptime double precision,
    driver_perf_score double precision,
    previous_laps smallint,
    features double precision[],
    fallbacks text[],
    predicted_seconds double precision,
    interval_level double precision,
    interval_lower double precision,
    interval_upper double precision,
    expected_error_seconds double precision,
    -- Two shippers that move the same rows make them once.
    PRIMARY KEY (prediction_id, predicted_at),
    CHECK (outcome <> 'ok' OR (predicted_seconds IS NOT NULL AND model_version IS NOT NULL))
) PARTITION BY RANGE (predicted_at);
COMMENT ON TABLE predictions IS
    'The prediction log: one row per lap that was asked for, or per request that was refused or failed. A partition per UTC day.';
COMMENT ON COLUMN predictions.prediction_id IS 'UUIDv7; sorts by time, so the key also finds a span of time (uuid7_floor)';
COMMENT ON COLUMN predictions.predicted_at IS 'The time in prediction_id, to the millisecond';
COMMENT ON COLUMN predictions.reason IS 'Why it was refused or failed';
COMMENT ON COLUMN predictions.duration_seconds IS 'From the start of the request''s handling to the answer; of the whole request for a lap of a batch';
COMMENT ON COLUMN predictions.year IS 'As sent, or the session''s; null: the latest season known was taken';
COMMENT ON COLUMN predictions.previous_laps IS 'How many laps before it were known';
COMMENT ON COLUMN predictions.features IS 'What the model was given, in the order of the context''s feature names; NaN is unknown';
COMMENT ON COLUMN predictions.fallbacks IS 'Names of the values that the prediction did without';

-- For the join with the laps that were then driven.
CREATE INDEX predictions_of_session ON predictions (session_key, driver_number, lap_number)
    WHERE session_key IS NOT NULL AND outcome = 'ok';

CREATE TABLE actuals (
    prediction_id uuid PRIMARY KEY,
    predicted_at timestamptz NOT NULL,
    actual_seconds double precision NOT NULL CHECK (actual_seconds BETWEEN 1 AND 14400),
    source text NOT NULL CHECK (source IN ('reported', 'laps')),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE actuals IS 'The lap time that was driven after a prediction. Never changed once it is there.';
COMMENT ON COLUMN actuals.predicted_at IS 'The prediction''s, so that a join reads few partitions';
COMMENT ON COLUMN actuals.source IS 'reported: by a caller; laps: from the loaded laps, by session, driver and lap';
CREATE INDEX actuals_by_time ON actuals (predicted_at);

CREATE TABLE drift_runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    finished_at timestamptz NOT NULL DEFAULT now(),
    report_name text NOT NULL,
    state text NOT NULL CHECK (state IN ('ok', 'drift', 'insufficient_data', 'failed')),
    model_version text,
    window_start timestamptz,
    window_end timestamptz,
    summary jsonb NOT NULL
);
COMMENT ON TABLE drift_runs IS 'One row per run of the drift job.';
COMMENT ON COLUMN drift_runs.summary IS 'As in the report''s summary file';
CREATE INDEX drift_runs_by_time ON drift_runs (finished_at);

CREATE FUNCTION uuid7_floor(at timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN (lpad(to_hex(greatest(floor(extract(epoch FROM at) * 1000), 0)::bigint), 12, '0') || '70008000000000000000')::uuid;
COMMENT ON FUNCTION uuid7_floor IS 'The lowest UUIDv7 of the millisecond';

CREATE FUNCTION add_prediction_partitions(days date[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    day date;
    name text;
    added integer := 0;
BEGIN
    FOREACH day IN ARRAY days LOOP
        name := 'predictions_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('public.' || name) IS NOT NULL;
        -- Who else wants it waits here, and then finds it.
        PERFORM pg_advisory_xact_lock(hashtextextended('prediction partitions', 0));
        CONTINUE WHEN to_regclass('public.' || name) IS NOT NULL;
        -- Attached and not made in place, which would keep out the log's readers.
        EXECUTE format('CREATE TABLE public.%I (LIKE predictions INCLUDING ALL)', name);
        EXECUTE format(
            'ALTER TABLE predictions ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
            name, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC'
        );
        added := added + 1;
    END LOOP;
    RETURN added;
END $$;
COMMENT ON FUNCTION add_prediction_partitions IS 'Those of these UTC days that are missing; gives how many';

CREATE FUNCTION drop_prediction_partitions(keep_days integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first date := (now() AT TIME ZONE 'UTC')::date - keep_days;
    name text;
    dropped integer := 0;
BEGIN
    IF keep_days < 1 THEN
        RAISE EXCEPTION 'keep_days %: at least 1', keep_days;
    END IF;
    FOR name IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'public.predictions'::regclass
          AND relname < 'predictions_' || to_char(first, 'YYYYMMDD')
        ORDER BY relname
    LOOP
        EXECUTE format('DROP TABLE public.%I', name);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM actuals WHERE predicted_at < first::timestamp AT TIME ZONE 'UTC';
    RETURN dropped;
END $$;
COMMENT ON FUNCTION drop_prediction_partitions IS
    'The days before the last keep_days, with their actual lap times; gives how many';

CREATE FUNCTION join_actuals(since timestamptz) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH joined AS (
        INSERT INTO actuals (prediction_id, predicted_at, actual_seconds, source)
        SELECT prediction_id, predicted_at, lap_duration, 'laps'
        FROM predictions JOIN laps USING (session_key, driver_number, lap_number)
        WHERE outcome = 'ok' AND lap_duration IS NOT NULL AND predicted_at >= since
        -- In the order in which callers' lap times are stored, or each could wait for the other.
        ORDER BY prediction_id
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT count(*) FROM joined
$$;
COMMENT ON FUNCTION join_actuals IS
    'Take the lap times of predictions made since then from the loaded laps; gives how many were new';

-- Functions are everybody's unless that is taken back.
REVOKE EXECUTE ON FUNCTION add_prediction_partitions, drop_prediction_partitions, join_actuals FROM PUBLIC;

SELECT add_prediction_partitions(
    ARRAY(SELECT (now() AT TIME ZONE 'UTC')::date + ahead FROM generate_series(-1, 7) AS ahead)
);

-- A database of somebody's own may have other roles, with grants of their own.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'f1pa_api') THEN
        GRANT INSERT ON predictions, actuals TO f1pa_api;
        GRANT EXECUTE ON FUNCTION add_prediction_partitions TO f1pa_api;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'f1pa_drift') THEN
        GRANT SELECT ON laps, sessions, circuits, predictions, actuals, drift_runs TO f1pa_drift;
        GRANT INSERT ON drift_runs TO f1pa_drift;
        GRANT EXECUTE ON FUNCTION add_prediction_partitions, drop_prediction_partitions, join_actuals
            TO f1pa_drift;
    END IF;
END $$;
