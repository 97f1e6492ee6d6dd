"""Resolves the `timeout` parameter to the time limits of one call. All defaults are in this module."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from numbers import Real
from typing import TYPE_CHECKING, TypeAlias, cast

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx2

    Timeout: TypeAlias = (
        float | timedelta | tuple[float | None, ...] | list[float | None] | "Timeouts" | httpx2.Timeout | None
    )


class Timeouts(TypedDict, total=False):
    """Time limits of one call in seconds. `None` means no limit. A missing key means the default.

    Examples:
        ```python
        ChatGeminiCompat(model="gemini-3.8-flash", timeout={"first_byte": 60, "total": 300})
        ```

    Attributes:
        connect: Limit for opening the connection. Default 30.
        first_byte: Limit for the time from sending the request to the first chunk, or to the whole reply. Default 600.
        between_chunks: Limit for the silence between two chunks of a stream. Keep-alive comments do not count as
            chunks. Default 120.
        total: Limit for the call, including all its retries. Default `None`.
        retry_wait: Limit for the sum of all waits between tries. Default 120.
    """

    connect: float | None
    first_byte: float | None
    between_chunks: float | None
    total: float | None
    retry_wait: float


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """All time limits of one call, in seconds. `write` and `pool` are limits of the HTTP library."""

    connect: float | None = 30.0
    first_byte: float | None = 600.0
    between_chunks: float | None = 120.0
    total: float | None = None
    retry_wait: float = 120.0
    write: float | None = 600.0
    pool: float | None = 600.0


_DEFAULT = TimeLimits()
#: The limits of httpx's `Timeout`, in the order of its tuple.
_PARTS = ("connect", "read", "write", "pool")
_MISSING = object()
_FORMS = (
    "Pass seconds, a `timedelta`, `(connect, read)`, a dict of separate limits, or the `Timeout` of httpx, "
    "httpx2 or openai."
)


def resolve_timeouts(timeout: Timeout) -> TimeLimits:
    """Return the time limits that `timeout` means.

    Args:
        timeout: A number of seconds or a `timedelta` sets `first_byte` and `between_chunks`. A value below the default
            of `connect` also sets `connect`. A tuple is `(connect, read)` as in requests, or
            `(connect, read, write, pool)` as in httpx. A dict has the keys of `Timeouts`. `None` means the defaults.

    Raises:
        ValueError: A key is unknown, or a value is not a number of seconds.
    """
    given: object = timeout
    if given is None:
        return _DEFAULT
    if isinstance(given, Mapping):
        return _read_mapping(cast("Mapping[str, object]", given))
    if isinstance(given, (tuple, list)):
        return _read_parts(dict(zip(_PARTS, _check_count(cast("Sequence[object]", given)), strict=False)))
    if isinstance(given, (Real, timedelta, str)):
        seconds = _check("timeout", given)
        return TimeLimits(min(seconds, _DEFAULT.connect or seconds), seconds, seconds, write=seconds, pool=seconds)
    parts = {name: getattr(given, name, _MISSING) for name in _PARTS}
    if _MISSING in parts.values():
        raise ValueError(f"`timeout` is a {type(given).__name__}. {_FORMS}")
    return _read_parts(parts)


def _check_count(given: Sequence[object]) -> Sequence[object]:
    if len(given) not in (2, len(_PARTS)):
        raise ValueError(f"`timeout` is a {type(given).__name__} with {len(given)} entries. {_FORMS}")
    return given


def _read_parts(given: Mapping[str, object]) -> TimeLimits:
    """Convert the timeouts of an HTTP library to time limits. If `write` or `pool` is missing, `read` is used."""
    parts = {name: None if value is None else _check(name, value) for name, value in given.items()}
    read = parts["read"]
    return TimeLimits(parts["connect"], read, read, write=parts.get("write", read), pool=parts.get("pool", read))


def _read_mapping(given: Mapping[str, object]) -> TimeLimits:
    known = Timeouts.__annotations__
    unknown = sorted(map(str, given.keys() - known.keys()))
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise ValueError(f"`timeout` contains unknown keys: {names}. Valid keys are {', '.join(known)}.")
    retry_wait = _check("retry_wait", given.get("retry_wait", _DEFAULT.retry_wait))
    limits = {
        name: None if value is None else _check(name, value) for name, value in given.items() if name != "retry_wait"
    }
    return replace(_DEFAULT, retry_wait=retry_wait, **limits)


def _check(name: str, value: object) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    try:
        seconds = math.nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)
    except OverflowError:
        raise ValueError(f"`{name}` is too large for a number of seconds. Pass `None` for no limit.") from None
    if not seconds >= 0:
        raise ValueError(f"`{name}` is {value!r}. Set it to a number of seconds, 0 or more.")
    return seconds
