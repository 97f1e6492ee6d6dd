"""Remembers which optional parts of a request a server refused, until the process ends.

A refusal is kept for a surface, a base URL, a model and an API path, so that later requests leave the part out. The
memory is bounded. It contains names of parameters, allowed values and the server's sentence about them. It contains no
prompt, no answer and no credential.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from langchain_gemini_compat._catalog.surfaces import TIER_HEADER
from langchain_gemini_compat._transport.process_lock import singleton_lock

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import TypeAlias

    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat._wire.notes import Note

    _Place: TypeAlias = tuple[str, str, str, str]
    _Refusals: TypeAlias = dict[_Place, tuple["KnownRefusal", ...]]

#: The paths of the chat API and the embeddings API. A refusal is remembered for one path, because the other API may
#: accept the parameter.
CHAT_PATH, EMBEDDINGS_PATH = "/chat/completions", "/embeddings"
#: HTTP statuses with which a server refuses the content of a request.
REFUSING_STATUSES = (400, 422)
#: Maximum number of places with refusals, and maximum number of refusals for each place. A place consists of a surface,
#: a base URL, a model and an API path.
_MOST_PLACES, _MOST_REFUSALS = 256, 32


class KnownRefusal(Protocol):
    """A refusal that can be applied to later requests."""

    def apply(self, payload: JsonObject) -> tuple[JsonObject, Note] | None:
        """Remove the refused part. Return the new payload and a note; `None` if `payload` does not have the part."""
        ...


class _Memory:
    def __init__(self) -> None:
        #: Refusals that are applied to later requests. Each change replaces the whole mapping, so reading the mapping
        #: needs no lock.
        self.known: _Refusals = {}
        #: Refusals about which the user was already warned.
        self.announced: _Refusals = {}


_memory = _Memory()
_is_ignored: ContextVar[bool] = ContextVar("ignore_refusals", default=False)


def recall_refusals(endpoint: Endpoint, path: str) -> tuple[KnownRefusal, ...]:
    """Return the known refusals for the server and model of `endpoint`. `path` is the API's path below the base URL."""
    known = _memory.known
    return known.get(_place_of(endpoint, path), ()) if known else ()


def remember_refusal(endpoint: Endpoint, path: str, refusal: KnownRefusal) -> bool:
    """Remember `refusal` for later requests. Return whether the refusal was new."""
    place = _place_of(endpoint, path)
    with singleton_lock():
        before = _memory.known.get(place, ())
        _memory.known = _add(_memory.known, place, refusal)
    return refusal not in before


def mark_announced(endpoint: Endpoint, path: str, refusal: KnownRefusal) -> bool:
    """Record that the user is warned about `refusal`. Return whether this is the first such warning."""
    place = _place_of(endpoint, path)
    with singleton_lock():
        before = _memory.announced.get(place, ())
        _memory.announced = _add(_memory.announced, place, refusal)
    return refusal not in before


def forget_refusals(host: str | None = None) -> None:
    """Forget the refusals of `host`, or of all hosts."""
    with singleton_lock():
        _memory.known = _without_host(_memory.known, host)
        _memory.announced = _without_host(_memory.announced, host)


def join_tier(payload: JsonObject, headers: Mapping[str, str]) -> JsonObject:
    """Return `payload`, with the key `service_tier` added if a header contains the service tier.

    A refused tier can then be found and removed like any other key of the payload.
    """
    return {**payload, "service_tier": headers[TIER_HEADER]} if TIER_HEADER in headers else payload


def split_tier(
    changed: JsonObject, payload: JsonObject, headers: Mapping[str, str]
) -> tuple[JsonObject, Mapping[str, str]]:
    """Reverse `join_tier`: return the body and the headers to send.

    `changed` is a payload from `join_tier`, after refused parts were removed. If the service tier was one of them, its
    header is removed from the headers.
    """
    if TIER_HEADER not in headers:
        return changed, headers
    own: JsonObject = {"service_tier": payload["service_tier"]} if "service_tier" in payload else {}
    body = {**{key: value for key, value in changed.items() if key != "service_tier"}, **own}
    is_kept = "service_tier" in changed
    return body, headers if is_kept else {name: value for name, value in headers.items() if name != TIER_HEADER}


def apply_refusals(payload: JsonObject, endpoint: Endpoint, path: str) -> tuple[JsonObject, list[Note]]:
    """Return `payload` without the parts that the server is known to refuse, and a note for each of these parts."""
    notes: list[Note] = []
    for refusal in recall_refusals(endpoint, path):
        if _is_ignored.get():
            break
        changed = refusal.apply(payload)
        if changed is not None:
            payload, note = changed
            notes.append(note)
    return payload, notes


@contextmanager
def ignore_refusals() -> Generator[None]:
    """Ignore earlier refusals inside a `with` block, so that equal calls always give equal requests."""
    token = _is_ignored.set(True)
    try:
        yield
    finally:
        _is_ignored.reset(token)


def _place_of(endpoint: Endpoint, path: str) -> _Place:
    # The address includes the URL's path, because two paths of a host can lead to two servers. It does not include the
    # user and the query, which may contain a password or a key.
    url = urlsplit(endpoint.base_url)
    address = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path.rstrip('/')}"
    return endpoint.surface, address, endpoint.model, path


def _add(refusals: _Refusals, place: _Place, refusal: KnownRefusal) -> _Refusals:
    """Return a copy of `refusals` with `refusal` added for `place`.

    `place` is a tuple of surface, base URL, model and API path, and comes last in the copy. If the copy has more than
    `_MOST_PLACES` places, the first ones are dropped.
    """
    found = refusals.get(place, ())
    added = found if refusal in found else (*found, refusal)[-_MOST_REFUSALS:]
    moved = {**{other: held for other, held in refusals.items() if other != place}, place: added}
    return {other: moved[other] for other in [*moved][-_MOST_PLACES:]}


def _without_host(refusals: _Refusals, host: str | None) -> _Refusals:
    kept = {} if host is None else refusals
    return {place: found for place, found in kept.items() if urlsplit(place[1]).netloc != host}
