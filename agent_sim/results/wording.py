"""How figures are put into words, the same in verdicts, tables and reports. Three significant digits, thin units."""

import unicodedata


def digits(value: float) -> str:
    """Three significant digits, never an exponent; whole numbers from 100 on, with separators."""
    size = abs(value)
    if value == 0:
        return "0"
    places = 0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 0.9995 else 3
    return f"{value:,.{places}f}"


def latency(microseconds: float) -> str:
    """A length of time: 870 µs, 12.3 ms, 1.25 s."""
    if microseconds < 999.5:
        return f"{microseconds:.0f} µs"
    if microseconds < 999_500:
        return f"{digits(microseconds / 1e3)} ms"
    return f"{digits(microseconds / 1e6)} s"


def duration(seconds: float) -> str:
    """A length of time as people say it: 850 ms, 61.2 s, 12 min 5 s, 3 h 20 min."""
    whole = round(seconds)
    if whole < 100:
        return latency(seconds * 1e6)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def rate(per_second: float) -> str:
    return f"{digits(per_second)}/s"


def share(value: float) -> str:
    return f"{digits(value * 100)} %"


def counted(count: int, noun: str) -> str:
    """1 job, 2,000 jobs."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def visible(text: str) -> str:
    """The same text on one line, with characters that could steer a terminal made visible."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(each)[0] == "C" else each for each in text)
