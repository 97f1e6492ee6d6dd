"""The `timeout` a user gives, to the limits of one call; the only place that knows the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from typing_extensions import TypedDict

if TYPE_CHECKING:
    import httpx2


class Timeouts(TypedDict, total=False):
    """Limits of one call, in seconds; `None` means no limit, a key left out its default.

    `connect` (30) holds for the connection, `first_byte` (600) from the request to the first chunk or the whole
    reply, `between_chunks` (120) for the silence between chunks of a stream, whatever keep-alive comments come.
    `total` (none) holds for the call with all its tries, and `retry_wait` (120) for all waits between them.
    """

    connect: float | None
    first_byte: float | None
    between_chunks: float | None
    total: float | None
    retry_wait: float


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """`Timeouts` with every key filled in; `write` and `pool` are the HTTP library's own."""

    connect: float | None = 30.0
    first_byte: float | None = 600.0
    between_chunks: float | None = 120.0
    total: float | None = None
    retry_wait: float = 120.0
    write: float | None = 600.0
    pool: float | None = 600.0


_DEFAULT = TimeLimits()


def resolve_timeouts(timeout: float | Timeouts | httpx2.Timeout | None) -> TimeLimits:
    """The limits that `timeout` means.

    A number holds for the first byte and for each silence, and for the connection where it is below the default.
    Raises `ValueError` for an unknown key or a value that is no number of seconds.
    """
    given = timeout
    if given is None:
        return _DEFAULT
    if isinstance(given, Mapping):
        return _read_mapping(cast("Mapping[str, object]", given))
    if isinstance(given, (int, float, str)):
        seconds = _check("timeout", given)
        return TimeLimits(min(seconds, _DEFAULT.connect or seconds), seconds, seconds, write=seconds, pool=seconds)
    return TimeLimits(given.connect, given.read, given.read, write=given.write, pool=given.pool)


def _read_mapping(given: Mapping[str, object]) -> TimeLimits:
    known = Timeouts.__annotations__
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        raise ValueError(f"`timeout` has no limit {', '.join(map(repr, unknown))}. It takes {', '.join(known)}.")
    retry_wait = _check("retry_wait", given.get("retry_wait", _DEFAULT.retry_wait))
    limits = {
        name: None if value is None else _check(name, value) for name, value in given.items() if name != "retry_wait"
    }
    return replace(_DEFAULT, retry_wait=retry_wait, **limits)


def _check(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ValueError(f"{name!r} is {value!r}, and is to be a number of seconds.")
    return float(value)
