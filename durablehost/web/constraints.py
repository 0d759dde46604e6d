"""The inline constraints of ASP.NET route templates: `{n:int}`, `{name:length(3,20)}`."""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

Constraint = Callable[[str], bool]

_INTEGER = re.compile(r"\s*[-+]?[0-9]+\s*")
_DECIMALS = r"(?:[0-9][0-9,]*\.?[0-9]*|\.[0-9]+)"
_DECIMAL = re.compile(rf"\s*(?:[-+]?{_DECIMALS}|{_DECIMALS}[-+])\s*")
_FLOAT = re.compile(
    rf"\s*(?:[-+]?{_DECIMALS}(?:e[-+]?[0-9]+)?|[-+]?infinity|[-+]?∞|[-+]?nan)\s*", re.IGNORECASE
)
_HEX = "[0-9a-fA-F]"
_DASHED = rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_GUID = re.compile(rf"\s*(?:{_HEX}{{32}}|{_DASHED}|\{{{_DASHED}\}}|\({_DASHED}\))\s*")
_LARGEST_DECIMAL = 79228162514264337593543950335

_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%m-%d-%Y", "%d %B %Y", "%d %b %Y", "%B %d, %Y")
_TIMES = ("", "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
_DATE_TIMES = tuple(
    date + separator + time + zone
    for date in _DATES
    for time in _TIMES
    for separator in (("T", " ") if time else ("",))
    for zone in (("", "%z") if time else ("",))
)


def constraint(text: str) -> Constraint:
    """The test for a constraint. Raises ValueError for an unknown constraint."""
    name, _, rest = text.partition("(")
    arguments = rest[:-1] if rest.endswith(")") else None
    if arguments is None and rest:
        raise ValueError(f"the constraint {text!r} is not closed")
    name = name.lower()
    if arguments is None and name in _PLAIN:
        return _PLAIN[name]
    if arguments is not None and name == "regex":
        return _regex(arguments)
    if arguments is not None and name in _WITH_NUMBERS:
        makers = _WITH_NUMBERS[name]
        numbers = [_whole(number, 32) for number in arguments.split(",")]
        if None in numbers:
            raise ValueError(f"the constraint {text!r} takes whole numbers")
        if len(numbers) in makers:
            return makers[len(numbers)](*numbers)
    known = ", ".join(sorted({*_PLAIN, *_WITH_NUMBERS, "regex"}))
    raise ValueError(f"there is no constraint {text!r}; there are {known}")


def _regex(pattern: str) -> Constraint:
    try:
        compiled = re.compile(
            pattern.replace("(?<", "(?P<").replace("(?P<=", "(?<="), re.IGNORECASE
        )
    except re.error as error:
        raise ValueError(f"the regular expression {pattern!r} is none: {error}") from error
    return lambda value: compiled.search(value) is not None


def _whole(value: str, bits: int = 64) -> int | None:
    """The number that .NET reads from a text, or None."""
    if not _INTEGER.fullmatch(value) or len(value) > 300:
        return None
    number = int(value)
    return number if -(2 ** (bits - 1)) <= number < 2 ** (bits - 1) else None


def _is_decimal(value: str) -> bool:
    if not _DECIMAL.fullmatch(value):
        return False
    return Decimal(value.strip().rstrip("+-").replace(",", "")).copy_abs() <= _LARGEST_DECIMAL


def _is_date_time(value: str) -> bool:
    """Whether a text is a date. .NET reads nearly any format; these are common in URLs."""
    text = re.sub(r"(\.\d{6})\d+", r"\1", value.strip())
    if len(text) > 40:
        return False
    return any(_reads_as(text, form) for form in _DATE_TIMES)


def _reads_as(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _length(value: str) -> int:
    """The length in units of UTF-16, as .NET counts it."""
    return len(value.encode("utf-16-le", "surrogatepass")) // 2


def _at_least(least: int) -> Constraint:
    return lambda value: (number := _whole(value)) is not None and number >= least


def _at_most(most: int) -> Constraint:
    return lambda value: (number := _whole(value)) is not None and number <= most


def _between(least: int, most: int) -> Constraint:
    return lambda value: (number := _whole(value)) is not None and least <= number <= most


def _length_between(least: int, most: int) -> Constraint:
    return lambda value: least <= _length(value) <= most


def _has_file_name(value: str) -> bool:
    *_, last = value.rsplit("/", 1)
    return re.search(r"\.[^.]", last) is not None


_PLAIN: dict[str, Constraint] = {
    "int": lambda value: _whole(value, 32) is not None,
    "long": lambda value: _whole(value) is not None,
    "bool": lambda value: value.strip().lower() in ("true", "false"),
    "datetime": _is_date_time,
    "decimal": _is_decimal,
    "double": lambda value: _FLOAT.fullmatch(value) is not None,
    "float": lambda value: _FLOAT.fullmatch(value) is not None,
    "guid": lambda value: _GUID.fullmatch(value) is not None,
    "alpha": lambda value: re.fullmatch("[A-Za-z]*", value) is not None,
    "required": lambda value: value != "",
    "file": _has_file_name,
    "nonfile": lambda value: not _has_file_name(value),
}

_WITH_NUMBERS: dict[str, dict[int, Callable[..., Constraint]]] = {
    "minlength": {1: lambda least: lambda value: _length(value) >= least},
    "maxlength": {1: lambda most: lambda value: _length(value) <= most},
    "length": {1: lambda exact: _length_between(exact, exact), 2: _length_between},
    "min": {1: _at_least},
    "max": {1: _at_most},
    "range": {2: _between},
}
