"""The forms in which servers stream tool calls, and functions that write and read calls in these forms.

A form is a choice of how the index, the ids, the names and the arguments are sent.
"""

import json
from dataclasses import dataclass
from itertools import product

from langchain_gemini_compat._response.events import CallExtras, ToolCallDelta
from langchain_gemini_compat._response.tool_calls import ToolCallTracker

INDICES = ("right", "absent", "zero", "lying", "random")
IDS = ("first", "every", "absent", "empty", "doubled first", "doubled every", "name first", "name every")
NAMES = ("once", "every")
ARGUMENTS = ("whole", "cut", "placeholder", "head")


@dataclass(frozen=True)
class Dialect:
    """How a server streams tool calls.

    `INDICES`, `IDS`, `NAMES` and `ARGUMENTS` list the possible values of the four fields.
    """

    index: str = "absent"
    ids: str = "first"
    names: str = "once"
    arguments: str = "whole"


DIALECTS = [Dialect(*choice) for choice in product(INDICES, IDS, NAMES, ARGUMENTS)]


@dataclass(frozen=True)
class Call:
    """A call that the model made.

    `args` is its JSON text, which is empty if the server sends nothing for no arguments.
    """

    name: str
    args: str
    id: str = ""

    @property
    def meaning(self):
        return self.name, json.loads(self.args or "{}")


def write_calls(calls, dialect, chance):
    """Return the entries of `tool_calls` for `calls`, one list per call.

    `chance(n)` gives a random number below `n`.
    """
    return [_write_call(position, calls, dialect, chance) for position in range(len(calls))]


def cut(text, chance, most=4):
    """Return `text` in some pieces."""
    ends = [*sorted(chance(len(text) + 1) for _ in range(chance(most))), len(text)]
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def weave(lists, chance):
    """Return the items of all `lists` in mixed order. Items of the same list keep their order."""
    lists = [list(items) for items in lists]
    woven = []
    while any(lists):
        woven.append([items for items in lists if items][chance(sum(map(bool, lists)))].pop(0))
    return woven


def group(entries, chance):
    """Return `entries` in groups of one or more. Each group is sent in one delta."""
    deltas = [[]]
    for entry in entries:
        if deltas[-1] and chance(3):
            deltas.append([])
        deltas[-1].append(entry)
    return deltas


#: The names of the bound tools.
BOUND = ("f", "g", "h", "get_weather")


def read_calls(deltas, *, is_clean=True, names=BOUND, **options):
    """Return `(calls, invalid names, extras)` for `deltas`, each of which is a list of entries.

    Assert that the first event of a call has its id and its name, and that its extra fields come once, after this
    event.
    """
    tracker = ToolCallTracker("seed", names=names, **options)
    events = [event for delta in deltas for event in tracker.feed(delta)]
    events += tracker.finish(is_clean=is_clean)
    calls, extras = {}, {}
    for event in events:
        if isinstance(event, CallExtras):
            assert event.id in {call.id for call in calls.values()}, "extras of a call come after its head"
            assert event.id not in extras, "extras of a call come once"
            extras[event.id] = event.fields
            continue
        assert isinstance(event, ToolCallDelta)
        if event.index in calls:
            assert event.id is event.name is None, "id and name come once"
            call = calls[event.index]
            calls[event.index] = Call(call.name, call.args + event.args, call.id)
        else:
            assert event.id, "a call starts with its id"
            assert event.name, "a call starts with its name"
            calls[event.index] = Call(event.name, event.args, event.id)
    return [calls[index] for index in sorted(calls)], names_of_invalid(tracker), extras


def names_of_invalid(tracker):
    """Return the names of the calls that must not run."""
    return tuple(call.name or "(nameless)" for call in tracker.list_invalid())


def by_index(entries):
    """Return the calls that result if all entries with the same index belong to one call.

    Return `None` if these calls are not valid, for example if two entries of an index have different names.
    """
    groups = {}
    for entry in entries:
        groups.setdefault(entry.get("index"), []).append(entry)
    if list(groups) != list(range(len(groups))):
        return None
    calls = []
    for group_ in groups.values():
        names = {entry["function"].get("name") for entry in group_} - {None}
        ids = {entry.get("id") for entry in group_} - {None, ""}
        texts = [text for entry in group_ if (text := entry["function"]["arguments"]).strip()]
        while texts[1:] and texts[0] == "{}":
            del texts[0]
        if len(names) != 1 or len(ids) > 1:
            return None
        try:
            calls.append(Call(names.pop(), "".join(texts)).meaning)
        except ValueError:
            return None
    return calls


def _write_call(position, calls, dialect, chance):
    call = calls[position]
    texts = _write_arguments(call.args, dialect.arguments, chance)
    wire_id = _id_of(position, calls, dialect)
    entries = []
    for number, text in enumerate(texts):
        function = {"arguments": text}
        if number == 0 or dialect.names == "every":
            function["name"] = call.name
        entry = {"function": function, "type": "function"}
        if wire_id is not None and (number == 0 or dialect.ids.endswith(("every", "empty"))):
            entry["id"] = wire_id
        index = _index_of(position, number, len(calls), dialect.index, chance)
        if index is not None:
            entry["index"] = index
        entries.append(entry)
    return entries


def _write_arguments(args, style, chance):
    if style == "whole":
        return [args]
    if style == "placeholder":
        return ["{}"] if args in ("", "{}") else ["{}", *cut(args, chance)]
    pieces = cut(args, chance) if args else []
    return ["", *pieces] if style == "head" else pieces or [args]


def _id_of(position, calls, dialect):
    style = dialect.ids.split()[0]
    if style == "absent":
        return None
    if style == "doubled":
        return calls[position // 2 * 2].id
    return {"empty": "", "name": calls[position].name}.get(style, calls[position].id)


def _index_of(position, number, count, style, chance):
    if style == "lying":
        # Vertex sends wrong indices when it streams arguments. For example, the first of two calls has the index 1 in
        # its first delta, and the index 0 in its later deltas.
        return max(1, count - 1) - position if number == 0 else position
    return {"right": position, "zero": 0, "random": chance(count + 1)}.get(style)
