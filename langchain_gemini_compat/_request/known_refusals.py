"""Remembers which optional parts of a request a server refused, until the process ends.

A refusal is kept for a surface, a host and a model, so that later requests leave that part out. The memory is bounded
and holds names, allowed values and the sentence of the server that named them: no prompt, no answer and no credential.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from langchain_gemini_compat._transport.process_lock import singleton_lock

if TYPE_CHECKING:
    from typing import TypeAlias

    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat._wire.notes import Note

    _Place: TypeAlias = tuple[str, str, str, str]

#: The paths of the two APIs. One may accept what the other refuses.
CHAT_PATH, EMBEDDINGS_PATH = "/chat/completions", "/embeddings"
#: Maximum number of servers and models, and of refusals for each.
_MOST_PLACES, _MOST_REFUSALS = 256, 32


class KnownRefusal(Protocol):
    """A refusal that can be applied to later requests."""

    def apply(self, payload: JsonObject) -> tuple[JsonObject, Note] | None:
        """Return `payload` without the refused part and a note; `None` if `payload` does not have the part."""
        ...


class _Memory:
    def __init__(self) -> None:
        #: Replaced and never changed, so that it can be read without a lock.
        self.known: dict[_Place, tuple[KnownRefusal, ...]] = {}


_memory = _Memory()


def recall_refusals(endpoint: Endpoint, path: str) -> tuple[KnownRefusal, ...]:
    """Return what the server of `endpoint` refused for this model. `path` is the path of the API below the URL."""
    known = _memory.known
    return known.get(_place_of(endpoint, path), ()) if known else ()


def remember_refusal(endpoint: Endpoint, path: str, refusal: KnownRefusal) -> bool:
    """Remember `refusal` for later requests. Return whether it was new."""
    place = _place_of(endpoint, path)
    with singleton_lock():
        known = dict(_memory.known)
        # Move the entry to the end, so that the oldest entries are forgotten first.
        found = known.pop(place, ())
        is_new = refusal not in found
        known[place] = (*found, refusal)[-_MOST_REFUSALS:] if is_new else found
        for oldest in [*known][:-_MOST_PLACES]:
            del known[oldest]
        _memory.known = known
    return is_new


def forget_refusals(host: str | None = None) -> None:
    """Forget the refusals of `host`, or of all hosts."""
    with singleton_lock():
        _memory.known = {
            place: found for place, found in _memory.known.items() if host is not None and place[1] != host
        }


def apply_refusals(payload: JsonObject, endpoint: Endpoint, path: str) -> tuple[JsonObject, list[Note]]:
    """Return `payload` without the parts that the server is known to refuse, and a note for each."""
    notes: list[Note] = []
    for refusal in recall_refusals(endpoint, path):
        changed = refusal.apply(payload)
        if changed is not None:
            payload, note = changed
            notes.append(note)
    return payload, notes


def _place_of(endpoint: Endpoint, path: str) -> _Place:
    # A URL may contain a user name and a password.
    return endpoint.surface, endpoint.host.rpartition("@")[2], endpoint.model, path
