"""Tests the assembly of tool calls: the decision tables, and random calls in the dialects of servers."""

import json
import re
import sys
from random import Random

import pytest
from call_dialects import DIALECTS, Call, Dialect, by_index, group, read_calls, weave, write_calls
from hypothesis import example, given, settings
from hypothesis import strategies as st

from langchain_gemini_compat._response.json_scan import JsonScanner
from langchain_gemini_compat._response.tool_calls import ToolCallTracker, split_litellm_id

A, B, WHOLE, HALF, REST = '{"a":1}', '{"b":[]}', '{"w":{}}', '{"h":', "2}"
TWO_OF_F = [("f", {"a": 1}), ("f", {"b": []})]


def entry(wire_id=None, name=None, args=None, index=None, **more):
    """Return an entry of `tool_calls` without the keys that are `None`."""
    function = {key: value for key, value in (("name", name), ("arguments", args)) if value is not None}
    fields = {"index": index, "id": wire_id, "function": function or None, **more}
    return {key: value for key, value in fields.items() if value is not None}


def read(*entries, **options):
    """Decode `entries`, each in its own delta. Return calls, ids, names of invalid calls, and extra fields.

    A call is returned as its name and its parsed arguments. It is left out if its arguments are not a JSON object.
    """
    calls, invalid, extras = read_calls([[item] for item in entries], **options)
    return [call.meaning for call in calls if _is_json(call.args)], [call.id for call in calls], invalid, extras


def _is_json(text):
    try:
        return isinstance(json.loads(text or "{}"), dict)
    except (ValueError, RecursionError):
        return False


# Each row has four values: its name, entries of `tool_calls` (id, name, arguments, index), the expected calls, and
# whether a call is invalid.
ROWS = [
    ("known id, another name", [("c", "f", A), ("c", "g", B)], [("f", {"a": 1}), ("g", {"b": []})], False),
    (
        "arguments of an earlier index again",
        [("c", "f", A, 0), ("d", "g", B, 1), (None, None, A, 0)],
        [("f", {"a": 1}), ("g", {"b": []})],
        False,
    ),
    ("known id, its name, partial", [("c", "f", HALF), ("c", "f", REST)], [("f", {"h": 2})], False),
    ("known id, its name, empty", [("c", "f", ""), ("c", "f", A)], [("f", {"a": 1})], False),
    ("known id, its name, complete", [("c", "f", A), ("c", "f", B)], TWO_OF_F, False),
    ("known id, its name, only {}", [("c", "f", "{}"), ("c", "f", A)], [("f", {"a": 1})], True),
    ("known id, its name, only {}, twice: a repetition", [("c", "f", "{}"), ("c", "f", "{}")], [("f", {})], False),
    (
        "known id, its name, only {}, twice, and arguments",
        [("c", "f", "{}"), ("c", "f", "{}"), (None, "f", A)],
        [("f", {"a": 1})],
        True,
    ),
    (
        "known id, its name, only {}, twice, and arguments without a name",
        [("c", "f", "{}"), ("c", "f", "{}"), (None, None, A)],
        [("f", {"a": 1})],
        True,
    ),
    (
        "known id, its name, only {}, server without placeholders",
        [("d", "g", A), ("c", "f", "{}"), ("c", "f", A)],
        [("g", {"a": 1}), ("f", {}), ("f", {"a": 1})],
        False,
    ),
    ("known id, its name, no arguments", [("c", "f", A), ("c", "f", "")], [("f", {"a": 1})], False),
    ("known id, its name, second header", [("c", "f", A), ("c", "f", ""), ("c", None, B)], TWO_OF_F, False),
    ("known id, its name, second header, named", [("c", "f", A), ("c", "f", ""), ("c", "f", B)], TWO_OF_F, False),
    ("known id, no name", [("c", "f", HALF), ("c", None, REST)], [("f", {"h": 2})], False),
    ("known id, no name, only {}", [("c", "f", "{}"), ("c", None, A)], [("f", {"a": 1})], False),
    ("known id, no name, complete", [("c", "f", A), ("c", None, B)], [], True),
    (
        "known ids, interleaved",
        [("c", "f", HALF), ("d", "g", B), ("c", None, REST)],
        [("f", {"h": 2}), ("g", {"b": []})],
        False,
    ),
    ("name as id, empty", [("f", "f", ""), ("f", "f", A)], [("f", {"a": 1})], True),
    ("name as id, empty twice", [("f", "f", ""), ("f", "f", "")], [("f", {})], True),
    ("name as id, only {}, twice", [("f", "f", "{}"), ("f", "f", "{}")], [("f", {}), ("f", {})], False),
    ("name as id, only {}", [("f", "f", "{}"), ("f", "f", A)], [("f", {"a": 1})], True),
    ("name as id, complete", [("f", "f", A), ("f", "f", B)], TWO_OF_F, False),
    ("name as id, no arguments", [("f", "f", A), ("f", "f", "")], [("f", {"a": 1})], True),
    ("new id, late", [(None, "f", ""), ("c", "f", A)], [("f", {"a": 1})], True),
    ("new id, last is complete", [(None, "f", A), ("c", "f", B)], TWO_OF_F, False),
    ("new id", [("c", "f", "{}"), ("d", "f", A)], [("f", {}), ("f", {"a": 1})], False),
    ("new id, last is partial", [("c", "f", HALF), ("d", "g", A)], [("g", {"a": 1})], True),
    ("new id, no name: ids change", [("c", "f", HALF), ("d", None, REST)], [("f", {"h": 2})], False),
    ("new id, no name, last is complete", [("c", "f", A), ("d", None, B)], [], True),
    ("no id, another name", [(None, "f", ""), (None, "g", A)], [("f", {}), ("g", {"a": 1})], False),
    ("no id, last name, partial", [(None, "f", HALF), (None, "f", REST)], [("f", {"h": 2})], False),
    ("no id, last name, complete", [(None, "f", A), (None, "f", B)], TWO_OF_F, False),
    ("no id, last name, empty", [(None, "f", ""), (None, "f", A)], [("f", {"a": 1})], True),
    ("no id, last name, empty, the call has an id", [("c", "f", ""), (None, "f", A)], [("f", {"a": 1})], False),
    ("no id, last name, empty twice", [(None, "f", ""), (None, "f", "")], [("f", {})], True),
    ("no id, last name, only {}", [(None, "f", "{}"), (None, "f", A)], [("f", {"a": 1})], True),
    ("no id, last name, only {}, the call has an id", [("c", "f", "{}"), (None, "f", A)], [("f", {"a": 1})], False),
    ("no id, last name, only {}, twice", [(None, "f", "{}"), (None, "f", "{}")], [("f", {}), ("f", {})], False),
    (
        "no id, last name, only {}, server without placeholders",
        [(None, "g", A), (None, "f", "{}"), (None, "f", A)],
        [("g", {"a": 1}), ("f", {}), ("f", {"a": 1})],
        False,
    ),
    ("no id, last name, no arguments", [(None, "f", A), (None, "f", "")], [("f", {"a": 1})], True),
    ("no id, last name, second header", [(None, "f", A), (None, "f", ""), (None, None, B)], TWO_OF_F, False),
    (
        "no id, last name, two headers",
        [(None, "f", A), (None, "f", ""), (None, "f", ""), (None, None, B)],
        TWO_OF_F,
        True,
    ),
    (
        "no id, last name, second header, after {}",
        [(None, "f", "{}"), (None, "f", ""), (None, None, B)],
        [("f", {}), ("f", {"b": []})],
        False,
    ),
    ("no id, no name", [(None, "f", ""), (None, None, A)], [("f", {"a": 1})], False),
    ("no id, no name, only {}", [(None, "f", "{}"), (None, None, A)], [("f", {"a": 1})], False),
    ("no id, no name, last is complete", [(None, "f", A), (None, None, B)], [], True),
    ("no id, no name, no call", [(None, None, A)], [], True),
    ("name comes late", [("c", None, HALF), ("c", "f", REST)], [("f", {"h": 2})], False),
    ("index, new, last is empty", [(None, "f", "", 0), (None, "f", A, 1)], [("f", {}), ("f", {"a": 1})], False),
    ("index, new, last is only {}", [(None, "f", "{}", 0), (None, "f", A, 1)], [("f", {}), ("f", {"a": 1})], False),
    ("index, new, last is partial", [(None, "f", HALF, 0), (None, "f", A, 1)], [], True),
    ("index, new, last is partial, no start", [(None, "f", HALF, 0), (None, "f", REST, 1)], [("f", {"h": 2})], False),
    ("index, always zero, empty", [(None, "f", "", 0), (None, "f", A, 0)], [("f", {"a": 1})], True),
    ("index, always zero, complete", [("", "f", A, 0), ("", "f", B, 0)], TWO_OF_F, False),
    (
        "index, of an earlier call, no name",
        [("c", "f", "", 0), ("d", "g", "", 1), (None, None, A, 0), (None, None, B, 1)],
        [("f", {"a": 1}), ("g", {"b": []})],
        False,
    ),
    (
        "index, of an earlier call, its name",
        [(None, "f", HALF, 0), (None, "g", HALF, 1), (None, "f", REST, 0), (None, "g", REST, 1)],
        [("f", {"h": 2}), ("g", {"h": 2})],
        False,
    ),
    (
        "index, of an earlier call that is complete",
        [("c", "f", A, 0), ("d", "g", HALF, 1), (None, None, REST, 0)],
        [("f", {"a": 1}), ("g", {"h": 2})],
        False,
    ),
    (
        "index, wrong later",
        [("c", "f", "", 0), ("d", "g", "", 1), (None, None, A, 0), ("e", "h", B, 7)],
        [("f", {"a": 1}), ("g", {}), ("h", {"b": []})],
        True,
    ),
    (
        "index, of an earlier call, its name, wrong later",
        [(None, "f", "", 0), (None, "g", "", 1), (None, "f", A, 0), (None, "h", B, 7)],
        [("f", {"a": 1}), ("g", {}), ("h", {"b": []})],
        True,
    ),
    (
        "index, of an earlier call that these cannot continue",
        [("c", "f", "", 0), ("d", "g", HALF, 1), (None, None, REST, 0)],
        [("f", {}), ("g", {"h": 2})],
        False,
    ),
    (
        "index, new, last is partial, which can contain it",
        [(None, "f", '{"a":[', 0), (None, "f", B, 1), (None, "f", "]}", 0)],
        [("f", {"a": [{"b": []}]})],
        True,
    ),
    (
        "index, of an earlier call that has only {}, its name",
        [(None, "f", "{}", 0), (None, "g", "{}", 1), (None, "f", A, 0)],
        [("f", {"a": 1}), ("g", {})],
        False,
    ),
    (
        "index, of an earlier call that is complete, its name, no arguments",
        [(None, "f", A, 0), (None, "g", B, 1), (None, "f", "", 0)],
        [("f", {"a": 1}), ("g", {"b": []})],
        False,
    ),
    (
        "index, below zero",
        [("c", "f", "", 0), ("d", "g", "", 1), (None, None, A, -2)],
        [("f", {}), ("g", {"a": 1})],
        False,
    ),
    ("index, never right", [("c", "f", "", 5), (None, None, A, -1)], [("f", {"a": 1})], False),
]


@pytest.mark.parametrize(
    ("names", "meanings", "invalid"),
    [
        ({"paypay"}, [("paypay", {"a": 1})], ()),
        ({"pay"}, [("pay", {"a": 1})], ()),
        ({"pay", "paypay"}, [("pay", {"a": 1})], ("pay",)),
    ],
    ids=["joined", "repeated", "unclear"],
)
def test_name_that_comes_twice_is_joined_only_if_the_tools_decide_it(names, meanings, invalid):
    """Field case A3: the name `pay` comes twice in one call.

    The names of the tools decide whether this means `pay` or `paypay`, or whether it is unclear.
    """
    found, _, wrong, _ = read(entry("c", "pay", ""), entry(None, "pay", '{"a": 1}'), names=names)
    assert (found, wrong) == (meanings, invalid)


@pytest.mark.parametrize(("entries", "meanings", "is_invalid"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_every_row_of_the_decision_table_holds(entries, meanings, is_invalid):
    """The rows come from the tables in the docstring of `ToolCallTracker`."""
    found, _, invalid, _ = read(*(entry(*item) for item in entries))
    assert found == meanings
    assert bool(invalid) is is_invalid


names = st.sampled_from(["f", "g", "get_weather"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["}{", '"', "\\", "é\n", "{}"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(st.text(max_size=3), json_values, min_size=1, max_size=2)
arguments = st.just("{}") | st.just("") | st.builds(json.dumps, objects, ensure_ascii=st.booleans())
call_lists = st.lists(st.tuples(names, arguments), min_size=1, max_size=4).map(
    lambda pairs: [Call(name, args, f"id_{number}") for number, (name, args) in enumerate(pairs)]
)
seeds = st.integers(0, 2**32)


@settings(max_examples=1500, deadline=None)
@given(calls=call_lists, dialect=st.sampled_from(DIALECTS), seed=seeds)
@example(
    calls=[Call("f", "{}", "id_0"), Call("f", "{}", "id_1")],
    dialect=Dialect("right", "doubled first", "every", "cut"),
    seed=44276,
)
@example(
    calls=[Call("f", "{}", f"id_{number}") for number in range(4)],
    dialect=Dialect("right", "doubled first", "every", "head"),
    seed=0,
)
def test_calls_are_right_or_invalid_in_every_dialect(calls, dialect, seed):
    """Either a call is reported as invalid, or the result has exactly the calls that were written.

    With random indices, the entries may describe other valid calls. Then the result may be these other calls.

    If two calls have the same id, empty arguments are written as `{}`. Otherwise, the call without arguments would look
    like a header of the other call.
    """
    if dialect.ids.startswith("doubled"):
        calls = [Call(call.name, call.args or "{}", call.id) for call in calls]
    chance = Random(seed).randrange
    entries = [item for items in write_calls(calls, dialect, chance) for item in items]
    found, invalid, _ = read_calls(group(entries, chance))
    if invalid:
        return
    meanings = [call.meaning for call in found]
    if dialect.index == "random" and meanings == by_index(entries):
        return
    if dialect.ids.startswith("doubled"):
        calls = drop_repetitions(calls)
    assert meanings == [call.meaning for call in calls]
    ids = [call.id for call in found]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", call_id) for call_id in ids)
    if dialect.ids in ("first", "every"):
        assert ids == [call.id for call in calls]


def drop_repetitions(calls):
    """Return `calls` without repetitions.

    The calls come in pairs with the same id. If the two calls of a pair are equal, only the first one is kept.
    """
    texts = [(call.name, json.dumps(call.meaning[1], sort_keys=True)) for call in calls]
    return [call for position, call in enumerate(calls) if position % 2 == 0 or texts[position] != texts[position - 1]]


def _is_decidable(dialect):
    placeholders = dialect.ids == "every" and dialect.names == "every" and dialect.arguments == "placeholder"
    return dialect.ids in ("first", "every") and dialect.index != "random" and not placeholders


@settings(max_examples=1000, deadline=None)
@given(calls=call_lists, dialect=st.sampled_from([*filter(_is_decidable, DIALECTS)]), seed=seeds)
def test_calls_with_ids_are_never_invalid(calls, dialect, seed):
    """Tool calls in the forms of AI Studio, Vertex AI (with wrong indices), OpenAI and Ollama are never ambiguous.

    One ambiguous form is left out: it has a `{}` placeholder, and every entry has the id and the name of the call.
    """
    chance = Random(seed).randrange
    entries = [item for items in write_calls(calls, dialect, chance) for item in items]
    found, invalid, _ = read_calls(group(entries, chance))
    assert invalid == ()
    assert [call.meaning for call in found] == [call.meaning for call in calls]


@settings(max_examples=400, deadline=None)
@given(
    calls=call_lists, ids=st.sampled_from(["absent", "empty"]), index=st.sampled_from(["absent", "zero"]), seed=seeds
)
def test_complete_calls_without_ids_are_ambiguous_only_after_an_empty_one(calls, ids, index, seed):
    """Without ids, the `{}` of one call may be a placeholder for the arguments of the next call of the same tool.

    This matters because AI Studio sent empty ids in 2025.
    """
    calls = [Call(call.name, call.args or "{}") for call in calls]
    chance = Random(seed).randrange
    entries = [item for items in write_calls(calls, Dialect(index, ids), chance) for item in items]
    found, invalid, _ = read_calls(group(entries, chance))
    first = next((number for number, call in enumerate(calls) if call.args != "{}"), 0)
    if first and calls[first - 1].name == calls[first].name:
        assert invalid
    else:
        assert not invalid
        assert [call.meaning for call in found] == [call.meaning for call in calls]


@settings(max_examples=600, deadline=None)
@given(
    calls=call_lists,
    dialect=st.sampled_from(
        [
            dialect
            for dialect in filter(_is_decidable, DIALECTS)
            if dialect.ids == "every" or (dialect.index == "right" and dialect.names == "once")
        ]
    ),
    seed=seeds,
)
def test_interleaved_calls_are_separated_by_ids_or_right_indices(calls, dialect, seed):
    """Deltas of several calls can alternate if each delta has an id or a right index.

    The stream begins with the first delta of each call, in the order of the calls.
    """
    chance = Random(seed).randrange
    lists = write_calls(calls, dialect, chance)
    woven = [head for head, *_ in lists] + weave([body for _, *body in lists], chance)
    found, invalid, _ = read_calls(group(woven, chance))
    assert invalid == ()
    assert [call.meaning for call in found] == [call.meaning for call in calls]


@settings(max_examples=300, deadline=None)
@given(calls=call_lists, dialect=st.sampled_from(DIALECTS), seed=seeds)
def test_generated_ids_do_not_depend_on_the_grouping(calls, dialect, seed):
    """Generated ids are derived from the seed and the position."""
    entries = [item for items in write_calls(calls, dialect, Random(seed).randrange) for item in items]
    assert read_calls([[item] for item in entries]) == read_calls([entries])


@pytest.mark.parametrize(
    ("wire_id", "kept"),
    [
        ("call_297140", True),
        ("function-call-c855348a-459a-46a4-a8ad-aa0a4e7c3563", True),
        ("functions.w:0", True),
        ("x" * 256, True),
        ("x" * 257, False),
        ("", False),
        (" ", False),
        ("a b", True),
        ("é", True),
        ("call_1\n", False),
    ],
)
def test_an_id_of_the_server_is_kept_unless_it_is_empty_endless_or_unprintable(wire_id, kept):
    """The chat templates of models such as Kimi need the ids that the model wrote. Field case H2."""
    _, (call_id,), _, _ = read(entry(wire_id, "f", A))
    assert (call_id == wire_id) is kept
    assert kept or re.fullmatch(r"[A-Za-z0-9_-]{1,64}", call_id)


def test_ids_differ_between_replies_and_between_calls():
    """Two replies without ids in one thread must not get the same generated id."""
    made = set()
    for seed in ("reply-1", "reply-2"):
        tracker = ToolCallTracker(seed)
        events = [*tracker.feed([entry("", "f", A), entry("", "f", B)]), *tracker.finish()]
        made |= {event.id for event in events if event.id}
    assert len(made) == 4


@pytest.mark.parametrize(
    ("wire", "parts"),
    [
        ("call_1__thought__c2ln", ("call_1", "c2ln")),
        ("call_1", ("call_1", "")),
        ("c__thought__a__thought__b", ("c", "a__thought__b")),
        ("__thought__c2ln", ("", "c2ln")),
    ],
)
def test_litellm_ids_are_split(wire, parts):
    """LiteLLM's gateway puts the signature into the id."""
    assert split_litellm_id(wire) == parts


def test_a_litellm_id_is_clean_and_its_signature_is_kept():
    """LiteLLM appends the signature to the id of a call. All entries of the call get the id without the signature."""
    found, ids, invalid, extras = read(
        entry("call_1__thought__c2ln", "f", HALF), entry("call_1", None, REST), entry("call_2", "g", A)
    )
    assert (found, ids, invalid) == ([("f", {"h": 2}), ("g", {"a": 1})], ["call_1", "call_2"], ())
    assert extras == {"call_1": {"litellm_signature": "c2ln"}}


SIGNED = {"google": {"thought_signature": "c2ln"}}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry("c", "f", A, extra_content=SIGNED)], {"c": {"extra_content": SIGNED}}),
        ([entry("c", "f", A), entry("c", extra_content=SIGNED)], {"c": {"extra_content": SIGNED}}),
        ([entry("c", "f", A), entry(extra_content=SIGNED)], {"c": {"extra_content": SIGNED}}),
        ([entry(extra_content=SIGNED), entry("c", "f", A)], {"c": {"extra_content": SIGNED}}),
        ([entry("c", extra_content=SIGNED), entry("c", "f", A)], {"c": {"extra_content": SIGNED}}),
        ([entry("d", extra_content=SIGNED), entry("c", "f", A), entry("d", "f", B)], {"d": {"extra_content": SIGNED}}),
        ([entry("c", "f", A), entry("d", "g", A), entry("c", extra_content=SIGNED)], {"c": {"extra_content": SIGNED}}),
        (
            [entry("c", "f", "", 0), entry("d", "g", "", 1), entry(index=0, extra_content=SIGNED)],
            {"c": {"extra_content": SIGNED}},
        ),
        (
            [entry("c", "f", A, extra_content={"vertex": {"thought_signature": "c2ln"}})],
            {"c": {"extra_content": {"vertex": {"thought_signature": "c2ln"}}}},
        ),
        (
            [entry("c", "f", HALF, extra_content=SIGNED), entry("c", "f", REST, extra_content=SIGNED)],
            {"c": {"extra_content": SIGNED}},
        ),
        (
            [
                entry("c", "f", HALF, provider_specific_fields={"a": 1}, extra_content={"google": {"x": 1}}),
                entry("c", "f", REST, provider_specific_fields={"a": 2, "b": 3}, extra_content=SIGNED),
            ],
            {
                "c": {
                    "provider_specific_fields": {"a": 1, "b": 3},
                    "extra_content": {"google": {"x": 1, "thought_signature": "c2ln"}},
                }
            },
        ),
        ([entry("c", "f", A, provider_specific_fields={"a": 1})], {"c": {"provider_specific_fields": {"a": 1}}}),
        ([entry("c", "f", A, extra_content=None, provider_specific_fields={})], {}),
    ],
)
def test_extra_fields_of_a_call_come_once(entries, expected):
    """A server may send the signature in the first entry of a call, in all its entries, or in a separate entry."""
    found, _, invalid, extras = read(*entries)
    assert found[0] == ("f", {}) or found[0] == ("f", {"a": 1}) or found[0] == ("f", {"h": 2})
    assert invalid == ()
    assert extras == expected


@pytest.mark.parametrize(
    "entries",
    [
        [entry("c", "f", "", extra_content=SIGNED)],
        [entry("c", extra_content=SIGNED), entry("c", "f", "")],
        [entry(extra_content=SIGNED), entry("c", "f", "")],
    ],
)
def test_signature_comes_with_the_header_of_its_call(entries):
    """The signature may arrive earlier than the name."""
    tracker = ToolCallTracker("seed")
    assert [event for early in entries[:-1] for event in tracker.feed([early])] == []
    head, extras = tracker.feed(entries[-1:])
    assert (head.id, extras.id) == ("c", "c")


@pytest.mark.parametrize("wire_id", [None, "c"])
def test_extra_fields_of_a_missing_call_are_kept(wire_id):
    """An entry may have only extra fields. If its call never comes, `take_early_extras` returns these fields."""
    tracker = ToolCallTracker("seed")
    assert [*tracker.feed([entry(wire_id, extra_content=SIGNED)]), *tracker.finish()] == []
    assert (len(tracker), tracker.list_invalid()) == (0, ())
    assert tracker.take_early_extras() == {"extra_content": SIGNED}
    assert tracker.take_early_extras() == {}


@pytest.mark.parametrize("args", ['{"a": "x\ny"}', '{"a": "x\r\n\ty\x00"}', '{"a\n": "\\\\\n"}'])
def test_raw_control_characters_in_arguments_come_out_as_json(args):
    """Vertex streams multi-line values unescaped. The output parses to the same value."""
    pieces = [entry("c", "f", ""), *(entry("c", "f", char) for char in args)]
    ((_, meaning),), _, invalid, _ = read(*pieces)
    assert meaning == json.loads(args, strict=False)
    assert invalid == ()


@pytest.mark.parametrize(
    "args",
    [
        '{"a": 1',
        '{"a": 1}}',
        '{"a": 1}{"b": 2}',
        "[1]",
        '"text"',
        "null",
        "{]",
        '{"a" 1}',
        '{"a":' * 90000 + "1" + "}" * 90000,
    ],
    ids=range(9),
)
def test_arguments_that_are_not_an_object_are_invalid(args):
    """The arguments are truncated, joined, of another type, or too deep to parse."""
    _, _, invalid, _ = read(entry("c", "f", args))
    assert invalid == ("f",)


@pytest.mark.parametrize(
    ("args", "meaning"),
    [({"a": [1]}, {"a": [1]}), ({}, {}), (None, {}), ([], None), (5, None), (False, None), (0, None)],
)
def test_arguments_that_are_not_a_string_are_read_as_json(args, meaning):
    """An object is complete arguments, and any other value is invalid."""
    found, _, invalid, _ = read({"id": "c", "function": {"name": "f", "arguments": args}})
    assert (found == [("f", meaning)]) is (meaning is not None)
    assert bool(invalid) is (meaning is None)


@pytest.mark.parametrize(
    "missing", [{}, {"function": None}, {"function": {}}, {"id": None, "index": None}, {"type": "function"}]
)
def test_empty_entries_change_nothing(missing):
    assert read(missing, entry("c", "f", HALF), missing, entry("c", None, REST), missing)[0] == [("f", {"h": 2})]


def test_a_call_waits_for_its_name():
    """Nothing of a call is emitted before its name is known."""
    tracker = ToolCallTracker("seed")
    assert [*tracker.feed([entry("c", None, HALF)])] == []
    (head,) = tracker.feed([entry("c", "f", REST)])
    assert (head.id, head.name, head.args) == ("c", "f", '{"h":2}')


def test_a_call_is_announced_with_its_first_entry_and_pieces_follow():
    """Arguments are emitted as they come. Only `{}` is held back, since it may be a placeholder."""
    tracker = ToolCallTracker("seed")
    events = [
        [(event.name, event.args) for event in tracker.feed([entry("c", "f", piece)])] for piece in ("", HALF, REST)
    ]
    assert events == [[("f", "")], [(None, HALF)], [(None, REST)]]
    (head,) = tracker.feed([entry("d", "g", "{}")])
    assert (head.name, head.args) == ("g", "")
    assert [event.args for event in tracker.finish()] == ["{}"]


def test_calls_beyond_the_limit_are_dropped_with_their_errors():
    """With `parallel_tool_calls=False`, the caller gets one call, even if the others are invalid."""
    found, ids, invalid, extras = read(
        entry("c", "f", A), entry("d", "g", HALF, extra_content=SIGNED), entry("e", None, "}}"), limit=1
    )
    assert (found, ids, invalid, extras) == ([("f", {"a": 1})], ["c"], (), {})


def _count_work(pieces):
    """Return the number of function calls and of scanned characters for one call in `pieces` pieces."""
    work = {"calls": 0, "characters": 0}

    def note(frame, event, arg):
        work["calls"] += event in ("call", "c_call")
        if event == "call" and frame.f_code is JsonScanner.feed.__code__:
            work["characters"] += len(frame.f_locals["text"])

    tracker = ToolCallTracker("seed")
    wire = [[entry("c", "f", f'{"{" if not number else ","}"k{number:05}":"v"')] for number in range(pieces)]
    sys.setprofile(note)
    try:
        for delta in [*wire, [entry("c", "f", "}")]]:
            for _ in tracker.feed(delta):
                pass
        for _ in tracker.finish():
            pass
        assert tracker.list_invalid() == ()
    finally:
        sys.setprofile(None)
    return work


def test_work_is_linear_in_the_pieces_of_a_call():
    """Ten times the pieces need ten times the function calls, and no character is scanned twice."""
    few, many = _count_work(200), _count_work(2000)
    assert many["calls"] < 10.5 * few["calls"]
    assert many["characters"] == 2000 * len(',"k00000":"v"') + 1
