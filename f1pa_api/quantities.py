"""Values for people: three digits and a unit."""

UNKNOWN = "not known"
_SIZES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def number(value: float) -> str:
    """With three digits that count, and no exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.4f}"


def amount(value: float | None, unit: str = "") -> str:
    """With k, M or G before the unit; None is not known."""
    if value is None:
        return UNKNOWN
    for size, prefix in _SIZES:
        if abs(value) >= size:
            return f"{number(value / size)} {prefix}{unit}"
    return f"{number(value)} {unit}".strip()


def percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{number(100 * share)} %"


def seconds(value: float | None) -> str:
    """In ms, s, min, h or d."""
    if value is None:
        return UNKNOWN
    if value < 1:
        return f"{number(1000 * value)} ms"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value / size:.0f} {unit}"
    return f"{number(value)} s"
