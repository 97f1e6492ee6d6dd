"""Assembles the tool calls of a stream from the entries of `delta.tool_calls`.

Servers differ in how they number, name and split entries. So an entry does not always say which call it belongs to. The
tracker uses the evidence in this order:

1. the id of the entry
2. the name in the entry
3. whether the arguments of the earlier call are complete
4. the `index` of the entry, as long as no index of this stream has been wrong

If the evidence allows more than one interpretation, the call gets an error and must not run. The tracker does not
guess.

`call_decisions` decides what an entry means and changes nothing. `ToolCallTracker._apply` then changes the calls as
decided.

Sources: Vertex AI sends the name of the first call with index 1, and the arguments of that call with index 0 (Google's
examples page, streamed arguments). AI Studio sends no index, and sent empty ids in 2025 (captures of AI Studio).
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

#: Maximum length of a server's id. A longer id is replaced by a generated one, because applications store ids in keys
#: and database columns.
_LONGEST_ID = 256
#: The error texts of invalid calls.
_AMBIGUOUS = "The chunks allow more than one interpretation, so the call, its tool or its arguments are uncertain."
_TRUNCATED = "The reply ended before the arguments of the call were complete."
_NO_ARGUMENTS = "The reply did not end cleanly, and the call has no arguments."
_NAMELESS = "The call has no name."
_UNKNOWN_NAME = "The name of the call came in pieces that do not form the name of a bound tool."
_NO_OBJECT = "The arguments are not a JSON object."


class ToolCallTracker:
    """Turns entries of `delta.tool_calls` into events. The id and name of each call are emitted once.

    Each entry continues an earlier call or starts a new one. The tables below state the rules. In each table, the first
    row that matches an entry applies. The terms:

    | term | meaning |
    |---|---|
    | empty | The call has no arguments yet. |
    | `{}` | The only arguments so far are `{}`: the complete arguments, or a placeholder before the real ones. |
    | partial | The arguments have begun, and their brackets are not closed. |
    | complete | The brackets of the arguments are closed. |
    | without id | The call has no id, or its id equals its name. |
    | header | An entry with a name and without arguments. |
    | second header | A header after arguments: either the end of that call, or the start of another call of the tool. |
    | identified | The call has an id, and the entry has an id or comes after a second header. |
    | equal | The entry has complete arguments, equal as JSON to the complete arguments of the call. |
    | repetition | The entry repeats a call, and is ignored. |
    | error | The call is ambiguous and must not run. |

    Table 1 applies to all entries. "The call" is the call with the id of the entry. If no call has that id, "the call"
    is the last call. A result in italics means that table 2 decides.

    | id of the entry | name of the entry | result |
    |---|---|---|
    | known | another name than the call's | *other name* |
    | known | the call's name | *same name* |
    | known | none | *no name* |
    | new | none, and no arguments | its extra fields are kept for the call that gets this id |
    | new | the name of the last call, which has no id and is not complete | continues; error (late id or second call) |
    | new | any other name | new call; error if the name can only be the rest of an earlier name |
    | none | the name of the call at the index, unless that call is complete and the entry has arguments | continues |
    | none | the name of the call at the index, which has an id and equal arguments | repetition |
    | none | another name than the last call's | *other name* |
    | none | the last call's name and the next index, unless that call is complete and arguments come | *index only* |
    | none | the last call's name | *same name* |
    | new or none | none, and the arguments can continue the call at the index | continues |
    | none | none, and the call at the index has equal arguments | repetition |
    | new or none | none | *no name* |

    Table 2 decides for the results of table 1 that are in italics.

    | result of table 1 | state of the call | arguments of the entry | result |
    |---|---|---|---|
    | *same name* | partial | any | continues |
    | | empty, and a bound tool's name begins with the name twice | any | continues the name, or error |
    | | `{}` or complete | none | second header; error if without id, unless an entry without a name follows |
    | | empty | none, or some | continues; error if without id (own arguments or those of a second call) |
    | | complete, with id | equal | repetition; error if not identified |
    | | complete | some | new call; a repetition if identified and the arguments end up equal |
    | | `{}`, with id | `{}` | repetition; error if arguments follow |
    | | `{}` | some, and the arguments of another call began without `{}` | as in the row "complete, some" |
    | | `{}`, without id | `{}` | new call |
    | | `{}`, with id | some, in an entry without id, and no second header came | continues |
    | | `{}` | some | continues; error (own arguments or those of a second call) |
    | *no name* | after a second header | some | new call, or a repetition as above |
    | | complete | equal, or pieces that end up equal | repetition |
    | | any other | any | continues; error if the call was complete |
    | *index only* | partial | none, or some that start with `{` | continues; error (own arguments or a second call's) |
    | | partial | some that do not start with `{` | continues |
    | | any other | any | new call |
    | *other name* | empty, and both names together begin a bound tool's name | any | continues the name |
    | | empty, and both names together and the new name alone begin a tool's name | any | new call, both get an error |
    | | not empty, and only both names together begin a bound tool's name | any | new call, both get an error |
    | | empty, and the bound tools are not known | any | new call, both get an error |
    | | not complete, and no tool's name begins with the new name | any | new call, both get an error |
    | | any other | any | new call |

    The index is used only from the second call on, since many servers always send 0. If the index of an entry is not
    the number of its call, all later indexes are ignored, and calls whose content depends on an earlier index get an
    error. The index of a repetition is ignored.
    """

    def __init__(
        self,
        seed: str,
        *,
        limit: int | None = None,
        names: Collection[str] | None = None,
        schemas: Mapping[str, JsonObject] | None = None,
    ) -> None:
        """Start with no calls.

        Args:
            seed: Text from which missing ids are derived, together with the number of the call.
            limit: Maximum number of calls to emit; `None` for no limit. Further calls are dropped.
            names: The wire names of the bound tools; `None` if they are not known.
            schemas: The parameters of each tool, by its wire name.
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
        #: Calls that would have other content if an `index` of the server was wrong. If the indexes turn out to be
        #: unreliable, these calls get an error.
        self._decided_by_index: list[TrackedCall] = []
        #: Whether an entry of `tool_calls` had a new id, but no name, arguments or extra fields. Such an entry
        #: announces a call, but does not send it.
        self.has_ids_without_calls = False

    def __len__(self) -> int:
        return len(self._calls)

    def feed(self, entries: Sequence[JsonValue]) -> Iterator[Event]:
        """Read `entries`. Yield their events, except those that depend on later entries."""
        for entry in entries:
            if isinstance(entry, dict):
                yield from self._feed_entry(_read_entry(entry))

    def finish(self, *, is_clean: bool = True) -> Iterator[Event]:
        """Yield the arguments and extra fields that were held back.

        After a clean ending, a call without arguments gets `{}`. After any other ending it gets an error.
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
                call.error = call.error or _UNKNOWN_NAME
            yield from self._emit_pieces(call, is_name_final=True)
            if call.announced and call.extras and not call.extras_sent:
                call.extras_sent = True
                yield CallExtras(call.id, call.extras)
            new = _select_new_fields(call.extras, call.late_extras)
            if call.announced and new:
                yield CallExtras(call.id, new, is_more=True)

    def repeats_all(self, entries: Sequence[JsonValue]) -> bool:
        """Return whether `entries` repeat all calls so far, in the same order."""
        repeated = [_read_entry(entry) for entry in entries if isinstance(entry, dict)]
        return len(repeated) == len(self._calls) and all(
            entry.name in ("", call.name)
            and (has_same_arguments(call, entry.args) or (call.is_empty and not entry.has_args))
            for entry, call in zip(repeated, self._calls, strict=True)
        )

    def select_new(self, entries: Sequence[JsonValue]) -> list[JsonValue]:
        """Return the items of `entries` that do not repeat the name and the complete arguments of an earlier call.

        If several entries repeat one call, only the first of them is left out.
        """
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

    def invalidate_all(self, error: str) -> None:
        """Set `error` on every call that has no error yet."""
        for call in self._calls:
            call.error = call.error or error

    def list_invalid(self) -> tuple[InvalidCall, ...]:
        """Return the calls that must not run: truncated, ambiguous, or with arguments that are not an object."""
        return tuple(
            InvalidCall(call.position, call.id, call.name, "".join(call.pieces), error)
            for call in self._calls
            if self._is_kept(call) and (error := _error_of(call))
        )

    def take_early_extras(self) -> JsonObject:
        """Return and delete the extra fields that came for calls, if the calls themselves never came."""
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
            # This entry starts a new call. So the name of the last call is complete, and can be emitted.
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
        """Change the calls as `decision` says. Yield the events that can be emitted at once."""
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
            # Emit a signature at once, so that it is in the chunk with the name of the call if possible.
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
        """Append `call` to the calls, and give it a number and an id."""
        call.position = len(self._calls)
        usable = _is_usable_id(call.wire_id) and call.wire_id not in self._ids
        call.id = call.wire_id if usable else self._make_id(call.position)
        if call.wire_id.strip() and not usable and call.wire_id not in self._by_id and len(call.wire_id) <= MAX_KEPT:
            # The message has the generated id. The server's own id is kept here, because the next request sends it
            # back.
            call.extras["server_id"] = call.wire_id
        self._calls.append(call)
        self._ids.add(call.id)
        if call.wire_id:
            # If two calls have the same id, later entries with that id belong to the newer call.
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
        """Drop `call` if it repeats the arguments of `repeated_call`; otherwise number it as a separate call."""
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
            call.error = _AMBIGUOUS if call.placeholder else _TRUNCATED
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
        """Yield the pieces of `call` that were not emitted yet.

        The first piece is held back until the name is complete. Arguments that do not start with `{` are held back
        until the end of the reply, since they may be a JSON string that contains the JSON of the arguments.
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
    """Return whether LangChain can use the server's id.

    Ids are kept if possible. Kimi's chat template, for example, needs its own ids (`functions.f:0`).
    """
    return bool(wire_id.strip()) and wire_id.isprintable() and len(wire_id) <= _LONGEST_ID


def _fingerprint_of(call: TrackedCall) -> str:
    """Return the fingerprint of the call's arguments, or an empty string if they are not a complete JSON object.

    The arguments `{}` count as complete, although they may be a placeholder.
    """
    if not call.fingerprint and call.value is not None:
        call.fingerprint = fingerprint(call.value)
    return call.fingerprint or ("{}" if call.placeholder else "")


def _id_at(wire: JsonObject) -> str:
    """Return the id of an entry of `tool_calls` as text. Some servers send a number as the id."""
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
    # Arguments that are not a string are encoded as JSON. If they were ignored, the call would run with `{}`.
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
    """Add to `known` the keys of `more` that `known` lacks. If a server repeats a field, the first value is kept."""
    for key, value in more.items():
        if isinstance(value, dict):
            inner = known.setdefault(key, {})
            if isinstance(inner, dict):
                _merge_missing(inner, value)
        else:
            known.setdefault(key, value)


def _select_new_fields(known: JsonObject, more: JsonObject) -> JsonObject:
    """Return the fields of `more` that `known` lacks. If LangChain got a field twice, it would join both values."""
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
    """Return why `call` must not run; an empty string for a valid call."""
    if not call.name:
        return _NAMELESS
    if call.error or (call.has_second_header and call.lacks_id):
        return call.error or _AMBIGUOUS
    if call.value is not None:
        return ""
    return _TRUNCATED if call.is_partial else _NO_OBJECT
