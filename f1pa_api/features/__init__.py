"""From laps to the models' inputs, and from their outputs to seconds. Pure Python on purpose:
serving pays microseconds for a row, and training calls the very same functions for every lap,
so the two cannot drift apart.

`laps` says what is known of a lap, `history` sums up the laps before it, `field` what the
others drive, `encoders` what training learned, `rows` puts them together, `intervals` turns
quantiles into an interval.
"""
