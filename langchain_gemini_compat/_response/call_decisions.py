"""Which call an entry of `tool_calls` belongs to: pure functions from what came so far to a `Decision`.

Nothing here changes anything; `tool_calls` applies the decision. Where the evidence fits more than one reading, the
decision names the calls that are in doubt, and those are faults.
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


#: How arguments begin: an object, a text that holds one, or `null`.
_BEGINNINGS = ("{", '"', "null")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `tool_calls`, read; what is missing, null or of another type is empty."""

    index: int | None
    id: str
    name: str
    args: str
    extras: JsonObject
    #: There are arguments, or a piece of them, and not only white space.
    has_args: bool


@dataclass(slots=True, eq=False)
class TrackedCall:
    """One call under construction. `position` is -1 while it may turn out to repeat the call `repeats`."""

    position: int
    wire_id: str
    id: str
    name: str
    scanner: JsonScanner = field(default_factory=JsonScanner)
    pieces: list[str] = field(default_factory=list)
    #: How many of the pieces were handed out.
    sent: int = 0
    extras: JsonObject = field(default_factory=dict)
    #: What came after the extras were handed out: copies, and perhaps something new.
    late_extras: JsonObject = field(default_factory=dict)
    #: `{}` as the first arguments may be a whole call or a placeholder before the real ones (seen at gateways).
    placeholder: str = ""
    #: `{}` came twice under its id: a repetition, unless arguments follow.
    has_two_placeholders: bool = False
    #: The arguments are JSON, but no object: a text with the arguments inside, or `null`.
    is_wrapped: bool = False
    #: A head of the same name and without arguments came after the arguments: the end, or the start of another call.
    second_head: bool = False
    announced: bool = False
    extras_sent: bool = False
    #: Its name came in more than one piece.
    has_joined_name: bool = False
    #: Why nobody may run it; empty while nothing speaks against it.
    fault: str = ""
    #: The whole call that this one may be a repetition of.
    repeats: TrackedCall | None = None
    #: A repetition that named neither call nor tool: it can be nothing but a repetition.
    must_repeat: bool = False
    #: The arguments, once they are whole; `None` where they are no JSON object.
    value: JsonObject | None = None
    #: The fingerprint of the arguments, once it was computed.
    fingerprint: str = ""

    @property
    def is_open(self) -> bool:
        """Arguments have begun and are not whole."""
        return self.scanner.started and not self.scanner.complete

    @property
    def is_whole(self) -> bool:
        """The brackets of the arguments are closed."""
        return self.scanner.complete

    @property
    def is_filled(self) -> bool:
        """There are whole arguments, even if only `{}`."""
        return self.scanner.complete or bool(self.placeholder)

    @property
    def is_empty(self) -> bool:
        """No arguments came, and no placeholder for them."""
        return not self.scanner.started and not self.placeholder

    @property
    def is_anonymous(self) -> bool:
        """No id tells it from other calls of its name (Vertex sent names as ids in 2024)."""
        return self.wire_id in ("", self.name)

    def is_called(self, name: str) -> bool:
        """`name` does not contradict its name."""
        return not name or not self.name or name == self.name

    def may_take(self, args: str) -> bool:
        """`args` can be what comes next in its arguments."""
        text = args.strip()
        begins = text.startswith(_BEGINNINGS) or "null".startswith(text)
        return self.is_open or (not self.is_whole and begins)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What came so far, as far as it decides about the next entry."""

    calls: Sequence[TrackedCall]
    by_id: dict[str, TrackedCall]
    #: The newest call of each name.
    by_name: dict[str, TrackedCall]
    #: By their wire id, the possible repetitions whose arguments are not whole.
    repetitions: dict[str, TrackedCall]
    #: The one of them that the last entry belonged to.
    recent: TrackedCall | None
    #: The names of the bound tools; `None` where they are not known.
    names: frozenset[str] | None
    index_credible: bool
    #: Some call's arguments began with something else than `{}`: this server sends no placeholders.
    is_direct: bool

    def call_at(self, index: int | None) -> TrackedCall | None:
        """The call that the index names, as far as indices can be believed."""
        calls = self.calls
        if index is None or not self.index_credible or not 0 <= index < len(calls) or len(calls) == 1:
            return None
        return calls[index]

    def is_new(self, index: int | None) -> bool:
        """The index is the next one."""
        return self.index_credible and index == len(self.calls)


@dataclass(frozen=True, slots=True)
class Decision:
    """What one entry is: more of `call`, or a new call where `call` is `None`."""

    call: TrackedCall | None = None
    #: The name that the call has from now on, where the entry does not say it in one piece.
    name: str = ""
    #: The entry says what `call` already holds.
    is_repetition: bool = False
    #: The new call may be a repetition of this one.
    repeats: TrackedCall | None = None
    #: The new call is a repetition, or there is a fault.
    must_repeat: bool = False
    #: It is the end of `call`, or the head of another call of the same tool.
    is_second_head: bool = False
    #: The head that announced the new call.
    head: TrackedCall | None = None
    #: Calls that fit more than one reading.
    doubts: tuple[TrackedCall, ...] = ()
    #: The new call fits more than one reading.
    is_doubtful: bool = False
    #: Calls about which the index alone decided.
    trusts: tuple[TrackedCall, ...] = ()


def decide(seen: Evidence, entry: Entry) -> Decision:
    """The call that the entry goes on, or a new one; the table is in the docstring of `ToolCallTracker`."""
    repetition = seen.repetitions.get(entry.id) if entry.id else None
    if repetition is not None and repetition.is_called(entry.name):
        return Decision(repetition)
    known = seen.by_id.get(entry.id) if entry.id else None
    if known is not None:
        return _decide_known(seen, known, entry)
    recent = seen.recent
    if recent is not None and (entry.has_args if not entry.name else not entry.id and entry.name == recent.name):
        return Decision(recent)
    if not seen.calls:
        return Decision()
    return _decide_named(seen, entry) if entry.name else _decide_nameless(seen, entry)


def _decide_known(seen: Evidence, call: TrackedCall, entry: Entry) -> Decision:
    if not call.is_called(entry.name):
        return _decide_other_name(seen, (call,), entry)
    return _decide_same_name(seen, call, entry) if entry.name else _decide_more(call, entry)


def _decide_named(seen: Evidence, entry: Entry) -> Decision:
    last = seen.calls[-1]
    if entry.id:
        # A late id, or another call?
        is_late = not last.wire_id and last.is_called(entry.name) and not last.is_whole
        return Decision(last, doubts=(last,)) if is_late else _decide_new_name(seen, entry)
    told = seen.call_at(entry.index)
    if told is not None and told.name == entry.name:
        is_same = told.is_whole and not told.is_anonymous and holds(told, entry.args)
        if is_same or not (told.is_whole and entry.has_args):
            return Decision(told, is_repetition=is_same, trusts=(told, last))
    targets = (last,) if told is None or told is last else (told, last)
    if not last.is_called(entry.name):
        return _decide_other_name(seen, targets, entry)
    if told is not None and told is not last and seen.names and any(_longer_names(told.name, entry.name, seen.names)):
        # The rest of that call's name, or this one's name again?
        return Decision(last, doubts=targets)
    if seen.is_new(entry.index) and not (last.is_whole and entry.has_args):
        return _decide_by_index(last, entry)
    return _decide_same_name(seen, last, entry)


def _decide_nameless(seen: Evidence, entry: Entry) -> Decision:
    last = seen.calls[-1]
    told = seen.call_at(entry.index)
    if not entry.has_args:
        return Decision(told or last)
    if told is not None and told is not last and told.may_take(entry.args):
        return Decision(told, trusts=(told, last) if last.may_take(entry.args) else ())
    if told is not None and not entry.id and last.is_whole and not last.second_head and holds(told, entry.args):
        return Decision(told, is_repetition=True)
    return _decide_more(last, entry)


def _decide_by_index(last: TrackedCall, entry: Entry) -> Decision:
    """The index alone says that this is a new call of the last one's name."""
    if not last.is_open:
        return Decision(trusts=(last,))
    unsure = not entry.has_args or entry.args.lstrip().startswith("{")
    return Decision(last, doubts=(last,) if unsure else ())


def _decide_same_name(seen: Evidence, call: TrackedCall, entry: Entry) -> Decision:
    """The name of `call` again: more of it, a repetition, or another call of the same tool?"""
    if call.is_open:
        # After a text or `null`, which may be whole, the name can be another call's.
        return Decision(call, doubts=(call,) if call.is_wrapped and call.is_anonymous else ())
    longer = _decide_doubled_name(call, entry.name, seen.names) if call.is_empty and call.name and seen.names else None
    if longer is not None:
        return longer
    if not entry.has_args:
        unsure = call.is_anonymous and (call.second_head or not call.is_filled)
        second = call.is_filled and (bool(entry.id) or call.is_anonymous)
        return Decision(call, is_second_head=second, doubts=(call,) if unsure else ())
    if call.is_whole:
        return _decide_after_whole(call, entry)
    return _decide_after_placeholder(seen, call, entry)


def _decide_doubled_name(call: TrackedCall, piece: str, names: frozenset[str]) -> Decision | None:
    """The name twice, where that begins a tool's name as well; `None` where it does not."""
    same = [name for name in names if name.startswith(call.name)]
    longer = [name for name in same if name.startswith(call.name + piece)]
    if not longer:
        return None
    is_sure = len(longer) == len(same) and not call.announced
    return Decision(call, name=call.name + piece) if is_sure else Decision(call, doubts=(call,))


def _decide_after_placeholder(seen: Evidence, call: TrackedCall, entry: Entry) -> Decision:
    """Name and arguments after none, or after `{}`."""
    is_placeholder = entry.args.strip() == "{}"
    if call.placeholder and is_placeholder and entry.id and not call.is_anonymous:
        return Decision(call, is_repetition=True)
    if call.placeholder and (seen.is_direct or (call.is_anonymous and is_placeholder)):
        # This server sends no placeholders, or no id.
        return Decision(repeats=None if call.is_anonymous or not entry.id else call)
    is_second = bool(entry.id) or call.second_head or call.has_two_placeholders
    unsure = call.is_anonymous or (bool(call.placeholder) and is_second)
    return Decision(call, doubts=(call,) if unsure else ())


def _decide_after_whole(call: TrackedCall, entry: Entry) -> Decision:
    """Name and arguments after whole ones."""
    if call.is_anonymous:
        return Decision()
    if holds(call, entry.args):
        # Without the id that this server sends it may be a second call.
        return Decision(call, is_repetition=True, doubts=() if entry.id or call.second_head else (call,))
    return Decision(repeats=call if entry.id or call.second_head else None, head=call if call.second_head else None)


def _decide_more(call: TrackedCall, entry: Entry) -> Decision:
    """No name: more of `call`, what follows a second head of its name, or its arguments once more."""
    if not entry.has_args:
        return Decision(call)
    if call.second_head:
        is_copy = not call.is_anonymous and entry.id in ("", call.wire_id)
        return Decision(name=call.name, head=call, repeats=call if is_copy else None)
    is_known = not entry.id or entry.id == call.wire_id
    if not call.is_whole or not is_known:
        is_own = not call.has_two_placeholders or entry.args.strip() == "{}"
        return Decision(call, doubts=() if is_own else (call,))
    if holds(call, entry.args):
        return Decision(call, is_repetition=True)
    scanner = JsonScanner()
    scanner.feed(entry.args)
    if entry.args.lstrip().startswith("{") and not scanner.complete and not call.is_anonymous:
        return Decision(name=call.name, repeats=call, must_repeat=True)
    return Decision(call)


def _decide_other_name(seen: Evidence, targets: Sequence[TrackedCall], entry: Entry) -> Decision:
    """Another name than that of the calls it may belong to: a piece of a name, all of it so far, or a new call.

    The names of the bound tools decide; where they are not known, a call without arguments is a fault.
    """
    if seen.names is None:
        unsure = tuple(call for call in targets if call.is_empty)
        return Decision(doubts=unsure, is_doubtful=bool(unsure))
    readings = [(call, name) for call in targets for name in _longer_names(call.name, entry.name, seen.names)]
    is_new = _begins_a_name(entry.name, seen.names) and any(call.name in seen.names for call in targets)
    if is_new and not any(call.is_empty for call, _ in readings):
        return Decision()
    if not readings:
        # No id of its own and no tool's name: the rest of a name that nobody knows, or a call of its own?
        unsure = () if _begins_a_name(entry.name, seen.names) else tuple(it for it in targets if not it.is_whole)
        return Decision(doubts=unsure, is_doubtful=True) if unsure else _decide_new_name(seen, entry)
    call, name = readings[0]
    if len(readings) == 1 and not is_new and call.is_empty and not call.announced:
        return Decision(call, name=name)
    return Decision(doubts=tuple(call for call, _ in readings), is_doubtful=True)


def _decide_new_name(seen: Evidence, entry: Entry) -> Decision:
    """A new call, unless its name is no tool's and can be the rest of an earlier call's."""
    if seen.names is None or _begins_a_name(entry.name, seen.names):
        return Decision()
    unsure = tuple(_calls_named_before(entry.name, seen.names, seen.by_name))
    return Decision(doubts=unsure, is_doubtful=bool(unsure))


def _calls_named_before(piece: str, names: frozenset[str], by_name: dict[str, TrackedCall]) -> Iterator[TrackedCall]:
    """The calls whose names `piece` can follow in the name of a tool."""
    for name in names:
        start = name.find(piece, 1)
        while start > 0:
            if name[:start] in by_name:
                yield by_name[name[:start]]
            start = name.find(piece, start + 1)


def _longer_names(known: str, piece: str, names: frozenset[str]) -> Iterator[str]:
    """What `known` may become by `piece`: some servers send the rest of a name, others the name so far."""
    if _begins_a_name(known + piece, names):
        yield known + piece
    if known and piece.startswith(known) and _begins_a_name(piece, names):
        yield piece


def _begins_a_name(text: str, names: frozenset[str]) -> bool:
    return any(name.startswith(text) for name in names)


def is_name_settled(call: TrackedCall, names: frozenset[str] | None) -> bool:
    """Whether no further piece can make another bound tool's name of it."""
    if names is None or call.scanner.started:
        return True
    return not any(name.startswith(call.name) and name != call.name for name in names)


def holds(call: TrackedCall, args: str) -> bool:
    """Whether `args` are whole, and as JSON what the arguments of `call` are."""
    text = args.strip()
    if call.value is None or not (text.startswith("{") and text.endswith("}")):
        return False
    said = read_object(JsonScanner().feed(text))
    return said is not None and is_equal(said, call.value)


def fingerprint(value: JsonObject) -> str:
    """One text for all objects that are equal as JSON: servers write 5 and 5.0 for the same.

    >>> fingerprint({"b": 5.0, "a": True})
    '{"a": true, "b": 5}'
    """
    same: object = json.loads(json.dumps(value), parse_float=_read_number)
    return json.dumps(same, sort_keys=True)


def _read_number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number
