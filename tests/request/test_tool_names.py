"""Tests of tool names that Gemini refuses: they are converted in the request and restored in the reply."""

import json
import re
import warnings
from functools import reduce
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, FunctionMessage, HumanMessage, ToolMessage, message_chunk_to_message
from outgoing import GOOGLE, PLACES, broken_rules, build, notes
from wire import Wire, call, chunk, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._request.tool_names import ToolNames
from langchain_gemini_compat.errors import (
    GeminiCompatWarning,
    InvalidHistoryError,
    MalformedToolCallError,
    UnsupportedParameterError,
)

TAKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
ODD = "Create Volume"
HI = HumanMessage("Hi.")


def declare(name, **properties):
    """Return a tool declaration in the form of MCP servers."""
    parameters = {"type": "object", "properties": {"size": {"type": "integer"}, **properties}}
    return {"type": "function", "function": {"name": name, "description": "Do it.", "parameters": parameters}}


def step(name, call_id="call-1"):
    """Return the two history messages of a call and its result."""
    return [
        AIMessage("", tool_calls=[{"id": call_id, "name": name, "args": {}}]),
        ToolMessage("done", tool_call_id=call_id, name=name),
    ]


@pytest.mark.parametrize(
    ("given_name", "sent"),
    [
        ("search", "search"),
        ("_x-1", "_x-1"),
        ("a" * 63, "a" * 63),
        ("Create Volume", "Create_Volume"),
        ("github.search", "github_search"),
        ("files:read", "files_read"),
        ("3d_print", "_3d_print"),
        ("-x", "_-x"),
        ("für_dich", "f_r_dich"),
        ("a" * 64, "a" * 54 + "_0098ba82"),
        ("天気", "___77f5c581"),
        ("", "__da39a3ee"),
        ("x\n", "x_"),
    ],
)
def test_name_is_converted_the_same_way_each_time(given_name, sent):
    """A hash is added if the name is truncated, or has no letter or digit left."""
    assert TAKEN.fullmatch(sent)
    assert ToolNames([given_name], []).encode(given_name) == sent
    assert ToolNames([], []).encode(given_name) == sent


def test_valid_name_stays_in_any_order():
    """Valid names of bound tools are assigned before converted names."""
    names = ToolNames(["a b", "a_b", "a.b"], [])
    assert names.encode("a_b") == "a_b"
    hashed = [names.encode("a b"), names.encode("a.b")]
    assert len({*hashed, "a_b"}) == 3
    assert all(re.fullmatch(r"a_b_[0-9a-f]{8}", name) for name in hashed)
    taken = ToolNames(["a_b", *hashed, "a b", "a.b"], [])
    assert len({taken.encode(name) for name in ("a_b", *hashed, "a b", "a.b")}) == 5


#: Random names. Many of them become equal when their invalid characters are replaced.
ODD_NAMES = st.text(alphabet=st.sampled_from("a_b-.: 1ü\n\ud800"), max_size=6) | st.text() | st.just("a" * 80)


@given(st.lists(ODD_NAMES), st.lists(ODD_NAMES))
def test_names_stay_distinct_and_are_restored(bound, later):
    """Different tools get different wire names, and each wire name is converted back to the tool's own name."""
    found = []
    names = ToolNames(bound, found)
    sent = {name: names.encode(name) for name in [*bound, *later]}
    assert len(set(sent.values())) == len(sent)
    assert all(TAKEN.fullmatch(name) for name in sent.values())
    assert all(name == sent[name] for name in bound if TAKEN.fullmatch(name))
    assert {given: names.original_names().get(name, name) for given, name in sent.items()} == {
        name: name for name in sent
    }
    assert len(found) == len(names.original_names())


@given(st.lists(ODD_NAMES), st.lists(ODD_NAMES), st.lists(ODD_NAMES))
def test_longer_history_changes_no_earlier_name(bound, first, more):
    """A growing history stays a prefix of the next request, so the prompt cache stays valid."""
    short, long = ToolNames(bound, []), ToolNames(list(bound), [])
    assert [short.encode(name) for name in first] == [long.encode(name) for name in [*first, *more]][: len(first)]


@given(st.lists(ODD_NAMES))
def test_names_are_unchanged_without_restrictions(bound):
    """Servers other than Google's have their own rules for names."""
    names = ToolNames(bound, [], restricted=False)
    assert [names.encode(name) for name in bound] == bound
    assert names.original_names() == {}


@pytest.mark.parametrize("surface", GOOGLE)
def test_tool_call_and_result_have_one_name(surface):
    """Gemini requires that a result has the name of its call."""
    made = build([HI, *step(ODD)], surface, tools=[declare(ODD), declare("list")])
    assert broken_rules(made.payload, surface) == []
    assert [item["function"]["name"] for item in made.payload["tools"]] == ["Create_Volume", "list"]
    _, asked, answered = made.payload["messages"]
    assert asked["tool_calls"][0]["function"]["name"] == "Create_Volume"
    assert answered["name"] == "Create_Volume"
    said = (
        "The name of tool 'Create Volume' was sent as 'Create_Volume': Gemini refuses the original name. "
        "Replies contain the original name."
    )
    assert notes(made, "adjusted") == [said]


@pytest.mark.parametrize("surface", GOOGLE)
def test_names_of_unbound_tools_are_converted(surface):
    """The history may come from another agent, and contain calls of tools that this agent does not have."""
    made = build([HI, *step(ODD, "a"), *step("Create_Volume", "b")], surface)
    assert broken_rules(made.payload, surface) == []
    names = [item["tool_calls"][0]["function"]["name"] for item in made.payload["messages"] if "tool_calls" in item]
    assert names[0] == "Create_Volume"
    assert names[1].startswith("Create_Volume_")
    assert [item["name"] for item in made.payload["messages"] if item["role"] == "tool"] == names
    assert len([note for note in notes(made, "repaired") if "was sent as" in note]) == 2


@pytest.mark.parametrize("surface", GOOGLE)
def test_note_of_a_converted_name_has_the_index_of_its_call(surface):
    """A tool result without a call is left out of the request. So no note says that its name was converted."""
    orphan = ToolMessage("done", tool_call_id="gone", name="we ird")
    made = build([orphan, HI, *step(ODD)], surface)
    assert [(note.index, "was sent as" in note.message) for note in made.notes if note.kind == "repaired"] == [
        (2, True),
        (0, False),
    ]
    assert "we ird" not in str(made.notes)
    with pytest.raises(InvalidHistoryError, match=r"^Message 1: The name of call"):
        build([HI, *step(ODD)], surface, strict=True)


def test_result_with_a_wire_id_gets_the_name_of_its_call():
    """A call without an id gets the id `call_0` in the request. A tool result with this id belongs to the call."""
    asked = AIMessage("", tool_calls=[{"id": "", "name": ODD, "args": {}}])
    made = build([HI, asked, ToolMessage("done", tool_call_id="call_0", name=ODD)])
    assert broken_rules(made.payload, "vertex") == []
    assert made.payload["messages"][-1] == {
        "role": "tool", "tool_call_id": "call_0", "name": "Create_Volume", "content": "done"}  # fmt: skip


def test_function_messages_find_their_call_by_name():
    """A `FunctionMessage` has the caller's name of the tool instead of a call id."""
    asked = AIMessage("", additional_kwargs={"function_call": {"name": ODD, "arguments": "{}"}})
    made = build([HI, asked, FunctionMessage("done", name=ODD)])
    assert broken_rules(made.payload, "vertex") == []
    assert made.payload["messages"][-1]["name"] == "Create_Volume"
    assert made.payload["messages"][-1]["content"] == "done"


@pytest.mark.parametrize("choice", [ODD, [ODD], {"type": "function", "function": {"name": ODD}}])
def test_choice_uses_the_original_name(choice):
    """The caller does not know the wire name."""
    made = build([HI], tools=[declare(ODD), declare("list")], tool_choice=choice)
    assert [item["function"]["name"] for item in made.payload["tools"]] == ["Create_Volume"]
    assert made.payload["tool_choice"] == "required"
    with pytest.raises(UnsupportedParameterError, match="Create Volume"):
        build([HI], tools=[declare(ODD)], tool_choice="Create_Volume")


def test_other_servers_get_original_names():
    """Gateways and self-deployed models have their own rules for names."""
    made = build([HI, *step(ODD)], "openai_compatible", tools=[declare(ODD)], tool_choice=ODD)
    assert made.payload["tools"] == [declare(ODD)]
    assert made.payload["tool_choice"]["function"]["name"] == ODD
    assert [item.get("name") for item in made.payload["messages"]] == [None, None, ODD]
    assert made.notes == ()
    assert made.names == {}


def test_strict_refuses_converted_names():
    """An invalid name raises `UnsupportedParameterError` in a bound tool, and `InvalidHistoryError` in the history."""
    with pytest.raises(UnsupportedParameterError, match="Create Volume"):
        build([HI], tools=[declare(ODD)], strict=True)
    with pytest.raises(InvalidHistoryError, match="Create Volume"):
        build([HI, *step(ODD)], strict=True)
    assert build([HI, *step("list")], tools=[declare("list")], strict=True).names == {}


def ask(surface, *answers):
    """Return a model with a tool of an invalid name, and the fake connection that answers."""
    wire = Wire(*answers)
    chat = ChatGeminiCompat(model="gemini-3.8-flash", max_retries=0, **PLACES[surface], **wire.clients)
    return chat.bind_tools([declare(ODD)]), wire


@pytest.mark.filterwarnings("ignore::langchain_gemini_compat.errors.GeminiCompatWarning")
@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize("name", ["Create_Volume", "Create Volume", "list", "Create_Volume_2"])
def test_calls_of_a_reply_have_the_original_name(name, surface):
    """The name is restored in whole and in streamed replies, and the arguments are repaired with the tool's schema.

    A name that is not the wire name of a bound tool stays unchanged.
    """
    called = call(name, '{"size": "1"}')
    chat, _ = ask(surface, completion("", finish="tool_calls", tool_calls=[called]))
    invoked = chat.invoke("hi")
    chat, _ = ask(surface, [chunk("tool_calls", (1, 2, 3), tool_calls=[called]), "[DONE]"])
    streamed = message_chunk_to_message(reduce(add, chat.stream("hi")))
    is_bound = name == "Create_Volume"
    expected = (ODD, {"size": 1}) if is_bound else (name, {"size": "1"})
    for message in (invoked, streamed):
        assert [(made["name"], made["args"]) for made in message.tool_calls] == [expected]
        said = message.response_metadata["repairs"]
        assert ("Arguments of 'Create Volume' were repaired: /size (string to integer)." in said) == is_bound


def test_error_of_an_invalid_call_has_the_original_name():
    """The error message has the caller's name of the tool, not the wire name."""
    chat, _ = ask("vertex", completion("", finish="tool_calls", tool_calls=[call("Create_Volume", "{")]))
    with pytest.warns(GeminiCompatWarning), pytest.raises(MalformedToolCallError, match="of Create Volume"):
        chat.invoke("hi")


def test_converted_name_is_warned_of_once():
    """Each reply with a converted name has a note about it. Only the first note becomes a warning."""
    chat, wire = ask("vertex", completion("", finish="tool_calls", tool_calls=[call("Create_Volume", "{}")]))
    with pytest.warns(GeminiCompatWarning, match="Create Volume") as caught:
        first = chat.invoke("hi")
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chat.invoke([HI, first, ToolMessage("done", tool_call_id="call-1")])
    assert json.loads(wire.requests[1].content)["messages"][-1]["name"] == "Create_Volume"
    assert first.response_metadata["repairs"] == [str(caught[0].message)]
