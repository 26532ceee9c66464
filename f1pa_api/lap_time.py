"""How the sport writes a lap time."""


def format_lap(seconds: float) -> str:
    """92.456 s is "1:32.456"."""
    whole_seconds, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole_seconds // 60}:{whole_seconds % 60:02}.{milliseconds:03}"
