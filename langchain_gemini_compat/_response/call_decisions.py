"""Decides which call an entry of `delta.tool_calls` belongs to.

All functions are pure: they read the state of the stream (`Evidence`) and return a `Decision`. The tracker in
`tool_calls` applies the decision. If the evidence allows more than one interpretation, the decision lists the ambiguous
calls. The docstring of `ToolCallTracker` has the rules as tables.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_gemini_compat._response.json_scan import JsonScanner
from langchain_gemini_compat._schema.arguments import is_equal
from langchain_gemini_compat._wire.strict_json import read_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat._wire.json_types import JsonObject


#: Valid arguments of a tool call begin with one of these: an object, a JSON string that contains an object, or `null`.
_BEGINNINGS = ("{", '"', "null")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `tool_calls`. A value that is missing, null or of another type is read as empty."""

    index: int | None
    id: str
    name: str
    args: str
    extras: JsonObject
    #: Whether `args` contains more than white space.
    has_args: bool


@dataclass(slots=True, eq=False)
class TrackedCall:
    """A tool call that is assembled from entries of `tool_calls`.

    `position` is the number of the call in the reply, from 0. It is -1 as long as the call may be a repetition of
    `repeated_call`.
    """

    position: int
    wire_id: str
    id: str
    name: str
    scanner: JsonScanner = field(default_factory=JsonScanner)
    pieces: list[str] = field(default_factory=list)
    #: Number of pieces of the arguments that were emitted as events.
    pieces_sent: int = 0
    extras: JsonObject = field(default_factory=dict)
    #: More fields for `extras`. They arrived after `extras` was emitted.
    late_extras: JsonObject = field(default_factory=dict)
    #: `{}` if the arguments so far are only `{}`; otherwise empty. This `{}` may be the complete arguments. It may also
    #: be a placeholder: some gateways send `{}` before the real arguments.
    placeholder: str = ""
    #: Whether the call got `{}` as its arguments twice.
    has_two_placeholders: bool = False
    #: Whether the arguments are a JSON string that contains the real arguments, or `null`. They do not start with `{`.
    is_wrapped: bool = False
    #: Whether an entry with this call's name, but without arguments, came after the arguments of this call. Such an
    #: entry may mark the end of this call, or the start of another call of the same tool.
    has_second_header: bool = False
    announced: bool = False
    extras_sent: bool = False
    #: Whether the name came in more than one piece.
    has_joined_name: bool = False
    #: Why the call must not run; empty for a valid call.
    error: str = ""
    #: An earlier call that this call may repeat. Whether it does is known when the arguments of this call are complete.
    repeated_call: TrackedCall | None = None
    #: What happens if the arguments of this call turn out to differ from those of `repeated_call`. True:
    #: `repeated_call` gets an error. False: this call becomes a separate call.
    must_repeat: bool = False
    #: The arguments, once they are complete; `None` if they are not a JSON object.
    value: JsonObject | None = None
    #: The fingerprint of `value`; empty until it is needed for the first time.
    fingerprint: str = ""

    @property
    def is_partial(self) -> bool:
        """Whether the arguments have begun, and their brackets are not closed."""
        return self.scanner.started and not self.scanner.complete

    @property
    def is_closed(self) -> bool:
        """Whether the brackets of the arguments are closed. `value` says whether the arguments are a JSON object."""
        return self.scanner.complete

    @property
    def has_arguments(self) -> bool:
        """Whether the arguments are complete. The arguments `{}` count as complete."""
        return self.scanner.complete or bool(self.placeholder)

    @property
    def is_empty(self) -> bool:
        """Whether no arguments came yet, not even `{}`."""
        return not self.scanner.started and not self.placeholder

    @property
    def lacks_id(self) -> bool:
        """Whether the id does not identify the call: it is empty or equals the name, as on Vertex AI in 2024."""
        return self.wire_id in ("", self.name)

    def matches_name(self, name: str) -> bool:
        """Return whether an entry with this name can belong to the call: the names are equal, or one is empty."""
        return not name or not self.name or name == self.name

    def can_continue_with(self, args: str) -> bool:
        """Return whether `args` can be the next piece of this call's arguments."""
        text = args.strip()
        begins = text.startswith(_BEGINNINGS) or "null".startswith(text)
        return self.is_partial or (not self.is_closed and begins)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the stream has shown about its tool calls so far. `decide` uses this to assign the next entry to a call."""

    calls: Sequence[TrackedCall]
    by_id: dict[str, TrackedCall]
    #: The newest call of each name.
    by_name: dict[str, TrackedCall]
    #: Calls with incomplete arguments that may repeat an earlier call. The key is the server's id, which both calls
    #: have.
    open_repetitions: dict[str, TrackedCall]
    #: The call of the previous entry, if that call may repeat an earlier call; otherwise `None`.
    current_repetition: TrackedCall | None
    #: The wire names of the bound tools; `None` if they are not known.
    tool_names: frozenset[str] | None
    #: False as soon as the `index` of one entry is not the number of the entry's call. Later indexes are then ignored.
    is_index_reliable: bool
    #: True as soon as the arguments of one call came without `{}` before them. This shows that the server does not send
    #: `{}` as a placeholder for arguments that follow.
    skips_placeholders: bool

    def call_at(self, index: int | None) -> TrackedCall | None:
        """Return the call with this index; `None` if the index is missing, unknown or not reliable."""
        calls = self.calls
        if index is None or not self.is_index_reliable or not 0 <= index < len(calls) or len(calls) == 1:
            return None
        return calls[index]

    def is_next_index(self, index: int | None) -> bool:
        """Return whether `index` is reliable and is the number of the next call."""
        return self.is_index_reliable and index == len(self.calls)


@dataclass(frozen=True, slots=True)
class Decision:
    """What an entry of `tool_calls` means: it belongs to `call`, or to a new call if `call` is `None`."""

    call: TrackedCall | None = None
    #: The new name of the call. If it is empty, the call keeps its name. A call without a name gets the entry's name.
    name: str = ""
    #: Whether the entry repeats `call` and is ignored.
    is_repetition: bool = False
    #: An earlier call that the entry may repeat. If the entry does not repeat that call, it starts a new call.
    repeated_call: TrackedCall | None = None
    #: What happens if the arguments of the new call turn out to differ from those of `repeated_call`. True:
    #: `repeated_call` gets an error. False: the new call becomes a separate call.
    must_repeat: bool = False
    #: Whether the entry has the name of `call` and no arguments, although `call` already has arguments. Such an entry
    #: may mark the end of `call`, or the start of another call of the same tool.
    is_second_header: bool = False
    #: An earlier call whose flag `has_second_header` has to be cleared: the entry that set the flag was the start of
    #: the new call, and not the end of the earlier call.
    header_call: TrackedCall | None = None
    #: The earlier calls that get an error, because it is uncertain whether the entry belongs to them.
    ambiguous_calls: tuple[TrackedCall, ...] = ()
    #: Whether the new call gets an error, because the entry may belong to an earlier call instead.
    is_new_call_ambiguous: bool = False
    #: The calls that get an error if the server's indexes turn out to be wrong, because the `index` of the entry
    #: decided to which call the entry belongs.
    decided_by_index: tuple[TrackedCall, ...] = ()


def decide(evidence: Evidence, entry: Entry) -> Decision:
    """Return what `entry` means. The docstring of `ToolCallTracker` has the rules as tables."""
    repetition = evidence.open_repetitions.get(entry.id) if entry.id else None
    if repetition is not None and repetition.matches_name(entry.name):
        return Decision(repetition)
    known = evidence.by_id.get(entry.id) if entry.id else None
    if known is not None:
        return _decide_by_id(evidence, known, entry)
    current = evidence.current_repetition
    if current is not None and (entry.has_args if not entry.name else not entry.id and entry.name == current.name):
        return Decision(current)
    if not evidence.calls:
        return Decision()
    return _decide_with_name(evidence, entry) if entry.name else _decide_without_name(evidence, entry)


def _decide_by_id(evidence: Evidence, call: TrackedCall, entry: Entry) -> Decision:
    if not call.matches_name(entry.name):
        return _decide_other_name(evidence, (call,), entry)
    return _decide_same_name(evidence, call, entry) if entry.name else _decide_continuation(call, entry)


def _decide_with_name(evidence: Evidence, entry: Entry) -> Decision:
    last = evidence.calls[-1]
    if entry.id:
        # The id in the entry may be the late id of the last call, or the id of another call.
        is_late = not last.wire_id and last.matches_name(entry.name) and not last.is_closed
        return Decision(last, ambiguous_calls=(last,)) if is_late else _decide_new_name(evidence, entry)
    indexed = evidence.call_at(entry.index)
    if indexed is not None and indexed.name == entry.name:
        is_same = indexed.is_closed and not indexed.lacks_id and has_same_arguments(indexed, entry.args)
        if is_same or not (indexed.is_closed and entry.has_args):
            return Decision(indexed, is_repetition=is_same, decided_by_index=(indexed, last))
    targets = (last,) if indexed is None or indexed is last else (indexed, last)
    if not last.matches_name(entry.name):
        return _decide_other_name(evidence, targets, entry)
    names = evidence.tool_names or frozenset()
    if indexed is not None and indexed is not last and any(_longer_names(indexed.name, entry.name, names)):
        # The name in the entry may be the whole name of the last call. It may also be the next piece of another name:
        # that of the call with the entry's index.
        return Decision(last, ambiguous_calls=targets)
    if evidence.is_next_index(entry.index) and not (last.is_closed and entry.has_args):
        return _decide_by_index(last, entry)
    return _decide_same_name(evidence, last, entry)


def _decide_without_name(evidence: Evidence, entry: Entry) -> Decision:
    last = evidence.calls[-1]
    indexed = evidence.call_at(entry.index)
    if not entry.has_args:
        return Decision(indexed or last)
    if indexed is not None and indexed is not last and indexed.can_continue_with(entry.args):
        return Decision(indexed, decided_by_index=(indexed, last) if last.can_continue_with(entry.args) else ())
    is_last_finished = last.is_closed and not last.has_second_header
    if indexed is not None and not entry.id and is_last_finished and has_same_arguments(indexed, entry.args):
        return Decision(indexed, is_repetition=True)
    return _decide_continuation(last, entry)


def _decide_by_index(last: TrackedCall, entry: Entry) -> Decision:
    """Decide about an entry whose name is that of the last call, but whose index is that of the next call."""
    if not last.is_partial:
        return Decision(decided_by_index=(last,))
    is_ambiguous = not entry.has_args or entry.args.lstrip().startswith("{")
    return Decision(last, ambiguous_calls=(last,) if is_ambiguous else ())


def _decide_same_name(evidence: Evidence, call: TrackedCall, entry: Entry) -> Decision:
    """Decide about an entry with the name of `call`.

    The entry is the next piece of `call`, a repetition of `call`, or another call of the same tool.
    """
    if call.is_partial:
        # Arguments that are a JSON string or `null` may be complete already. If `call` has no id, this entry may then
        # start another call.
        return Decision(call, ambiguous_calls=(call,) if call.is_wrapped and call.lacks_id else ())
    names = evidence.tool_names or frozenset()
    longer = _decide_repeated_name(call, entry.name, names) if call.is_empty and call.name else None
    if longer is not None:
        return longer
    if not entry.has_args:
        is_ambiguous = call.lacks_id and (call.has_second_header or not call.has_arguments)
        is_second_header = call.has_arguments and (bool(entry.id) or call.lacks_id)
        return Decision(call, is_second_header=is_second_header, ambiguous_calls=(call,) if is_ambiguous else ())
    if call.is_closed:
        return _decide_after_complete(call, entry)
    return _decide_after_placeholder(evidence, call, entry)


def _decide_repeated_name(call: TrackedCall, piece: str, names: frozenset[str]) -> Decision | None:
    """Decide about an entry that has the same name as `call`, which has no arguments yet.

    A server may send a long name in two equal pieces, for example `gogo` as `go` and `go`. Return `None` if no bound
    tool's name begins with the two pieces.
    """
    same = [name for name in names if name.startswith(call.name)]
    longer = [name for name in same if name.startswith(call.name + piece)]
    if not longer:
        return None
    is_sure = len(longer) == len(same) and not call.announced
    return Decision(call, name=call.name + piece) if is_sure else Decision(call, ambiguous_calls=(call,))


def _decide_after_placeholder(evidence: Evidence, call: TrackedCall, entry: Entry) -> Decision:
    """Decide whether `entry`, which has arguments, continues `call` or starts another call.

    `entry` has the same name as `call`. `call` has no arguments yet, or only `{}`.
    """
    is_placeholder = entry.args.strip() == "{}"
    is_identified = not call.lacks_id and (bool(entry.id) or call.has_second_header)
    if call.placeholder and is_placeholder and is_identified:
        return Decision(call, is_repetition=True)
    if call.placeholder and (evidence.skips_placeholders or (call.lacks_id and is_placeholder)):
        # The earlier `{}` is the complete arguments of `call`, and not a placeholder. One of two facts shows this: the
        # server sends no placeholders, or `{}` came twice and `call` has no id.
        header_call = call if is_identified and call.has_second_header else None
        return Decision(repeated_call=call if is_identified else None, header_call=header_call)
    is_second = bool(entry.id) or call.has_second_header or call.has_two_placeholders
    is_ambiguous = call.lacks_id or (bool(call.placeholder) and is_second)
    return Decision(call, ambiguous_calls=(call,) if is_ambiguous else ())


def _decide_after_complete(call: TrackedCall, entry: Entry) -> Decision:
    """Decide whether `entry`, which has arguments, repeats `call` or starts another call.

    `entry` has the same name as `call`. The arguments of `call` are complete.
    """
    if call.lacks_id:
        return Decision()
    is_identified = bool(entry.id) or call.has_second_header
    if has_same_arguments(call, entry.args):
        # The entry has the arguments of `call`. If `is_identified` is false, the entry is either a repetition, or a
        # second call with equal arguments.
        return Decision(call, is_repetition=True, ambiguous_calls=() if is_identified else (call,))
    return Decision(repeated_call=call if is_identified else None, header_call=call if call.has_second_header else None)


def _decide_continuation(call: TrackedCall, entry: Entry) -> Decision:
    """Decide about an entry without a name.

    The entry is the next piece of `call`, a repetition of `call`, or the arguments of another call whose name came in
    an earlier entry.
    """
    if not entry.has_args:
        return Decision(call)
    if call.has_second_header:
        is_copy = not call.lacks_id and entry.id in ("", call.wire_id)
        return Decision(name=call.name, header_call=call, repeated_call=call if is_copy else None)
    is_known = not entry.id or entry.id == call.wire_id
    if not call.is_closed or not is_known:
        is_own = not call.has_two_placeholders or entry.args.strip() == "{}"
        return Decision(call, ambiguous_calls=() if is_own else (call,))
    if has_same_arguments(call, entry.args):
        return Decision(call, is_repetition=True)
    scanner = JsonScanner()
    scanner.feed(entry.args)
    if entry.args.lstrip().startswith("{") and not scanner.complete and not call.lacks_id:
        return Decision(name=call.name, repeated_call=call, must_repeat=True)
    return Decision(call)


def _decide_other_name(evidence: Evidence, targets: Sequence[TrackedCall], entry: Entry) -> Decision:
    """Decide about an entry whose name differs from the names of the calls in `targets`.

    The name in the entry is either the next piece of the name of one of these calls, or the name of a new call. The
    names of the bound tools usually show which. If it stays uncertain, all calls to which the entry may belong get an
    error.
    """
    names = evidence.tool_names
    if names is None:
        unclear = tuple(call for call in targets if call.is_empty)
        return Decision(ambiguous_calls=unclear, is_new_call_ambiguous=bool(unclear))
    readings = [(call, name) for call in targets for name in _longer_names(call.name, entry.name, names)]
    begins_a_name = _begins_a_tool_name(entry.name, names)
    is_new = begins_a_name and any(call.name in names for call in targets)
    if is_new and not any(call.is_empty for call, _ in readings):
        return Decision()
    if not readings:
        # The name in the entry cannot continue the name of a call in `targets`. If it does not begin a tool's name
        # either, the entry may belong to any of these calls whose arguments are incomplete.
        unclear = () if begins_a_name else tuple(call for call in targets if not call.is_closed)
        if unclear:
            return Decision(ambiguous_calls=unclear, is_new_call_ambiguous=True)
        return _decide_new_name(evidence, entry)
    call, name = readings[0]
    if len(readings) == 1 and not is_new and call.is_empty and not call.announced:
        return Decision(call, name=name)
    return Decision(ambiguous_calls=tuple(call for call, _ in readings), is_new_call_ambiguous=True)


def _decide_new_name(evidence: Evidence, entry: Entry) -> Decision:
    """Decide that the entry starts a new call.

    The new call and an earlier call get an error if the name in the entry can only be a later piece of the earlier
    call's name.
    """
    if evidence.tool_names is None or _begins_a_tool_name(entry.name, evidence.tool_names):
        return Decision()
    unclear = tuple(_calls_completed_by(entry.name, evidence.tool_names, evidence.by_name))
    return Decision(ambiguous_calls=unclear, is_new_call_ambiguous=bool(unclear))


def _calls_completed_by(piece: str, names: frozenset[str], by_name: dict[str, TrackedCall]) -> Iterator[TrackedCall]:
    """Yield each call whose name, followed by `piece`, begins a tool's name: `get_` and `ti` begin `get_time`."""
    for name in names:
        start = name.find(piece, 1)
        while start > 0:
            if name[:start] in by_name:
                yield by_name[name[:start]]
            start = name.find(piece, start + 1)


def _longer_names(known: str, piece: str, names: frozenset[str]) -> Iterator[str]:
    """Yield the names that a call can have if its name so far is `known`, and `piece` arrives.

    Some servers send the next piece of the name in `piece`, and others send the whole name so far. A name is possible
    only if a tool's name begins with it.
    """
    if _begins_a_tool_name(known + piece, names):
        yield known + piece
    if known and piece.startswith(known) and _begins_a_tool_name(piece, names):
        yield piece


def _begins_a_tool_name(text: str, names: frozenset[str]) -> bool:
    return any(name.startswith(text) for name in names)


def may_name_grow(call: TrackedCall, names: frozenset[str] | None) -> bool:
    """Return whether the name of `call` may be incomplete, because a longer name of a bound tool begins with it."""
    if names is None or call.scanner.started:
        return False
    return any(name.startswith(call.name) and name != call.name for name in names)


def has_same_arguments(call: TrackedCall, args: str) -> bool:
    """Return whether `args` are complete, and equal as JSON to the arguments of `call`."""
    text = args.strip()
    if call.value is None or not (text.startswith("{") and text.endswith("}")):
        return False
    value = read_object(JsonScanner().feed(text))
    return value is not None and is_equal(value, call.value)


def fingerprint(value: JsonObject) -> str:
    """Return a text that is the same for all objects that are equal as JSON. Some servers write 5.0 for 5.

    >>> fingerprint({"b": 5.0, "a": True})
    '{"a": true, "b": 5}'
    """
    same: object = json.loads(json.dumps(value), parse_float=_read_number)
    return json.dumps(same, sort_keys=True)


def _read_number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number
