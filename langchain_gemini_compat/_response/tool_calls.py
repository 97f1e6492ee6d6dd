"""Tool-call entries of a stream, however a server cuts and numbers them, to calls with an index of ours.

Evidence decides, and where it does not suffice the call is a fault, never a guess. Ids count most, then names, then
whether a call's arguments are already a whole JSON object; the server's `index` counts only while it has not been
caught in a contradiction. Vertex itself sends index 1 with the head of the first call and index 0 with its body
(Google's examples page, streamed arguments); AI Studio sends none, and sent empty ids in 2025 (captures of both).
"""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha1
from typing import TYPE_CHECKING

from langchain_gemini_compat._response.call_decisions import (
    Entry,
    Evidence,
    TrackedCall,
    decide,
    fingerprint,
    has_same_arguments,
    may_name_grow,
)
from langchain_gemini_compat._response.events import CallExtras, InvalidCall, ToolCallDelta
from langchain_gemini_compat._schema.arguments import is_equal, unwrap_arguments
from langchain_gemini_compat._signatures import split_litellm_id
from langchain_gemini_compat._wire.json_types import object_at, text_at
from langchain_gemini_compat._wire.strict_json import read_object
from langchain_gemini_compat._wire.unknown_fields import CALL_KEYS, FUNCTION_KEYS, MAX_KEPT, RESERVED, pick_unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from langchain_gemini_compat._response.call_decisions import Decision
    from langchain_gemini_compat._response.events import Event
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Longer ids are mapped to ours: LangChain's users keep ids in keys and columns.
_LONGEST_ID = 256
#: Why a call is a fault.
_AMBIGUOUS = (
    "What the server sent fits more than one reading: which call, which tool or which arguments is not certain."
)
_CUT = "The reply ended before the arguments of the call were whole."
_NO_ARGUMENTS = "The reply did not end cleanly, and no arguments of the call came."
_NAMELESS = "The call has no name."
_PART_OF_NAME = "The name of the call came in pieces that are no bound tool's name."
_NO_OBJECT = "The arguments are no JSON object."


class ToolCallTracker:
    """Feed entries of `delta.tool_calls`; get deltas with an index of ours, and id and name exactly once.

    An entry goes on an earlier call or opens a new one; of each table the first row that fits holds. A call is
    `empty` until arguments come, then `open`, then `whole`; `{}` may be whole, or a placeholder before the real
    arguments. `Anonymous` is a call without an id, or with its name as id. `Same` are arguments that are equal as JSON
    to the whole ones of that call.

    | id of the entry | its name | then |
    |---|---|---|
    | known | another than that call's | *other name* |
    | known | that call's | *name repeated* at that call |
    | known | none | *no name* at that call |
    | new | none, and no arguments | kept for the call that will have that id |
    | new | the last call's, which has no id and is not whole | goes on, a fault: a late id, or a second call? |
    | new | any other | new call; a fault if it is no tool's name but the rest of one |
    | none | that of the index's call, unless this one is whole and more follows | goes on |
    | none | that of the index's call, which has an id, and the same arguments | repetition |
    | none | another than the last call's | *other name* |
    | none | the last call's, and the index is new, unless that is whole and more follows | *index alone* |
    | none | the last call's | *name repeated* |
    | new, none | none, and the arguments can follow on the index's call | goes on |
    | none | none, and the index's call has the same arguments | repetition |
    | new, none | none | *no name* |

    Where no other call is named, the cases are about the last one.

    | case | that call | arguments | then |
    |---|---|---|---|
    | *name repeated* | open | any | goes on |
    | | empty, and a bound tool is called by the name twice | any | one name, or a fault |
    | | `{}` or whole | none | its end, or a second head: unless a body without a name follows, a fault if anonymous |
    | | empty | none, or some | goes on; a fault if anonymous: its own, or a second call's? |
    | | whole, not anonymous | the same | repetition; a fault without the id |
    | | whole | some | new call; if not anonymous, a repetition should they come to the same |
    | | `{}`, with an id | `{}` | repetition; a fault if arguments follow |
    | | `{}` | some, and another call's began without `{}` | new call |
    | | `{}`, anonymous | `{}` | new call |
    | | `{}`, with an id | some, without an id, and no second head before | goes on |
    | | `{}` | some | goes on, a fault: its own, or a second call's? |
    | *no name* | after a second head | some | new call, or a repetition, as above |
    | | whole | the same, or what comes to the same in pieces | repetition |
    | | any other | any | goes on, and breaks what was whole: a fault |
    | *index alone* | open | none, or some that start with `{` | goes on, a fault: its own, or a second call's? |
    | | open | some that do not | goes on |
    | | any other | any | new call |
    | *other name* | empty, and together they are, or begin, a bound tool's name | any | the name goes on |
    | | the same, and the new name is, or begins, a tool's as well | any | new call, both a fault |
    | | not empty, and together they are a tool's name, and the new one alone is none | any | new call, both a fault |
    | | empty, and the bound tools are not known | any | new call, both a fault |
    | | not whole, and the new name is, or begins, no tool's | any | new call, both a fault |
    | | any other | any | new call |

    An index is believed once there are two calls, since always zero is a common lie, and while it has always been
    the number of the call that its entry went on or opened. Where it alone decided and is caught later, the calls
    it decided about are faults. A repetition's index says nothing.
    """

    def __init__(
        self,
        seed: str,
        *,
        limit: int | None = None,
        names: Collection[str] | None = None,
        schemas: Mapping[str, JsonObject] | None = None,
    ) -> None:
        """`names` are those of the bound tools on the wire, `schemas` their parameters; `None` is not known.

        Ids that the server left out are derived from `seed` and position; calls from number `limit` on are dropped.
        """
        self._seed = seed
        self._limit = limit
        self._tool_names = None if names is None else frozenset(names)
        self._schemas = schemas or {}
        self._calls: list[TrackedCall] = []
        self._by_id: dict[str, TrackedCall] = {}
        self._by_name: dict[str, TrackedCall] = {}
        self._open_repetitions: dict[str, TrackedCall] = {}
        self._current_repetition: TrackedCall | None = None
        self._ids: set[str] = set()
        self._early_extras: dict[str, JsonObject] = {}
        self._is_index_reliable = True
        self._skips_placeholders = False
        #: Calls about which the index alone decided.
        self._decided_by_index: list[TrackedCall] = []
        #: An entry had an id, and neither name nor arguments nor extras.
        self.has_ids_without_calls = False

    def __len__(self) -> int:
        return len(self._calls)

    def feed(self, entries: Sequence[JsonValue]) -> Iterator[Event]:
        """Yield what `entries` make certain."""
        for entry in entries:
            if isinstance(entry, dict):
                yield from self._feed_entry(_read_entry(entry))

    def finish(self, *, is_clean: bool = True) -> Iterator[Event]:
        """Yield arguments and extras that were held back.

        At a clean ending a call without any arguments gets `{}`; at any other it was cut, and is a fault.
        """
        for repetition in [*self._open_repetitions.values()]:
            yield from self._end_repetition(repetition)
        for call in self._calls:
            if not call.scanner.started:
                if is_clean:
                    self._add_args(call, call.placeholder or "{}")
                else:
                    call.error = call.error or _NO_ARGUMENTS
                    call.pieces.append(call.placeholder)
            elif call.is_wrapped:
                self._unwrap(call, is_clean=is_clean)
            elif call.value == {} and not is_clean:
                call.error = call.error or _NO_ARGUMENTS
            if call.has_joined_name and self._tool_names is not None and call.name not in self._tool_names:
                call.error = call.error or _PART_OF_NAME
            yield from self._emit_pieces(call, is_name_final=True)
            if call.announced and call.extras and not call.extras_sent:
                call.extras_sent = True
                yield CallExtras(call.id, call.extras)
            new = _select_new_fields(call.extras, call.late_extras)
            if call.announced and new:
                yield CallExtras(call.id, new, is_more=True)

    def repeats_all(self, entries: Sequence[JsonValue]) -> bool:
        """Whether `entries` are all the calls so far, once more, in their order."""
        said = [_read_entry(entry) for entry in entries if isinstance(entry, dict)]
        return len(said) == len(self._calls) and all(
            entry.name in ("", call.name)
            and (has_same_arguments(call, entry.args) or (call.is_empty and not entry.has_args))
            for entry, call in zip(said, self._calls, strict=True)
        )

    def select_new(self, entries: Sequence[JsonValue]) -> list[JsonValue]:
        """Return the entries that are no whole call so far once more; each call counts once."""
        left = Counter((call.name, _fingerprint_of(call)) for call in self._calls if call.has_arguments)
        unknown: list[JsonValue] = []
        for wire in entries:
            entry = _read_entry(wire) if isinstance(wire, dict) else None
            value = read_object(entry.args) if entry and entry.has_args else None
            key = (entry.name if entry else "", "" if value is None else fingerprint(value))
            if key[1] and left[key] > 0:
                left[key] -= 1
            else:
                unknown.append(wire)
        return unknown

    def invalidate_all(self, why: str) -> None:
        """Make every call a fault."""
        for call in self._calls:
            call.error = call.error or why

    def list_invalid(self) -> tuple[InvalidCall, ...]:
        """The calls that nobody may run: cut short, glued together, no object, or undecidable."""
        return tuple(
            InvalidCall(call.position, call.id, call.name, "".join(call.pieces), error)
            for call in self._calls
            if self._is_kept(call) and (error := _error_of(call))
        )

    def take_early_extras(self) -> JsonObject:
        """What came as a call's extras although that call never came."""
        extras: JsonObject = {}
        for early in self._early_extras.values():
            _merge_missing(extras, early)
        self._early_extras.clear()
        return extras

    def _feed_entry(self, entry: Entry) -> Iterator[Event]:
        if not entry.name and not entry.has_args and entry.id not in self._by_id and (entry.id or not self._calls):
            self.has_ids_without_calls = self.has_ids_without_calls or bool(entry.id and not entry.extras)
            _merge_missing(self._early_extras.setdefault(entry.id, {}), entry.extras)
            return
        decision = decide(self._collect_evidence(), entry)
        if decision.call is None and decision.repeated_call is None:
            # The name of the call before is all there now.
            for earlier in self._calls[-1:]:
                yield from self._emit_pieces(earlier, is_name_final=True)
        yield from self._apply(entry, decision)

    def _collect_evidence(self) -> Evidence:
        return Evidence(
            self._calls,
            self._by_id,
            self._by_name,
            self._open_repetitions,
            self._current_repetition,
            self._tool_names,
            is_index_reliable=self._is_index_reliable,
            skips_placeholders=self._skips_placeholders,
        )

    def _apply(self, entry: Entry, decision: Decision) -> Iterator[Event]:
        """The one place where a decision changes anything."""
        for call in decision.ambiguous_calls:
            call.error = call.error or _AMBIGUOUS
        self._decided_by_index += decision.decided_by_index
        if decision.header_call is not None:
            decision.header_call.has_second_header = False
        call = decision.call or self._create_call(entry, decision)
        if decision.is_second_header:
            call.has_second_header = True
        if decision.call is not None and decision.name:
            call.name, call.has_joined_name = decision.name, True
        call.name = call.name or entry.name
        if call.repeated_call is None and call.name:
            self._by_name[call.name] = call
        is_copy = decision.is_repetition or call.repeated_call is not None
        self._current_repetition = call if call.repeated_call is not None else None
        if entry.index is not None and entry.index != call.position and not is_copy:
            self._distrust_index()
        if decision.is_repetition:
            call.has_two_placeholders = bool(call.placeholder)
        else:
            yield from self._feed_args(call, entry.args)
        target = call.repeated_call or call
        if entry.extras or (target.extras and not target.extras_sent):
            yield from self._feed_extras(target, entry.extras)

    def _feed_extras(self, call: TrackedCall, extras: JsonObject) -> Iterator[Event]:
        _merge_missing(call.late_extras if call.extras_sent else call.extras, extras)
        if call.announced and not call.extras_sent and _is_signed(call.extras):
            # At once, beside the head of its call where possible; what else comes later is a copy.
            call.extras_sent = True
            yield CallExtras(call.id, call.extras)

    def _distrust_index(self) -> None:
        self._is_index_reliable = False
        for call in self._decided_by_index:
            call.error = call.error or _AMBIGUOUS
        self._decided_by_index.clear()

    def _create_call(self, entry: Entry, decision: Decision) -> TrackedCall:
        name = decision.name or entry.name
        if decision.repeated_call is not None:
            wire_id = decision.repeated_call.wire_id
            original, must_repeat = decision.repeated_call, decision.must_repeat
            call = TrackedCall(-1, wire_id, "", name, repeated_call=original, must_repeat=must_repeat)
            self._open_repetitions[wire_id] = call
            return call
        call = TrackedCall(-1, entry.id, "", name)
        if decision.is_new_call_ambiguous:
            call.error = _AMBIGUOUS
        self._number_call(call)
        for key in dict.fromkeys((entry.id, "")):
            _merge_missing(call.extras, self._early_extras.pop(key, {}))
        return call

    def _number_call(self, call: TrackedCall) -> None:
        """Give `call` its number and its id."""
        call.position = len(self._calls)
        usable = _is_usable_id(call.wire_id) and call.wire_id not in self._ids
        call.id = call.wire_id if usable else self._make_id(call.position)
        if call.wire_id.strip() and not usable and call.wire_id not in self._by_id and len(call.wire_id) <= MAX_KEPT:
            # The server gets its own id back; LangChain never sees it.
            call.extras["server_id"] = call.wire_id
        self._calls.append(call)
        self._ids.add(call.id)
        if call.wire_id:
            # A doubled id names the newest call that carries it.
            self._by_id[call.wire_id] = call

    def _make_id(self, position: int) -> str:
        return (
            f"call_{sha1(f'{self._seed}/{position}'.encode(errors='replace'), usedforsecurity=False).hexdigest()[:20]}"
        )

    def _feed_args(self, call: TrackedCall, args: str) -> Iterator[Event]:
        body = args.strip()
        if body == "{}" and not call.scanner.started:
            call.placeholder, args = args, ""
        elif body:
            self._skips_placeholders = self._skips_placeholders or not (call.placeholder or call.scanner.started)
            call.placeholder = ""
        if args:
            self._add_args(call, args)
        if call.repeated_call is not None:
            if call.is_closed:
                yield from self._end_repetition(call)
        elif args or not call.announced:
            yield from self._emit_pieces(call)

    def _add_args(self, call: TrackedCall, args: str) -> None:
        scanner = call.scanner
        had_begun, was_whole = scanner.started, scanner.complete
        call.pieces.append(scanner.feed(args))
        if not had_begun and scanner.started:
            call.is_wrapped = not "".join(call.pieces).lstrip().startswith("{")
        if scanner.complete and not was_whole:
            call.value = read_object("".join(call.pieces))
        elif was_whole and not args.isspace():
            call.value = None

    def _end_repetition(self, call: TrackedCall) -> Iterator[Event]:
        """Its arguments are whole, or there are no more: it is dropped as a repetition, or is a call of its own."""
        original = call.repeated_call
        self._open_repetitions.pop(call.wire_id, None)
        self._current_repetition = None
        if original is None:
            return
        known: JsonObject | None = {} if original.placeholder else original.value
        if call.value is not None and known is not None and is_equal(call.value, known):
            return
        if call.must_repeat:
            original.error = original.error or _AMBIGUOUS
            return
        if not call.is_closed:
            call.error = _AMBIGUOUS if call.placeholder else _CUT
        call.repeated_call = None
        self._number_call(call)
        yield from self._emit_pieces(call)

    def _unwrap(self, call: TrackedCall, *, is_clean: bool) -> None:
        value = unwrap_arguments(self._schemas.get(call.name), "".join(call.pieces))
        call.is_wrapped = False
        if value is None:
            call.error = call.error or _NO_OBJECT
        elif not value and not is_clean:
            call.error = call.error or _NO_ARGUMENTS
        else:
            call.value, call.pieces = value, [json.dumps(value, ensure_ascii=False)]

    def _emit_pieces(self, call: TrackedCall, *, is_name_final: bool = False) -> Iterator[Event]:
        """The pieces of a call that were not handed out; the first ones wait for the whole name.

        Arguments that are no object wait for the end: they may be encoded twice.
        """
        if not call.name or not self._is_kept(call):
            return
        if not call.announced and not is_name_final and may_name_grow(call, self._tool_names):
            return
        text = "" if call.is_wrapped else "".join(call.pieces[call.pieces_sent :])
        if not call.is_wrapped:
            call.pieces_sent = len(call.pieces)
        if not call.announced:
            call.announced = True
            yield ToolCallDelta(call.position, call.id, call.name, text, is_complete=call.value is not None)
        elif text:
            yield ToolCallDelta(call.position, None, None, text, is_complete=call.value is not None)

    def _is_kept(self, call: TrackedCall) -> bool:
        return self._limit is None or call.position < self._limit


def _is_usable_id(wire_id: str) -> bool:
    """Whether LangChain can have the server's own id; `functions.f:0` of Kimi is one that its template needs."""
    return bool(wire_id.strip()) and wire_id.isprintable() and len(wire_id) <= _LONGEST_ID


def _fingerprint_of(call: TrackedCall) -> str:
    """The fingerprint of whole arguments, computed once; `{}` may be held back."""
    if not call.fingerprint and call.value is not None:
        call.fingerprint = fingerprint(call.value)
    return call.fingerprint or ("{}" if call.placeholder else "")


def _id_at(wire: JsonObject) -> str:
    """Return the id of an entry. Some servers send a number."""
    wire_id = wire.get("id")
    if type(wire_id) is int:
        return str(wire_id)
    return wire_id if isinstance(wire_id, str) else ""


def _read_entry(wire: JsonObject) -> Entry:
    function = object_at(wire, "function")
    args = function.get("arguments")
    wire_id, signature = split_litellm_id(_id_at(wire))
    extras = pick_unknown(wire, CALL_KEYS)
    in_function = pick_unknown(function, FUNCTION_KEYS)
    if in_function:
        extras["function"] = in_function
    if signature:
        extras["litellm_signature"] = signature
    # Arguments of another type are taken as the JSON they are: absent ones would make a call of `{}`.
    text = args if isinstance(args, str) else "" if args is None else json.dumps(args)
    return Entry(
        index=index if type(index := wire.get("index")) is int else None,
        id=wire_id,
        name=text_at(function, "name"),
        args=text,
        extras=extras,
        has_args=text != "" and not text.isspace(),
    )


def _merge_missing(known: JsonObject, more: JsonObject) -> None:
    """Add to `known` what only `more` has: servers repeat extras, and the first signature is the call's."""
    for key, value in more.items():
        if isinstance(value, dict):
            inner = known.setdefault(key, {})
            if isinstance(inner, dict):
                _merge_missing(inner, value)
        else:
            known.setdefault(key, value)


def _select_new_fields(known: JsonObject, more: JsonObject) -> JsonObject:
    """What of `more` is not in `known`: LangChain would join what it is told twice."""
    new: JsonObject = {}
    for key, value in more.items():
        old = known.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            inner = _select_new_fields(old, value)
            if inner:
                new[key] = inner
        elif key not in known and key not in RESERVED:
            new[key] = value
    return new


def _is_signed(extras: JsonObject) -> bool:
    spaces = object_at(extras, "extra_content").values()
    return "litellm_signature" in extras or any(isinstance(it, dict) and "thought_signature" in it for it in spaces)


def _error_of(call: TrackedCall) -> str:
    """Why nobody may run it; empty for a good call."""
    if not call.name:
        return _NAMELESS
    if call.error or (call.has_second_header and call.lacks_id):
        return call.error or _AMBIGUOUS
    if call.value is not None:
        return ""
    return _CUT if call.is_partial else _NO_OBJECT
