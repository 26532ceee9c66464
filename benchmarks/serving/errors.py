"""What ends a benchmark."""


class BenchmarkError(Exception):
    """It can't be run, or what it would measure is wrong. The message is for the terminal."""
