"""Facts of the sport that no lap feed carries: circuits, drivers, cars and the calendar.

Keys, names, numbers, colours and start times are those of the OpenF1 API (its `sessions`
and `drivers` end points); altitudes are those of the Ergast data set; race laps and lap
lengths are the officially published ones. The typical figures of a circuit (lap time,
sector shares, speeds, pit losses, stops, climate) and of a car (pace) are medians over the
dry green laps of the 2023-2025 races, rounded; the chance of rain is a judgement from those
races and the climate.

circuits.csv, one row for each circuit:
  circuit_key, circuit_short_name, location, country_code, country_name
  altitude_m                        above sea level
  race_laps, lap_length_m           the scheduled distance
  lap_seconds                       a dry race lap
  sector_1_share, sector_2_share    of the lap time; sector 3 has the rest
  i1_speed_kmh, i2_speed_kmh, st_speed_kmh
  i1_spread_percent, i2_spread_percent, st_spread_percent
                                    of a driver's speeds within a race (interquartile
                                    range / 1.35)
  trap_sends_changes                the speed trap sends a value only when it differs from
                                    the last one, so that a null means "unchanged"
  pit_in_seconds, pit_out_seconds   lost on the lap into the pits and on the lap out of them
  dry_stops                         mean stops of a driver in a dry race
  air_temperature_c, track_temperature_c, humidity_percent, wind_speed_ms
  rain_chance                       that a race sees rain

drivers.csv, one row for each year and number; a number changes its owner (1 was Max
Verstappen's in 2023-2025 and is Lando Norris's in 2026): year, driver_number, name_acronym,
full_name, team_name (the last of that year), team_colour (RRGGBB), country_code, races
(entered that year; null for a season that was still running).

teams.csv: year, team_name, car_pace_percent (of the lap time, against the field's middle;
negative is faster).

calendar.csv: year, round, circuit_key, meeting_name, race_start (UTC).
"""

from importlib import resources

import pandas as pd


def circuits() -> pd.DataFrame:
    """Every circuit, in the order of circuit_key; columns as above."""
    return _read("circuits.csv").astype({"trap_sends_changes": "boolean", "altitude_m": "Int64"})


def drivers() -> pd.DataFrame:
    """Every driver of every season, in the order of year and driver_number."""
    return _read("drivers.csv").astype({"races": "Int64"})


def teams() -> pd.DataFrame:
    """The pace of every car of the seasons that calendar() holds."""
    return _read("teams.csv")


def calendar() -> pd.DataFrame:
    """Every race of 2023-2025, in the order in which they were held; race_start is UTC."""
    races = _read("calendar.csv")
    races["race_start"] = pd.to_datetime(races["race_start"], utc=True, format="ISO8601")
    return races


TEXT = (
    "circuit_short_name",
    "location",
    "country_code",
    "country_name",
    "name_acronym",
    "full_name",
    "team_name",
    "team_colour",
    "meeting_name",
)
WHOLE = ("circuit_key", "race_laps", "lap_length_m", "year", "round", "driver_number")


def _read(name: str) -> pd.DataFrame:
    # Colours such as 005500 are text, and no country is the word "NA".
    types = dict.fromkeys(TEXT, "string") | dict.fromkeys(WHOLE, "Int64")
    with resources.files(__name__).joinpath(name).open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=types, keep_default_na=False, na_values=[""])
