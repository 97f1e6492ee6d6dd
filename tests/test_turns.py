"""Histories after trimming, hand-offs and interrupts: repaired to what Gemini takes, in the least steps, and said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from outgoing import GOOGLE, broken_rules, build, notes, wire_messages

from langchain_gemini_compat.errors import InvalidHistoryError

USER = HumanMessage("Hi.")
NO_RESULT = '{"error":"This call has no result."}'


def ask(*ids, text=""):
    return AIMessage(text, tool_calls=[{"id": call_id, "name": "f", "args": {}} for call_id in ids])


def result(call_id, content="done"):
    return ToolMessage(content, tool_call_id=call_id)


def shape(messages):
    """Role and id or text of each message: enough to see order and pairing."""
    return [
        (message["role"], message.get("tool_call_id") or message.get("content") or
         "+".join(call["id"] for call in message["tool_calls"]))
        for message in messages
    ]  # fmt: skip


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize(
    ("history", "sent", "said"),
    [
        pytest.param(
            [result("gone"), USER], [("user", "Hi.")],
            "The result of call 'gone' was left out: no call before it has that id.", id="trimmed to a result",
        ),
        pytest.param(
            [ask("1"), result("1"), USER],
            [("user", "Continue."), ("assistant", "1"), ("tool", "1"), ("user", "Hi.")],
            "A user message 'Continue.' was put before tool calls that followed no user's turn.", id="trimmed to a call",
        ),
        pytest.param(
            [USER, AIMessage("I ask Bob."), ask("1"), result("1")],
            [("user", "Hi."), ("assistant", "I ask Bob."), ("user", "Continue."), ("assistant", "1"), ("tool", "1")],
            "A user message 'Continue.' was put before tool calls that followed no user's turn.", id="hand-off",
        ),
        pytest.param(
            [USER, ask("1", "2"), result("2"), HumanMessage("Stop.")],
            [("user", "Hi."), ("assistant", "1+2"), ("tool", "1"), ("tool", "2"), ("user", "Stop.")],
            "Call 'f' has no result in the history: it got one that says so.", id="interrupted",
        ),
        pytest.param(
            [USER, ask("1"), HumanMessage("Well?"), result("1")],
            [("user", "Hi."), ("assistant", "1"), ("tool", "1"), ("user", "Well?")],
            "The result of call '1' was moved up to its call.", id="late result",
        ),
        pytest.param(
            [USER, ask("1"), result("1", "old"), result("1", "new")],
            [("user", "Hi."), ("assistant", "1"), ("tool", "1")],
            "Of several results of call '1' the last one was sent.", id="result twice",
        ),
        pytest.param(
            [USER, AIMessage("Once upon")],
            [("user", "Hi."), ("assistant", "Once upon"), ("user", "Continue.")],
            "A user message 'Continue.' was put at the end: Gemini refuses an assistant's last word.", id="last word",
        ),
        pytest.param(
            [USER, AIMessage("x"), USER, SystemMessage("s")],
            [("system", "s"), ("user", "Hi."), ("assistant", "x"), ("user", "Hi.")],
            "The system message was moved to the front.", id="late instructions",
        ),
    ],
)  # fmt: skip
def test_a_broken_history_is_repaired_and_said(surface, history, sent, said):
    """One repair each, the least that makes the request valid."""
    request = build(history, surface)
    assert shape(request.payload["messages"]) == sent
    assert notes(request, "repaired") == [said]
    assert broken_rules(request.payload, surface) == []


@pytest.mark.parametrize("surface", GOOGLE)
def test_strict_raises_where_a_history_would_be_repaired(surface):
    """Nothing is changed behind the back of a caller who asked for that."""
    with pytest.raises(InvalidHistoryError, match="was left out"):
        build([result("gone"), USER], surface, strict=True)
    assert build([USER, ask("1"), result("1")], surface, strict=True).payload["messages"]


def test_results_go_out_in_the_order_of_the_calls_with_the_last_word_of_each():
    """Parallel tools finish in any order; Google's order is calls first, then results."""
    sent = wire_messages([USER, ask("1", "2"), result("2", "b"), result("1", "a"), result("1", "c")])
    assert [(message["tool_call_id"], message["content"]) for message in sent[2:]] == [("1", "c"), ("2", "b")]


def test_an_id_used_again_in_a_later_step_belongs_to_that_step():
    """Servers that count calls from zero use the same ids in every turn."""
    sent = wire_messages([USER, ask("call_0"), result("call_0", "a"), ask("call_0"), result("call_0", "b")])
    assert [message["content"] for message in sent if message["role"] == "tool"] == ["a", "b"]


def test_a_compatible_server_gets_the_history_as_it_is():
    """Its template may take a prefill, and nothing of Google's rules is known of it."""
    history = [result("gone"), USER, ask("1"), AIMessage("Once upon")]
    request = build(history, "openai_compatible")
    assert [message["role"] for message in request.payload["messages"]] == ["tool", "user", "assistant", "assistant"]
    assert request.notes == ()


IDS = st.sampled_from(["1", "2", "3"])
HISTORIES = st.lists(
    st.one_of(
        st.sampled_from([USER, SystemMessage("s"), AIMessage("a"), AIMessage(""), HumanMessage("")]),
        IDS.map(result),
        st.lists(IDS, min_size=1, max_size=3).map(lambda ids: ask(*ids)),
        st.lists(IDS, min_size=1, max_size=3, unique=True).map(lambda ids: ask(*ids, text="b")),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=300)
@given(
    history=HISTORIES,
    surface=st.sampled_from(GOOGLE),
    model=st.sampled_from(["gemini-3.8-flash", "gemini-3.6-flash", "gemini-2.5-flash"]),
)
def test_any_interleaving_becomes_a_request_that_google_takes(history, surface, model):
    """Whatever trimming, summaries and hand-offs leave behind, and the same way every time."""
    try:
        request = build(history, surface, model)
    except InvalidHistoryError:
        assert not any(message.content or getattr(message, "tool_calls", ()) for message in history
                       if message.type != "tool")  # fmt: skip
        return
    assert broken_rules(request.payload, surface) == []
    assert build(history, surface, model).payload == request.payload
