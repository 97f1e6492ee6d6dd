"""Tests of histories after trimming, hand-offs and interrupts: they are repaired with the fewest changes and noted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from outgoing import GOOGLE, SURFACES, broken_rules, build, notes, wire_messages

from langchain_gemini_compat.errors import InvalidHistoryError

USER = HumanMessage("Hi.")
NO_RESULT = '{"error":"This call has no result."}'


def ask(*ids, text=""):
    return AIMessage(text, tool_calls=[{"id": call_id, "name": "f", "args": {}} for call_id in ids])


def result(call_id, content="done"):
    return ToolMessage(content, tool_call_id=call_id)


def shape(messages):
    """Return the role and the id or text of each message, to compare order and pairing."""
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
            "A user message 'Continue.' was added before tool calls that followed no user message.", id="trimmed to a call",
        ),
        pytest.param(
            [USER, AIMessage("I ask Bob."), ask("1"), result("1")],
            [("user", "Hi."), ("assistant", "I ask Bob."), ("user", "Continue."), ("assistant", "1"), ("tool", "1")],
            "A user message 'Continue.' was added before tool calls that followed no user message.", id="hand-off",
        ),
        pytest.param(
            [USER, ask("1", "2"), result("2"), HumanMessage("Stop.")],
            [("user", "Hi."), ("assistant", "1+2"), ("tool", "1"), ("tool", "2"), ("user", "Stop.")],
            "Call 'f' has no result in the history: a placeholder result was added.", id="interrupted",
        ),
        pytest.param(
            [USER, ask("1"), HumanMessage("Well?"), result("1")],
            [("user", "Hi."), ("assistant", "1"), ("tool", "1"), ("user", "Well?")],
            "The result of call '1' was moved up to its call.", id="late result",
        ),
        pytest.param(
            [USER, ask("1"), result("1", "old"), result("1", "new")],
            [("user", "Hi."), ("assistant", "1"), ("tool", "1")],
            "Call '1' has several results: only the last one was sent.", id="result twice",
        ),
        pytest.param(
            [USER, AIMessage("Once upon")],
            [("user", "Hi."), ("assistant", "Once upon"), ("user", "Continue.")],
            "A user message 'Continue.' was added at the end: Gemini refuses an assistant message at the end.", id="last word",
        ),
        pytest.param(
            [USER, AIMessage("x"), USER, SystemMessage("s")],
            [("system", "s"), ("user", "Hi."), ("assistant", "x"), ("user", "Hi.")],
            "The system message was moved to the front.", id="late instructions",
        ),
    ],
)  # fmt: skip
def test_broken_history_is_repaired_with_a_note(surface, history, sent, said):
    """Each repair is the smallest change that makes the request valid."""
    request = build(history, surface)
    assert shape(request.payload["messages"]) == sent
    assert notes(request, "repaired") == [said]
    assert broken_rules(request.payload, surface) == []


@pytest.mark.parametrize("surface", GOOGLE)
def test_strict_raises_instead_of_a_repair(surface):
    """With `strict`, a history that needs a repair raises an error."""
    with pytest.raises(InvalidHistoryError, match="was left out"):
        build([result("gone"), USER], surface, strict=True)
    assert build([USER, ask("1"), result("1")], surface, strict=True).payload["messages"]


def test_strict_error_has_the_index_of_the_message():
    """The index counts all messages of the caller's list, including those that are not sent."""
    for place, history in (
        (2, [USER, AIMessage("ok"), result("gone"), USER]),
        (1, [USER, ask("1", "2"), result("1"), USER]),
        (4, [USER, ask("1"), result("1"), AIMessage("ok"), SystemMessage("s"), USER]),
        (1, [USER, AIMessage("")]),
        (3, [SystemMessage("s"), USER, AIMessage("ok"), ask("1"), result("1")]),
    ):
        with pytest.raises(InvalidHistoryError, match=rf"^Message {place}: "):
            build(history, strict=True)


def test_calls_of_one_message_get_distinct_ids():
    """Two calls have the same id, and one has none. Each result is sent with the id of its own call."""
    sent = wire_messages([USER, ask("1", "1", "1_2", ""), result("1", "a"), result("1", "b"), result("1_2", "c")])
    ids = [call["id"] for call in sent[1]["tool_calls"]]
    assert len(set(ids)) == 4
    assert [message["tool_call_id"] for message in sent[2:]] == ids
    assert [message["content"] for message in sent[2:5]] == ["a", "b", "c"]


def test_removed_call_is_not_restored():
    """Google's own package copies the last call to `additional_kwargs`. The copy of a removed call is not sent."""
    message = AIMessage("ok", additional_kwargs={"function_call": {"name": "f", "arguments": "{}"}},
                        response_metadata={"model_provider": "google_genai"})  # fmt: skip
    assert wire_messages([USER, message, USER])[1] == {"role": "assistant", "content": "ok"}


def test_call_with_invalid_arguments_is_left_out_with_a_note():
    """Gemini refuses a call with invalid arguments, and no tool can run it."""
    broken = {"id": "1", "name": "f", "args": '{"x": ', "error": None, "type": "invalid_tool_call"}
    request = build([USER, AIMessage("ok", invalid_tool_calls=[broken]), USER])
    assert notes(request) == ["Tool call 'f' was left out: its arguments are not a JSON object."]


@pytest.mark.parametrize("message", [HumanMessage("x"), AIMessage("x"), SystemMessage("x"), result("1")])
def test_content_of_none_is_empty(message):
    """A message that is restored without validation may have the content `None`."""
    given = message.model_copy(update={"content": None})
    sent = wire_messages([USER, ask("1"), given, USER] if message.type == "tool" else [USER, given])
    assert next(entry["role"] for entry in sent if entry["role"] != "tool") == "user"


def test_results_are_sent_in_the_order_of_the_calls():
    """Parallel tools finish in any order. The last result of each call is sent."""
    sent = wire_messages([USER, ask("1", "2"), result("2", "b"), result("1", "a"), result("1", "c")])
    assert [(message["tool_call_id"], message["content"]) for message in sent[2:]] == [("1", "c"), ("2", "b")]


def test_reused_id_belongs_to_the_later_step():
    """Servers that count calls from zero use the same ids in every turn."""
    sent = wire_messages([USER, ask("call_0"), result("call_0", "a"), ask("call_0"), result("call_0", "b")])
    assert [message["content"] for message in sent if message["role"] == "tool"] == ["a", "b"]


def test_compatible_server_gets_the_history_unchanged():
    """Google's rules may not apply to a compatible server. Its chat template may continue a final assistant message."""
    history = [USER, ask("1"), AIMessage("Once upon")]
    request = build(history, "openai_compatible")
    assert [message["role"] for message in request.payload["messages"]] == ["user", "assistant", "assistant"]
    assert request.notes == ()


BROKEN = {"id": None, "name": "f", "args": '{"x": ', "error": None, "type": "invalid_tool_call"}


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("history", "place"),
    [
        ([USER, AIMessage("", invalid_tool_calls=[BROKEN]), result("c1"), USER], 2),
        ([USER, result("c1"), USER], 1),
        ([USER, result("c1"), ask("c1"), result("c1"), USER], 1),
        ([USER, ask("other"), result("other"), result("c1"), USER], 3),
    ],
    ids=["its call was broken", "no call", "before its call", "beside another"],
)
def test_result_without_a_call_is_left_out_on_every_surface(surface, history, place):
    """A result is sent only together with its call. Leaving it out adds a note. Field case H1."""
    request = build(history, surface)
    sent = [message["role"] for message in request.payload["messages"]]
    kept = [message for at, message in enumerate(history) if at != place]
    assert sent == [message["role"] for message in build(kept, surface).payload["messages"]]
    said = "The result of call 'c1' was left out: no call before it has that id."
    assert (said, place) in [(note.message, note.index) for note in request.notes]
    with pytest.raises(InvalidHistoryError):
        build(history, surface, strict=True)


def extras(*signatures):
    """Return a history with one call for each of `signatures`, which becomes the call's `extra_content`."""
    calls = [
        {"id": str(place), "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": extra}
        for place, extra in enumerate(signatures)
    ]
    asked = AIMessage("", tool_calls=[{"id": call["id"], "name": "f", "args": {}} for call in calls],
                      additional_kwargs={"tool_calls": calls})  # fmt: skip
    return [USER, asked, *(result(call["id"]) for call in calls)]


def sent_extras(request):
    return [call.get("extra_content") for call in request.payload["messages"][1]["tool_calls"]]


def google(**fields):
    return {"google": fields}


STAND_IN = google(thought_signature="skip_thought_signature_validator")


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize(
    "spelling",
    [
        "skip_thought_signature_validator",
        "context_engineering_is_the_way_to_go",
        "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
    ],
)
def test_stored_placeholder_signature_is_sent_in_the_current_turn_only(surface, spelling):
    """Other packages store placeholder signatures.

    They are left out for past turns, for all but the first call of a step, and for Gemini 2.5.
    """
    stored = google(thought_signature=spelling)
    over = build([*extras(stored), AIMessage("ok"), USER], surface)
    assert sent_extras(over) == [None]
    assert notes(over) == ["The placeholder signature of call 'f' was left out: only the current turn needs it."]
    assert sent_extras(build(extras(stored), surface)) == [STAND_IN]
    beside = build(extras(None, stored), surface)
    assert sent_extras(beside) == [STAND_IN, None]
    assert sent_extras(build(extras(stored), surface, "gemini-2.5-flash")) == [None]


def test_other_fields_of_a_call_are_kept_beside_the_placeholder():
    """Fields other than the signature are not replaced by a placeholder."""
    request = build(extras(google(mark=1)))
    assert sent_extras(request) == [google(mark=1, thought_signature="skip_thought_signature_validator")]
    assert notes(request) == ["Call 'f' has no signature of this model: a placeholder signature was sent."]


def test_signature_of_a_shared_id_belongs_to_the_first_call():
    """Other calls with the same id have no signature."""
    asked = AIMessage(
        "",
        tool_calls=[{"id": "1", "name": "f", "args": {}}, {"id": "1", "name": "f", "args": {}}],
        additional_kwargs={"__gemini_function_call_thought_signatures__": {"1": "c2ln"}},
    )
    assert sent_extras(build([USER, asked, result("1"), result("1")])) == [google(thought_signature="c2ln"), None]


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
def test_any_order_of_messages_becomes_a_valid_request(history, surface, model):
    """Trimming, summaries and hand-offs can leave messages in any order. Equal histories give equal requests."""
    try:
        request = build(history, surface, model)
    except InvalidHistoryError:
        assert not any(message.content or getattr(message, "tool_calls", ()) for message in history
                       if message.type != "tool")  # fmt: skip
        return
    assert broken_rules(request.payload, surface) == []
    assert build(history, surface, model).payload == request.payload
