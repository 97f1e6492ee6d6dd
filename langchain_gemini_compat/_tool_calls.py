"""Tool-call entries of a stream, however a server cuts and numbers them, to calls with an index of ours.

Its one rule: evidence decides. Ids count most, then names, then whether a call's arguments are already a whole
JSON object; the server's `index` counts only while it has not been caught in a contradiction. Vertex itself
sends index 1 with the head of the first call and index 0 with its body (Google's examples page, streamed
arguments); AI Studio sends none, and sent empty ids in 2025 (captures of both).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import sha1
from typing import TYPE_CHECKING

from langchain_gemini_compat._events import CallExtras, ToolCallDelta
from langchain_gemini_compat._json_scan import JsonScanner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat._events import Event
    from langchain_gemini_compat._wire import JsonObject, WireToolCall

_USABLE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: LiteLLM appends the signature to the id (its gateway for Gemini, up to 4,572 characters seen).
LITELLM_MARK = "__thought__"


@dataclass(slots=True)
class _Call:
    """One call under construction."""

    position: int
    wire_id: str
    id: str
    name: str
    wire_index: int | None
    scanner: JsonScanner = field(default_factory=JsonScanner)
    pieces: list[str] = field(default_factory=list)
    #: `{}` as the first arguments may be a whole call or a placeholder before the real ones (seen at gateways).
    held: str = ""
    announced: bool = False
    extras_seen: bool = False
    ambiguous: bool = False

    @property
    def closed(self) -> bool:
        """Nothing can follow: the arguments are whole, and not a `{}` that more may replace."""
        return self.scanner.complete and not self.held


class ToolCallTracker:
    """Feed entries of `delta.tool_calls`; get deltas with dense indices, and id and name exactly once.

    An entry goes on an earlier call or opens a new one:

    | id of the entry | name | otherwise | then |
    |---|---|---|---|
    | known | the same or none | arguments of that call not whole, or entry without arguments | goes on |
    | known | another, or the arguments were whole | | new call (ids doubled) |
    | unknown | none | the last call is not whole | goes on (ids change) |
    | unknown | given | | new call |
    | none | another than the candidate's | | new call |
    | none | the same | the candidate is not whole | goes on (names repeated) |
    | none | the same | the candidate is whole, entry has arguments | new call |
    | none | the same | the candidate has `{}`, entry has other arguments | undecidable, an error |
    | none | none | | goes on |

    The candidate is the call the wire index names while indices are credible, else the last one.
    """

    def __init__(self, seed: str, *, limit: int | None = None) -> None:
        """Ids we have to make are derived from `seed` and position; calls from number `limit` on are dropped."""
        self._seed = seed
        self._limit = limit
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._index_credible = True
        self._pending_name = ""
        self._pending_extras: JsonObject = {}

    def __len__(self) -> int:
        return len(self._calls)

    def feed(self, entries: Sequence[WireToolCall]) -> Iterator[Event]:
        """Yield what `entries` make certain."""
        for entry in entries:
            yield from self._feed_entry(entry)

    def finish(self) -> Iterator[Event]:
        """Yield arguments that were held back; a call without any gets `{}`."""
        for call in self._calls:
            if call.held:
                yield from self._emit(call, call.held)
                call.held = ""
            elif not call.scanner.started:
                call.scanner.feed("{}")
                yield from self._emit(call, "{}")

    def faults(self) -> tuple[str, ...]:
        """Names of the calls that nobody may run: arguments cut short, glued together or no object."""
        return tuple(call.name or "(nameless)" for call in self._calls if not _is_runnable(call))

    def take_pending_extras(self) -> JsonObject:
        """What came as a call's extras although no call ever opened."""
        extras, self._pending_extras = self._pending_extras, {}
        return extras

    def _feed_entry(self, entry: WireToolCall) -> Iterator[Event]:
        function = entry.get("function") or {}
        name, args = function.get("name") or "", function.get("arguments") or ""
        wire_id, signature = split_litellm_id(entry.get("id") or "")
        extras: JsonObject = {}
        if entry.get("extra_content"):
            extras["extra_content"] = entry.get("extra_content")
        if entry.get("provider_specific_fields"):
            extras["provider_specific_fields"] = entry.get("provider_specific_fields")
        if signature:
            extras["litellm_signature"] = signature
        if not (name or args or wire_id or self._calls):
            self._pending_extras |= extras
            return
        call = self._find(entry.get("index"), wire_id, name, args)
        if call is None:
            call = self._open(entry.get("index"), wire_id, name or self._pending_name)
            extras = {**self._pending_extras, **extras}
            self._pending_name, self._pending_extras = "", {}
        if not call.name:
            call.name = name
        yield from self._feed_args(call, args)
        if extras and not call.extras_seen:
            call.extras_seen = True
            if self._is_kept(call):
                yield CallExtras(call.id, extras)

    def _find(self, index: int | None, wire_id: str, name: str, args: str) -> _Call | None:
        """The call that the entry goes on, or `None` for a new one; the table is in the class docstring."""
        if not self._calls:
            return None
        if wire_id:
            candidate = self._candidate_by_id(wire_id, name)
        else:
            candidate = self._candidate_named(index, name) if name else self._candidate(index, args)
        if candidate is None or (name and candidate.name and name != candidate.name):
            return None
        if candidate.closed and args.strip():
            return None if name or wire_id or self._pending_name else candidate
        if candidate.held and name and args.strip():
            return self._after_placeholder(candidate, wire_id, args)
        if candidate.closed and name:
            # A head without arguments: the end of this call, or the start of a twin. The next entry tells.
            self._pending_name = name
        return candidate

    def _candidate_by_id(self, wire_id: str, name: str) -> _Call | None:
        known, last = self._by_id.get(wire_id), self._calls[-1]
        if known is not None:
            return known
        late_id = name == last.name and not last.wire_id and not last.scanner.started
        return last if late_id or (not name and not last.closed) else None

    def _after_placeholder(self, candidate: _Call, wire_id: str, args: str) -> _Call | None:
        """`{}` came, now the same name with arguments: the real ones, or a twin that has some?"""
        if args.strip() == "{}":
            return None
        # Without an id of its own nothing tells the two apart, and a guess might run the wrong call.
        candidate.ambiguous = wire_id in ("", candidate.name)
        return candidate

    def _candidate(self, index: int | None, args: str) -> _Call:
        last = self._calls[-1]
        if index is None or not self._index_credible:
            return last
        if index >= len(self._calls) or (self._calls[index].closed and args.strip()):
            self._index_credible = False
            return last
        return self._calls[index]

    def _candidate_named(self, index: int | None, name: str) -> _Call:
        last = self._calls[-1]
        if index is not None and self._index_credible and index < len(self._calls):
            indexed = self._calls[index]
            if indexed.name == name and not indexed.closed:
                return indexed
        return last

    def _open(self, index: int | None, wire_id: str, name: str) -> _Call:
        position = len(self._calls)
        if index is not None and index != position:
            self._index_credible = False
        usable = _USABLE_ID.fullmatch(wire_id) is not None and wire_id not in self._by_id
        call_id = wire_id if usable else self._make_id(position)
        call = _Call(position, wire_id, call_id, name, index)
        self._calls.append(call)
        # A doubled id names the newest call that carries it.
        self._by_id[wire_id or call_id] = call
        return call

    def _make_id(self, position: int) -> str:
        return f"call_{sha1(f'{self._seed}/{position}'.encode(), usedforsecurity=False).hexdigest()[:20]}"

    def _feed_args(self, call: _Call, args: str) -> Iterator[Event]:
        if call.held and args.strip():
            call.held, call.scanner = "", JsonScanner()
        elif not call.pieces and not call.held and args.strip() == "{}":
            call.scanner.feed(args)
            call.held = args
            yield from self._announce(call)
            return
        safe = call.scanner.feed(args)
        if safe or not call.announced:
            yield from self._emit(call, safe)

    def _announce(self, call: _Call) -> Iterator[Event]:
        if not call.announced:
            yield from self._emit(call, "")

    def _emit(self, call: _Call, args: str) -> Iterator[Event]:
        if args:
            call.pieces.append(args)
        if not self._is_kept(call):
            return
        if call.announced:
            yield ToolCallDelta(call.position, None, None, args)
        else:
            call.announced = True
            yield ToolCallDelta(call.position, call.id, call.name, args)

    def _is_kept(self, call: _Call) -> bool:
        return self._limit is None or call.position < self._limit


def split_litellm_id(wire_id: str) -> tuple[str, str]:
    """A LiteLLM id as clean id and signature; other ids come back whole, with no signature.

    >>> split_litellm_id("call_1__thought__c2ln")
    ('call_1', 'c2ln')
    """
    clean, mark, signature = wire_id.partition(LITELLM_MARK)
    return (clean, signature) if mark else (wire_id, "")


def _is_runnable(call: _Call) -> bool:
    if not call.name or call.ambiguous or call.scanner.broken or not call.scanner.complete:
        return False
    try:
        return isinstance(json.loads("".join(call.pieces)), dict)
    except (ValueError, RecursionError):
        return False
