"""Names that Gemini refuses: another one on the wire, and their own on both sides of it."""

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
    """A tool as MCP servers have them."""
    parameters = {"type": "object", "properties": {"size": {"type": "integer"}, **properties}}
    return {"type": "function", "function": {"name": name, "description": "Do it.", "parameters": parameters}}


def step(name, call_id="call-1"):
    """A call and its result, as they stand in a history."""
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
def test_a_name_becomes_the_same_name_every_time(given_name, sent):
    """As near to the original as may be; a hash where it is cut or nothing of it is left."""
    assert TAKEN.fullmatch(sent)
    assert ToolNames([given_name], []).encode(given_name) == sent
    assert ToolNames([], []).encode(given_name) == sent


def test_a_name_that_may_stay_stays_whoever_came_first():
    """Of the bound tools those have the first right that need no change."""
    names = ToolNames(["a b", "a_b", "a.b"], [])
    assert names.encode("a_b") == "a_b"
    hashed = [names.encode("a b"), names.encode("a.b")]
    assert len({*hashed, "a_b"}) == 3
    assert all(re.fullmatch(r"a_b_[0-9a-f]{8}", name) for name in hashed)
    taken = ToolNames(["a_b", *hashed, "a b", "a.b"], [])
    assert len({taken.encode(name) for name in ("a_b", *hashed, "a b", "a.b")}) == 5


#: Names that fall together when what Gemini refuses is put out of them.
ODD_NAMES = st.text(alphabet=st.sampled_from("a_b-.: 1ü\n\ud800"), max_size=6) | st.text() | st.just("a" * 80)


@given(st.lists(ODD_NAMES), st.lists(ODD_NAMES))
def test_no_two_names_share_one_and_each_comes_back(bound, later):
    """Whatever the names are, and wherever they are met."""
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
def test_a_longer_history_changes_no_earlier_name(bound, first, more):
    """So an append-only history stays a prefix of the next request."""
    short, long = ToolNames(bound, []), ToolNames(list(bound), [])
    assert [short.encode(name) for name in first] == [long.encode(name) for name in [*first, *more]][: len(first)]


@given(st.lists(ODD_NAMES))
def test_where_nothing_is_refused_nothing_is_changed(bound):
    """Other servers have rules of their own."""
    names = ToolNames(bound, [], restricted=False)
    assert [names.encode(name) for name in bound] == bound
    assert names.original_names() == {}


@pytest.mark.parametrize("surface", GOOGLE)
def test_tools_calls_and_results_go_out_under_one_name(surface):
    """A server's rule about results: they bear the name of their call."""
    made = build([HI, *step(ODD)], surface, tools=[declare(ODD), declare("list")])
    assert broken_rules(made.payload, surface) == []
    assert [item["function"]["name"] for item in made.payload["tools"]] == ["Create_Volume", "list"]
    _, asked, answered = made.payload["messages"]
    assert asked["tool_calls"][0]["function"]["name"] == "Create_Volume"
    assert answered["name"] == "Create_Volume"
    said = (
        "The name of tool 'Create Volume' goes out as 'Create_Volume' and is changed back: Gemini refuses it as it is."
    )
    assert notes(made, "adjusted") == [said]


@pytest.mark.parametrize("surface", GOOGLE)
def test_names_of_tools_that_are_no_longer_bound_are_changed_too(surface):
    """The history of another agent, or of this one before a hand-off."""
    made = build([HI, *step(ODD, "a"), *step("Create_Volume", "b")], surface)
    assert broken_rules(made.payload, surface) == []
    names = [item["tool_calls"][0]["function"]["name"] for item in made.payload["messages"] if "tool_calls" in item]
    assert names[0] == "Create_Volume"
    assert names[1].startswith("Create_Volume_")
    assert [item["name"] for item in made.payload["messages"] if item["role"] == "tool"] == names
    assert len([note for note in notes(made, "repaired") if "goes out as" in note]) == 2


@pytest.mark.parametrize("surface", GOOGLE)
def test_the_note_of_a_changed_name_has_the_place_of_its_call(surface):
    """And the result of no call has none: it is not sent."""
    orphan = ToolMessage("done", tool_call_id="gone", name="we ird")
    made = build([orphan, HI, *step(ODD)], surface)
    assert [(note.index, "goes out as" in note.message) for note in made.notes if note.kind == "repaired"] == [
        (2, True),
        (0, False),
    ]
    assert "we ird" not in str(made.notes)
    with pytest.raises(InvalidHistoryError, match=r"^Message 1: The name of call"):
        build([HI, *step(ODD)], surface, strict=True)


def test_a_result_that_knows_its_call_by_the_id_on_the_wire_has_its_name():
    """A call without an id gets one, and a result may have been written with that."""
    asked = AIMessage("", tool_calls=[{"id": "", "name": ODD, "args": {}}])
    made = build([HI, asked, ToolMessage("done", tool_call_id="call_0", name=ODD)])
    assert broken_rules(made.payload, "vertex") == []
    assert made.payload["messages"][-1] == {
        "role": "tool", "tool_call_id": "call_0", "name": "Create_Volume", "content": "done"}  # fmt: skip


def test_results_of_functions_without_ids_find_their_call():
    """LangChain's messages of OpenAI's first function calling: name to name, as the caller has it."""
    asked = AIMessage("", additional_kwargs={"function_call": {"name": ODD, "arguments": "{}"}})
    made = build([HI, asked, FunctionMessage("done", name=ODD)])
    assert broken_rules(made.payload, "vertex") == []
    assert made.payload["messages"][-1]["name"] == "Create_Volume"
    assert made.payload["messages"][-1]["content"] == "done"


@pytest.mark.parametrize("choice", [ODD, [ODD], {"type": "function", "function": {"name": ODD}}])
def test_a_choice_names_the_tool_as_the_caller_does(choice):
    """The name on the wire is nobody's business."""
    made = build([HI], tools=[declare(ODD), declare("list")], tool_choice=choice)
    assert [item["function"]["name"] for item in made.payload["tools"]] == ["Create_Volume"]
    assert made.payload["tool_choice"] == "required"
    with pytest.raises(UnsupportedParameterError, match="Create Volume"):
        build([HI], tools=[declare(ODD)], tool_choice="Create_Volume")


def test_other_servers_get_names_as_they_are():
    """A gateway, and a self-deployed model, have rules of their own."""
    made = build([HI, *step(ODD)], "openai_compatible", tools=[declare(ODD)], tool_choice=ODD)
    assert made.payload["tools"] == [declare(ODD)]
    assert made.payload["tool_choice"]["function"]["name"] == ODD
    assert [item.get("name") for item in made.payload["messages"]] == [None, None, ODD]
    assert made.notes == ()
    assert made.names == {}


def test_strict_sends_no_changed_name():
    """A tool's name is a parameter, a call's a part of the history."""
    with pytest.raises(UnsupportedParameterError, match="Create Volume"):
        build([HI], tools=[declare(ODD)], strict=True)
    with pytest.raises(InvalidHistoryError, match="Create Volume"):
        build([HI, *step(ODD)], strict=True)
    assert build([HI, *step("list")], tools=[declare("list")], strict=True).names == {}


def ask(surface, *answers):
    """A model with the odd tool bound, and a wire that answers."""
    wire = Wire(*answers)
    chat = ChatGeminiCompat(model="gemini-3.8-flash", max_retries=0, **PLACES[surface], **wire.clients)
    return chat.bind_tools([declare(ODD)]), wire


@pytest.mark.filterwarnings("ignore::langchain_gemini_compat.errors.GeminiCompatWarning")
@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize("name", ["Create_Volume", "Create Volume", "list", "Create_Volume_2"])
def test_calls_come_back_under_the_caller_s_name(name, surface):
    """Whole and streamed, mended by the tool's schema; names that we did not send stay as they came."""
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


def test_a_call_that_is_none_is_named_as_the_caller_knows_it():
    """The error speaks of the tool and not of its name on the wire."""
    chat, _ = ask("vertex", completion("", finish="tool_calls", tool_calls=[call("Create_Volume", "{")]))
    with pytest.warns(GeminiCompatWarning), pytest.raises(MalformedToolCallError, match="of Create Volume"):
        chat.invoke("hi")


def test_it_is_said_once_and_not_for_every_call():
    """The note comes with every reply, the warning with the first."""
    chat, wire = ask("vertex", completion("", finish="tool_calls", tool_calls=[call("Create_Volume", "{}")]))
    with pytest.warns(GeminiCompatWarning, match="Create Volume") as caught:
        first = chat.invoke("hi")
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chat.invoke([HI, first, ToolMessage("done", tool_call_id="call-1")])
    assert json.loads(wire.requests[1].content)["messages"][-1]["name"] == "Create_Volume"
    assert first.response_metadata["repairs"] == [str(caught[0].message)]
