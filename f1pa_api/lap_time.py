"""How the sport writes a lap time."""


def format_lap(seconds: float) -> str:
    """92.456 s is "1:32.456"."""
    milliseconds = round(seconds * 1000)
    return f"{milliseconds // 60_000}:{milliseconds % 60_000 / 1000:06.3f}"
