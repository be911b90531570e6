"""Numbers that carry their unit: durations, shares, rates and sizes, read and written.

Each reader takes a value as it stands in a scenario file, or what an expression came to, and returns a number
in base units: whole nanoseconds, 0..1, per second, bytes. It raises ValueError with a sentence that says what
was found, what was expected and how to mend it. Each writer gives the shortest text that reads back the same.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from agent_sim.instants import DAY, HOUR, MILLISECOND, MINUTE, SECOND, Span

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Quantity:
    """What an expression comes to, exactly: a plain number, or a duration in nanoseconds."""

    amount: Fraction
    is_duration: bool = False

    def __str__(self) -> str:
        return duration_text(whole_milliseconds(self.amount)) if self.is_duration else decimal_text(self.amount)


Value = Quantity | str
"""A parameter's value, or what an expression comes to."""

Written = Scalar | Quantity
"""What can stand where a scenario wants a value."""

# ASCII digits only; `\d` would take other scripts' as well.
_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"
_BARE: Final = re.compile(rf"-?{_NUMBER}")
_PARTS: Final = (("d", ""), ("h", ""), ("m", "(?!s)"), ("s", ""), ("ms", ""))
_DURATION: Final = re.compile("".join(rf"(?:(?P<{unit}>{_NUMBER}){unit}{guard})?" for unit, guard in _PARTS))
_SPANS: Final[Mapping[str, Span]] = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND, "ms": MILLISECOND}
_SHARE: Final = re.compile(rf"({_NUMBER})%")
_RATE: Final = re.compile(rf"({_NUMBER})(%?)/(s|min|h)")
_PER: Final[Mapping[str, int]] = {"s": 1, "min": 60, "h": 3600}
_SIZE: Final = re.compile(rf"({_NUMBER})(B|KB|MB|GB|KiB|MiB)")
_BYTES: Final[Mapping[str, int]] = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20}
_LONGEST: Final = 3650 * DAY
_LARGEST: Final = 10**9
_MOST_SHOWN: Final = 60
_MOST_DIGITS: Final = 1_000
"""Of one number: more than the smallest share has, fewer than Python minds."""

# The same for JSON Schema, in the regular expressions that it shares with JavaScript.
DURATION_PATTERN: Final = "^(?=.)" + "".join(rf"({_NUMBER}{unit}{guard})?" for unit, guard in _PARTS) + "$"
SHARE_PATTERN: Final = rf"^{_NUMBER}%$"
RATE_PATTERN: Final = rf"^{_NUMBER}/(s|min|h)$"
SHARE_RATE_PATTERN: Final = rf"^{_NUMBER}%/(s|min|h)$"
SIZE_PATTERN: Final = rf"^{_NUMBER}(B|KB|MB|GB|KiB|MiB)$"


def found(value: object) -> str:
    """The value as an error should show it."""
    match value:
        case None:
            return "found nothing"
        case bool():
            return f"found {str(value).lower()}"
        case str():
            return f'found "{shortened(value)}"'
        case Quantity(amount, is_duration) if not is_duration:
            return f"found {decimal_text(Fraction(f'{float(amount):.6g}'))}"
        case dict():
            return "found a map"
        case list() | tuple():
            return "found a list"
        case _:
            return f"found {shortened(str(value))}"


def shortened(text: str) -> str:
    """The text as an error should show it: enough to find it again, and nothing that a screen would obey."""
    glance = text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in glance)


# --- durations --------------------------------------------------------------------------------


def duration(value: object) -> Span:
    """`500ms`, `5s`, `1m30s`, `2h`, `1d`: whole milliseconds, at most 3650 days."""
    if isinstance(value, Quantity) and value.is_duration:
        span = whole_milliseconds(value.amount)
        if span < 0:
            raise ValueError(f"found {decimal_text(value.amount / SECOND)} seconds, expected a duration of 0s or more")
        return _in_reach(span, value)
    if (number := bare_number(value)) is not None:
        raise ValueError(f"{found(value)}, expected a duration with its unit: write {_mended(number)}s")
    parts = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if parts is None:
        raise ValueError(f"{found(value)}, expected a duration such as 500ms, 30s, 1m30s, 2h or 1d")
    exact = sum((exactly(text) * _SPANS[unit] for unit, text in parts.groupdict().items() if text), Fraction())
    if exact % MILLISECOND:
        raise ValueError(f"{found(value)}, expected a duration of whole milliseconds")
    return _in_reach(int(exact), value)


def duration_text(span: Span) -> str:
    """`1m30s`, `1.5s`, `500ms`; the span is in whole milliseconds and not negative."""
    text = ""
    for unit in ("d", "h", "m"):
        count, span = divmod(span, _SPANS[unit])
        text += f"{count}{unit}" if count else ""
    if 0 < span < SECOND:
        return f"{text}{span // MILLISECOND}ms"
    return f"{text}{decimal_text(Fraction(span, SECOND))}s" if span or not text else text


def whole_milliseconds(amount: Fraction) -> Span:
    """The nearest whole millisecond: finer would differ between platforms."""
    return round(amount / MILLISECOND) * MILLISECOND


def _in_reach(span: Span, value: object) -> Span:
    if span > _LONGEST:
        raise ValueError(f"{found(value)}, expected at most {duration_text(_LONGEST)}")
    return span


# --- shares -----------------------------------------------------------------------------------


def share(value: object) -> float:
    """`12%`, `0.5%`: 0..1."""
    if isinstance(value, Quantity) and not value.is_duration:
        part = value.amount
    elif (number := bare_number(value)) is not None:
        percent = number * 100 if 0 < number < 1 else number
        raise ValueError(f"{found(value)}, expected a share with its unit: write {_mended(percent)}%")
    elif isinstance(value, str) and (text := _SHARE.fullmatch(value)):
        part = exactly(text[1]) / 100
    else:
        raise ValueError(f"{found(value)}, expected a share such as 12% or 0.5%")
    if not 0 <= part <= 1:
        raise ValueError(f"found {decimal_text(part * 100)}%, expected 0% to 100%")
    return float(part)


def share_text(part: float) -> str:
    """`12.5%`."""
    return f"{decimal_text(Fraction(repr(part)) * 100)}%"


# --- rates ------------------------------------------------------------------------------------


def rate(value: object) -> float:
    """`20/s`, `5/min`, `100/h`: per second."""
    return _rate(value, "", "a rate such as 20/s or 5/min")


def share_rate(value: object) -> float:
    """`0.5%/min`: the share of a whole per second."""
    return _rate(value, "%", "a share per time such as 0.5%/min")


def rate_text(per_second: float) -> str:
    """`20/s`, or per minute or hour where that is shorter."""
    return _shortest(per_second, "", rate)


def share_rate_text(per_second: float) -> str:
    """`0.5%/min`, or per second or hour where that is shorter."""
    return _shortest(per_second, "%", share_rate)


def _shortest(per_second: float, percent: str, read: Callable[[object], float]) -> str:
    factor = 100 if percent else 1
    texts = [
        f"{decimal_text(Fraction(repr(per_second * seconds * factor)))}{percent}/{unit}"
        for unit, seconds in _PER.items()
    ]
    same = [text for text in texts if read(text) == per_second]
    return min(same or texts, key=len)


def _rate(value: object, percent: str, expected: str) -> float:
    if (number := bare_number(value)) is not None:
        raise ValueError(f"{found(value)}, expected {expected}: write {_mended(number)}{percent}/s")
    text = _RATE.fullmatch(value) if isinstance(value, str) else None
    if text is None or text[2] != percent:
        raise ValueError(f"{found(value)}, expected {expected}")
    per_second = exactly(text[1]) / _PER[text[3]]
    if per_second > _LARGEST:
        raise ValueError(f"{found(value)}, expected at most {_LARGEST}{percent}/s")
    return float(per_second / 100 if percent else per_second)


# --- sizes ------------------------------------------------------------------------------------


def size(value: object) -> int:
    """`400B`, `200KB`, `2MB` (1 KB is 1000 bytes, 1 KiB is 1024): whole bytes."""
    if (number := bare_number(value)) is not None:
        raise ValueError(f"{found(value)}, expected a size with its unit: write {_mended(number)}B")
    text = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if text is None:
        raise ValueError(f"{found(value)}, expected a size such as 400B, 200KB or 2MB")
    amount = exactly(text[1]) * _BYTES[text[2]]
    if amount % 1 or amount > _LARGEST:
        raise ValueError(f"{found(value)}, expected a size of whole bytes, at most {size_text(_LARGEST)}")
    return int(amount)


def size_text(count: int) -> str:
    """`200KB`; bytes where no larger unit fits evenly."""
    for unit in ("GB", "MB", "KB"):
        if count and count % _BYTES[unit] == 0:
            return f"{count // _BYTES[unit]}{unit}"
    return f"{count}B"


# --- plain numbers ----------------------------------------------------------------------------


def bare_number(value: object) -> Fraction | None:
    """The number, if the value is one without a unit: `30`, `"30"`, or what a plain expression came to."""
    match value:
        case bool():
            return None
        case int():
            return Fraction(value)
        case float():
            return Fraction(repr(value)) if abs(value) < float("inf") else None
        case Quantity(amount, is_duration) if not is_duration:
            return amount
        case str() if _BARE.fullmatch(value):
            return exactly(value)
    return None


def exactly(digits: str) -> Fraction:
    """The number that is written in decimals."""
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"{found(digits)}, expected a number of at most {_MOST_DIGITS:,} digits")
    return Fraction(digits)


def decimal_text(amount: Fraction) -> str:
    """The number in decimals, without an exponent: 28 significant digits, more than any value here carries."""
    exact = Decimal(amount.numerator) / Decimal(amount.denominator)
    text = f"{exact:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _mended(number: Fraction) -> str:
    return decimal_text(abs(number))
