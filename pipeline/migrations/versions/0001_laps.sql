CREATE TABLE circuits (
    circuit_key integer PRIMARY KEY CHECK (circuit_key >= 1),
    circuit_short_name text NOT NULL CHECK (circuit_short_name <> ''),
    location text,
    country_code text,
    country_name text,
    altitude_m smallint CHECK (altitude_m BETWEEN -500 AND 5000)
);
COMMENT ON TABLE circuits IS 'One row per OpenF1 circuit_key. Rows are only ever added to or completed.';
COMMENT ON COLUMN circuits.country_code IS 'Three-letter code as Formula 1 uses it, e.g. NED, MON';
COMMENT ON COLUMN circuits.altitude_m IS 'Metres above sea level';

CREATE TABLE drivers (
    year smallint NOT NULL CHECK (year BETWEEN 1950 AND 2100),
    driver_number smallint NOT NULL CHECK (driver_number BETWEEN 1 AND 99),
    full_name text,
    name_acronym text,
    team_name text,
    team_colour text CHECK (team_colour ~ '^[0-9A-Fa-f]{6}$'),
    country_code text,
    headshot_url text,
    PRIMARY KEY (year, driver_number)
);
COMMENT ON TABLE drivers IS
    'One row per season and driver number: who drove it last in that season, for which team.';
COMMENT ON COLUMN drivers.team_colour IS 'RGB, six hexadecimal digits, no #';

CREATE TABLE sessions (
    session_key integer PRIMARY KEY CHECK (session_key >= 1),
    meeting_key integer NOT NULL CHECK (meeting_key >= 1),
    year smallint NOT NULL CHECK (year BETWEEN 1950 AND 2100),
    round smallint CHECK (round BETWEEN 1 AND 40),
    meeting_name text,
    session_name text,
    session_type text,
    circuit_key integer NOT NULL REFERENCES circuits,
    date_start timestamptz,
    source text NOT NULL CHECK (source IN ('openf1', 'csv', 'simulator')),
    UNIQUE (session_key, year, circuit_key)
);
COMMENT ON TABLE sessions IS
    'One row per session that has laps. A few hundred rows: read whole, so no further index.';
COMMENT ON COLUMN sessions.round IS 'Position of the meeting in its season, from 1';
COMMENT ON COLUMN sessions.session_name IS 'Race, Qualifying, Practice 1, ...; null when the source has none';
COMMENT ON COLUMN sessions.session_type IS 'Race, Qualifying or Practice, derived from session_name';
COMMENT ON COLUMN sessions.date_start IS 'Start of the earliest lap that has one, UTC';
COMMENT ON COLUMN sessions.source IS 'Where the rows were last loaded from; simulator rows never mix with recorded ones';

CREATE TABLE laps (
    session_key integer NOT NULL,
    driver_number smallint NOT NULL,
    lap_number smallint NOT NULL CHECK (lap_number BETWEEN 1 AND 200),
    year smallint NOT NULL,
    circuit_key integer NOT NULL,
    name_acronym text,
    team_name text,
    date_start timestamptz,
    lap_duration double precision CHECK (lap_duration BETWEEN 1 AND 14400),
    duration_sector_1 double precision CHECK (duration_sector_1 BETWEEN 0 AND 14400),
    duration_sector_2 double precision CHECK (duration_sector_2 BETWEEN 0 AND 14400),
    duration_sector_3 double precision CHECK (duration_sector_3 BETWEEN 0 AND 14400),
    i1_speed double precision CHECK (i1_speed BETWEEN 0 AND 450),
    i2_speed double precision CHECK (i2_speed BETWEEN 0 AND 450),
    st_speed double precision CHECK (st_speed BETWEEN 0 AND 450),
    is_pit_out_lap boolean,
    is_pit_in_lap boolean,
    stint_number smallint CHECK (stint_number BETWEEN 1 AND 100),
    compound text,
    tyre_age_at_start smallint CHECK (tyre_age_at_start BETWEEN 0 AND 300),
    tyre_age_at_lap smallint CHECK (tyre_age_at_lap BETWEEN -1 AND 500),
    track_status text,
    air_temperature double precision CHECK (air_temperature BETWEEN -40 AND 70),
    track_temperature double precision CHECK (track_temperature BETWEEN -40 AND 90),
    humidity double precision CHECK (humidity BETWEEN 0 AND 100),
    pressure double precision CHECK (pressure BETWEEN 600 AND 1100),
    wind_speed double precision CHECK (wind_speed BETWEEN 0 AND 100),
    wind_direction smallint CHECK (wind_direction BETWEEN 0 AND 360),
    rainfall boolean,
    PRIMARY KEY (session_key, driver_number, lap_number),
    -- year and circuit_key repeat the session's for the indexes below; this keeps them equal.
    FOREIGN KEY (session_key, year, circuit_key) REFERENCES sessions (session_key, year, circuit_key),
    FOREIGN KEY (year, driver_number) REFERENCES drivers
);
COMMENT ON TABLE laps IS 'One row per session, driver and lap: what OpenF1 says about the lap. Null is unknown.';
COMMENT ON COLUMN laps.name_acronym IS 'Who drove this number in this session';
COMMENT ON COLUMN laps.team_name IS 'Team as of this session';
COMMENT ON COLUMN laps.lap_number IS 'From 1';
COMMENT ON COLUMN laps.date_start IS 'Start of the lap, UTC';
COMMENT ON COLUMN laps.lap_duration IS 'Seconds; laps under red flag hold the interruption';
COMMENT ON COLUMN laps.duration_sector_1 IS 'Seconds';
COMMENT ON COLUMN laps.duration_sector_2 IS 'Seconds';
COMMENT ON COLUMN laps.duration_sector_3 IS 'Seconds';
COMMENT ON COLUMN laps.i1_speed IS 'km/h at the first intermediate';
COMMENT ON COLUMN laps.i2_speed IS 'km/h at the second intermediate';
COMMENT ON COLUMN laps.st_speed IS 'km/h at the speed trap';
COMMENT ON COLUMN laps.tyre_age_at_start IS 'Laps the set had when its stint began';
COMMENT ON COLUMN laps.tyre_age_at_lap IS 'Laps the set had when this lap began';
COMMENT ON COLUMN laps.track_status IS
    'Codes in force during the lap, in order: 1 clear, 2 yellow, 4 safety car, 5 red flag, 6 VSC, 7 VSC ending';
COMMENT ON COLUMN laps.air_temperature IS '°C';
COMMENT ON COLUMN laps.track_temperature IS '°C';
COMMENT ON COLUMN laps.humidity IS 'Relative, %';
COMMENT ON COLUMN laps.pressure IS 'hPa, station pressure at the track (not reduced to sea level)';
COMMENT ON COLUMN laps.wind_speed IS 'm/s';
COMMENT ON COLUMN laps.wind_direction IS 'Degrees the wind comes from';
COMMENT ON COLUMN laps.rainfall IS 'Whether the trackside station reports rain';

-- Laps are paged in the order of the primary key. Each filter that is not its first column has
-- an index in that same order, which also answers the filter's count.
CREATE INDEX laps_of_year ON laps (year, session_key, driver_number, lap_number);
CREATE INDEX laps_of_circuit ON laps (circuit_key, session_key, driver_number, lap_number);
CREATE INDEX laps_of_driver ON laps (driver_number, session_key, lap_number);
-- A circuit's laps, fastest first, and its average; year is for the average of one season.
CREATE INDEX laps_of_circuit_fastest
    ON laps (circuit_key, lap_duration, session_key, driver_number, lap_number) INCLUDE (year);

CREATE TABLE loads (
    load_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL CHECK (source IN ('openf1', 'csv', 'simulator')),
    fingerprint text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    rows_good integer NOT NULL CHECK (rows_good >= 0),
    rows_bad integer NOT NULL CHECK (rows_bad >= 0),
    loaded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE loads IS 'One row per finished load.';
COMMENT ON COLUMN loads.fingerprint IS 'SHA-256 of the input, hexadecimal';
COMMENT ON COLUMN loads.rows_bad IS 'Rows of the input that were kept out';
