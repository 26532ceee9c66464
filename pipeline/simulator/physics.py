"""The constants of the simulated sport. Shares are of the circuit's dry lap time.

Where no formula is named, a constant is an average over the recorded races of 2023-2025.
"""

# A car starts with at most 110 kg of fuel and burns it evenly; 10 kg cost about 0.34 %.
FUEL_AT_START_KG = 108.0
FUEL_SHARE_PER_KG = 0.000_34

# Tyres: the offset of a fresh set against MEDIUM, and the share lost by each lap of age.
COMPOUND_OFFSET = {
    "SOFT": -0.0035,
    "MEDIUM": 0.0,
    "HARD": 0.0015,
    "INTERMEDIATE": 0.060,
    "WET": 0.120,
}
COMPOUND_WEAR = {
    "SOFT": 0.000_75,
    "MEDIUM": 0.000_50,
    "HARD": 0.000_40,
    "INTERMEDIATE": 0.000_60,
    "WET": 0.000_60,
}
# The circuit's dry lap is a median, driven on tyres that had lost this much already.
USUAL_TYRE_LOSS = 0.0075
# Share lost on a fully wet track (wetness 1).
COMPOUND_WET_LOSS = {
    "SOFT": 0.30,
    "MEDIUM": 0.32,
    "HARD": 0.34,
    "INTERMEDIATE": 0.075,
    "WET": 0.02,
}
COMPOUNDS = tuple(COMPOUND_OFFSET)
# The first flying lap on a set: carcass and brakes are not at temperature yet.
WARM_UP_SHARE = 0.002
# Each degree above the circuit's usual track temperature overheats the tyre a little.
TRACK_HEAT_SHARE_PER_DEGREE = 0.000_2

# The standing start: reaching racing speed, and the queue through the first corners.
STANDING_START_SECONDS = 6.0
SECONDS_PER_GRID_PLACE = 0.35
FIELD_BUNCHED_SHARE = 0.0065  # lap 2, nose to tail
PIT_LANE_START_SECONDS = 15.0

# Lap-to-lap noise: driving (symmetric) and traffic (right-skewed), both autocorrelated.
NOISE_CORRELATION = 0.62
DRIVING_SHARE = 0.0055
TRAFFIC_SHARE = 0.0060
TRAFFIC_SHAPE = 0.25  # of the gamma innovations; small means few, large losses

# Neutralisations: lap time against the dry lap, and the gap in the queue.
SAFETY_CAR_FACTOR = 1.55
SAFETY_CAR_CATCH_UP_FACTOR = 1.15  # the fastest that the delta time allows
VIRTUAL_SAFETY_CAR_FACTOR = 1.38
QUEUE_GAP_SECONDS = 0.9
RED_FLAG_SECONDS = (1000.0, 2600.0)

# The relative speed that a lap slower by one share loses at the three measuring points.
SPEED_LOSS = {"i1_speed": 0.83, "i2_speed": 0.50, "st_speed": 0.25}
# More than half the slowing under a neutralisation shows at the measuring points, with much spread.
NEUTRAL_SPEED_LOSS = 0.62

# Isothermal barometric formula, p = p0 exp(-g M h / (R T)), with T = 290 K.
SEA_LEVEL_HPA = 1015.0
SCALE_HEIGHT_M = 8_489.0
