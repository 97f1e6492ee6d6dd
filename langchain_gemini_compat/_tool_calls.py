"""Tool-call entries of a stream, however a server cuts and numbers them, to calls with an index of ours.

Its one rule: evidence decides, and where it does not suffice the call is a fault, never a guess. Ids count most,
then names, then whether a call's arguments are already a whole JSON object; the server's `index` counts only while
it has not been caught in a contradiction. Vertex itself sends index 1 with the head of the first call and index 0
with its body (Google's examples page, streamed arguments); AI Studio sends none, and sent empty ids in 2025
(captures of both).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha1
from typing import TYPE_CHECKING

from jiter import from_json

from langchain_gemini_compat._events import CallExtras, ToolCallDelta
from langchain_gemini_compat._json_scan import JsonScanner
from langchain_gemini_compat._kept_fields import CALL_KEYS, FUNCTION_KEYS, MAX_KEPT, RESERVED, pick_unknown
from langchain_gemini_compat._wire import object_at, text_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat._events import Event
    from langchain_gemini_compat._wire import JsonObject, JsonValue

#: Longer ids are mapped to ours: LangChain's users keep ids in keys and columns.
_LONGEST_ID = 256
#: LiteLLM appends the signature to the id (its gateway for Gemini, up to 4,572 characters seen).
LITELLM_MARK = "__thought__"


@dataclass(slots=True)
class _Entry:
    """One entry of `tool_calls`, read; what is missing, null or of another type is empty."""

    index: int | None
    id: str
    name: str
    args: str
    extras: JsonObject

    @property
    def is_body(self) -> bool:
        """It has arguments, or a piece of them."""
        return bool(self.args) and not self.args.isspace()


@dataclass(slots=True)
class _Call:
    """One call under construction."""

    position: int
    wire_id: str
    id: str
    name: str
    scanner: JsonScanner = field(default_factory=JsonScanner)
    pieces: list[str] = field(default_factory=list)
    extras: JsonObject = field(default_factory=dict)
    #: What came after the extras were handed out: copies, and perhaps something new.
    late_extras: JsonObject = field(default_factory=dict)
    #: `{}` as the first arguments may be a whole call or a placeholder before the real ones (seen at gateways).
    held: str = ""
    #: A head of the same name and without arguments came after the arguments: the end, or the start of a twin.
    twin_head: bool = False
    announced: bool = False
    extras_sent: bool = False
    ambiguous: bool = False

    @property
    def is_open(self) -> bool:
        """Arguments have begun and are not whole."""
        return self.scanner.started and not self.scanner.complete

    @property
    def is_filled(self) -> bool:
        """There are whole arguments, even if only `{}`."""
        return self.scanner.complete or bool(self.held)

    @property
    def is_anonymous(self) -> bool:
        """No id tells it from other calls of its name (Vertex sent names as ids in 2024)."""
        return self.wire_id in ("", self.name)

    def is_called(self, name: str) -> bool:
        """`name` does not contradict its name."""
        return not name or not self.name or name == self.name

    def may_take(self, args: str) -> bool:
        """`args` can be what comes next in its arguments."""
        return self.is_open or (not self.scanner.complete and args.lstrip().startswith("{"))


class ToolCallTracker:
    """Feed entries of `delta.tool_calls`; get deltas with dense indices, and id and name exactly once.

    An entry goes on an earlier call or opens a new one; of each table the first row that fits holds. A call is
    `empty` until arguments come, then `open`, then `whole`; `{}` may be whole, or a placeholder before the real
    arguments. `Anonymous` is a call without an id, or with its name as id.

    | id of the entry | its name | then |
    |---|---|---|
    | known | another than that call's | new call: ids are doubled |
    | known | that call's | *name repeated* at that call |
    | known | none | *no name* at that call |
    | new | none, and no arguments | kept for the call that will have that id |
    | new | the last call's, which has no id and is not whole | goes on, a fault: a late id, or a twin? |
    | new | any other | new call |
    | none | that of the index's call, unless this one is whole and more follows | goes on |
    | none | another than the last call's | new call |
    | none | the last call's, and the index is new, unless that is whole and more follows | *index alone* |
    | none | the last call's | *name repeated* |
    | new, none | none, and the arguments can follow on the index's call | goes on |
    | new, none | none | *no name* |

    Where no other call is named, the cases are about the last one.

    | case | that call | arguments | then |
    |---|---|---|---|
    | *name repeated* | open | any | goes on |
    | | `{}` or whole | none | its end, or head of a twin: unless a body without a name follows, a fault if anonymous |
    | | empty | none, or some | goes on; a fault if anonymous: its own, or a twin's? |
    | | whole | some | new call |
    | | `{}` | some, and another call's began without `{}` | new call |
    | | `{}`, anonymous | `{}` | new call |
    | | `{}`, with an id | some, without an id, and no head of a twin before | goes on |
    | | `{}` | some | goes on, a fault: its own, or a twin's? |
    | *no name* | after the head of a twin | some | new call |
    | | any other | any | goes on, and breaks what was whole: a fault |
    | *index alone* | open | none, or some that start with `{` | goes on, a fault: its own, or a twin's? |
    | | open | some that do not | goes on |
    | | any other | any | new call |

    An index is believed once there are two calls, since always zero is a common lie, and while it has always been
    the number of the call that its entry went on or opened. Where it alone decided and is caught later, the calls
    it decided about are faults.
    """

    def __init__(self, seed: str, *, limit: int | None = None) -> None:
        """Ids we have to make are derived from `seed` and position; calls from number `limit` on are dropped."""
        self._seed = seed
        self._limit = limit
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._ids: set[str] = set()
        self._early_extras: dict[str, JsonObject] = {}
        self._index_credible = True
        #: Some call's arguments began with something else than `{}`: this server sends no placeholders.
        self._direct = False
        #: Calls about which the index alone decided.
        self._trusting: list[_Call] = []

    def __len__(self) -> int:
        return len(self._calls)

    def feed(self, entries: Sequence[JsonValue]) -> Iterator[Event]:
        """Yield what `entries` make certain."""
        for entry in entries:
            if isinstance(entry, dict):
                yield from self._feed_entry(_read_entry(entry))

    def finish(self) -> Iterator[Event]:
        """Yield arguments and extras that were held back; a call without any arguments gets `{}`."""
        for call in self._calls:
            if not call.scanner.started:
                yield from self._emit(call, call.scanner.feed(call.held or "{}"))
            if call.announced and call.extras and not call.extras_sent:
                call.extras_sent = True
                yield CallExtras(call.id, call.extras)
            new = _only_new(call.extras, call.late_extras)
            if call.announced and new:
                yield CallExtras(call.id, new, is_more=True)

    def faults(self) -> tuple[str, ...]:
        """Names of the calls that nobody may run: cut short, glued together, no object, or undecidable."""
        return tuple(call.name or "(nameless)" for call in self._calls if self._is_kept(call) and _is_faulty(call))

    def take_early_extras(self) -> JsonObject:
        """What came as a call's extras although that call never came."""
        extras: JsonObject = {}
        for early in self._early_extras.values():
            _fill_in(extras, early)
        self._early_extras.clear()
        return extras

    def _feed_entry(self, entry: _Entry) -> Iterator[Event]:
        if not entry.name and not entry.is_body and entry.id not in self._by_id and (entry.id or not self._calls):
            _fill_in(self._early_extras.setdefault(entry.id, {}), entry.extras)
            return
        call = self._find(entry) or self._open(entry)
        if entry.index is not None and entry.index != call.position:
            self._doubt_index()
        call.name = call.name or entry.name
        yield from self._feed_args(call, entry.args)
        if entry.extras:
            _fill_in(call.late_extras if call.extras_sent else call.extras, entry.extras)
        if call.announced and not call.extras_sent and _is_signed(call.extras):
            # At once, beside the head of its call where possible; what else comes later is a copy.
            call.extras_sent = True
            yield CallExtras(call.id, call.extras)

    def _find(self, entry: _Entry) -> _Call | None:
        """The call that the entry goes on, or `None` for a new one; the table is in the class docstring."""
        known = self._by_id.get(entry.id) if entry.id else None
        if known is not None:
            return self._find_known(known, entry)
        if not self._calls:
            return None
        return self._find_named(entry) if entry.name else self._find_nameless(entry)

    def _find_known(self, call: _Call, entry: _Entry) -> _Call | None:
        if not call.is_called(entry.name):
            return None
        return self._repeat(call, entry) if entry.name else _go_on(call, entry)

    def _find_named(self, entry: _Entry) -> _Call | None:
        last = self._calls[-1]
        if entry.id:
            late = not last.wire_id and last.is_called(entry.name) and not last.scanner.complete
            last.ambiguous = last.ambiguous or late
            return last if late else None
        told = self._call_at(entry.index)
        if told is not None and told.name == entry.name and not (told.scanner.complete and entry.is_body):
            self._trusting += (told, last)
            return told
        if not last.is_called(entry.name):
            return None
        if self._is_new(entry.index) and not (last.scanner.complete and entry.is_body):
            return self._find_twin(last, entry)
        return self._repeat(last, entry)

    def _find_twin(self, last: _Call, entry: _Entry) -> _Call | None:
        """The index alone says that this is a new call of the last one's name."""
        if not last.is_open:
            self._trusting.append(last)
            return None
        if not entry.is_body or entry.args.lstrip().startswith("{"):
            last.ambiguous = True
        return last

    def _find_nameless(self, entry: _Entry) -> _Call | None:
        last = self._calls[-1]
        told = self._call_at(entry.index)
        if not entry.is_body:
            return told or last
        if told is not None and told is not last and told.may_take(entry.args):
            if last.may_take(entry.args):
                self._trusting += (told, last)
            return told
        return _go_on(last, entry)

    def _repeat(self, call: _Call, entry: _Entry) -> _Call | None:
        """The name of `call` again: more of it, or another call of the same tool?"""
        if call.is_open:
            return call
        if not entry.is_body:
            call.ambiguous = call.ambiguous or (call.is_anonymous and (call.twin_head or not call.is_filled))
            call.twin_head = call.twin_head or (call.is_filled and (bool(entry.id) or call.is_anonymous))
            return call
        if call.scanner.complete:
            return None
        if call.held and (self._direct or (call.is_anonymous and entry.args.strip() == "{}")):
            return None
        twin = call.is_anonymous or (call.held and (entry.id or call.twin_head))
        call.ambiguous = call.ambiguous or bool(twin)
        return call

    def _call_at(self, index: int | None) -> _Call | None:
        """The call that the index names, as far as indices can be believed."""
        if index is None or not self._index_credible or not 0 <= index < len(self._calls) or len(self._calls) == 1:
            return None
        return self._calls[index]

    def _is_new(self, index: int | None) -> bool:
        return self._index_credible and index == len(self._calls)

    def _doubt_index(self) -> None:
        self._index_credible = False
        for call in self._trusting:
            call.ambiguous = True
        self._trusting.clear()

    def _open(self, entry: _Entry) -> _Call:
        position = len(self._calls)
        usable = _is_usable(entry.id) and entry.id not in self._ids
        call = _Call(position, entry.id, entry.id if usable else self._make_id(position), entry.name)
        if entry.id.strip() and not usable and entry.id not in self._by_id and len(entry.id) <= MAX_KEPT:
            # The server gets its own id back; LangChain never sees it.
            call.extras["server_id"] = entry.id
        self._calls.append(call)
        self._ids.add(call.id)
        for key in dict.fromkeys((entry.id, "")):
            _fill_in(call.extras, self._early_extras.pop(key, {}))
        if entry.id:
            # A doubled id names the newest call that carries it.
            self._by_id[entry.id] = call
        return call

    def _make_id(self, position: int) -> str:
        return (
            f"call_{sha1(f'{self._seed}/{position}'.encode(errors='replace'), usedforsecurity=False).hexdigest()[:20]}"
        )

    def _feed_args(self, call: _Call, args: str) -> Iterator[Event]:
        body = args.strip()
        if body == "{}" and not call.scanner.started:
            call.held, args = args, ""
        elif body:
            self._direct = self._direct or not (call.held or call.scanner.started)
            call.held = ""
        safe = call.scanner.feed(args)
        if safe or not call.announced:
            yield from self._emit(call, safe)

    def _emit(self, call: _Call, args: str) -> Iterator[Event]:
        """A piece of a call; its first one waits for the name, and brings what was waiting."""
        if args:
            call.pieces.append(args)
        if not call.name or not self._is_kept(call):
            return
        if call.announced:
            yield ToolCallDelta(call.position, None, None, args)
        else:
            call.announced = True
            yield ToolCallDelta(call.position, call.id, call.name, "".join(call.pieces))

    def _is_kept(self, call: _Call) -> bool:
        return self._limit is None or call.position < self._limit


def split_litellm_id(wire_id: str) -> tuple[str, str]:
    """A LiteLLM id as clean id and signature; other ids come back whole, with no signature.

    >>> split_litellm_id("call_1__thought__c2ln")
    ('call_1', 'c2ln')
    """
    clean, mark, signature = wire_id.partition(LITELLM_MARK)
    return (clean, signature) if mark else (wire_id, "")


def _is_usable(wire_id: str) -> bool:
    """Whether LangChain can have the server's own id; `functions.f:0` of Kimi is one that its template needs."""
    return bool(wire_id.strip()) and wire_id.isprintable() and len(wire_id) <= _LONGEST_ID


def _read_entry(wire: JsonObject) -> _Entry:
    function = object_at(wire, "function")
    args = function.get("arguments")
    wire_id, signature = split_litellm_id(text_at(wire, "id"))
    extras = pick_unknown(wire, CALL_KEYS)
    in_function = pick_unknown(function, FUNCTION_KEYS)
    if in_function:
        extras["function"] = in_function
    if signature:
        extras["litellm_signature"] = signature
    return _Entry(
        index=index if type(index := wire.get("index")) is int else None,
        id=wire_id,
        name=text_at(function, "name"),
        # Arguments of another type are taken as the JSON they are: absent ones would make a call of `{}`.
        args=args if isinstance(args, str) else "" if args is None else json.dumps(args),
        extras=extras,
    )


def _go_on(call: _Call, entry: _Entry) -> _Call | None:
    """No name: more of `call`, or what follows the head of its twin."""
    if not (call.twin_head and entry.is_body):
        return call
    call.twin_head = False
    entry.name = call.name
    return None


def _fill_in(known: JsonObject, more: JsonObject) -> None:
    """Add to `known` what only `more` has: servers repeat extras, and the first signature is the call's."""
    for key, value in more.items():
        if isinstance(value, dict):
            inner = known.setdefault(key, {})
            if isinstance(inner, dict):
                _fill_in(inner, value)
        else:
            known.setdefault(key, value)


def _only_new(known: JsonObject, more: JsonObject) -> JsonObject:
    """What of `more` is not in `known`: LangChain would join what it is told twice."""
    new: JsonObject = {}
    for key, value in more.items():
        old = known.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            inner = _only_new(old, value)
            if inner:
                new[key] = inner
        elif key not in known and key not in RESERVED:
            new[key] = value
    return new


def _is_signed(extras: JsonObject) -> bool:
    spaces = object_at(extras, "extra_content").values()
    return "litellm_signature" in extras or any(isinstance(it, dict) and "thought_signature" in it for it in spaces)


def _is_faulty(call: _Call) -> bool:
    if not call.name or call.ambiguous or (call.twin_head and call.is_anonymous):
        return True
    try:
        # Which of two values for one key is meant nobody knows; Python's own parser takes the last.
        args: object = from_json("".join(call.pieces).encode(), catch_duplicate_keys=True)
        # NaN, and infinity, which numbers too large are by now, could not be sent back.
        json.dumps(args, allow_nan=False)
    except (ValueError, RecursionError):
        return True
    return not isinstance(args, dict)
