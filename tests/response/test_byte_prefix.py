"""Tests that a growing history keeps the bytes of the previous request, so that Google's cache applies."""

import json

import pytest
from fake_requests import STAND_IN
from history_makers import PNG, TOOLS, Numbers, results_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from outgoing import GOOGLE

from langchain_gemini_compat.testing import Call, FakeGemini, FakeRequest, Reply, Style

IMAGE = {"type": "image", "base64": PNG, "mime_type": "image/png"}
ASKED = ["Hi.", "É? 🐈", [{"type": "text", "text": "See:"}, IMAGE], [IMAGE, "and?"]]
RETURNED = ["done", "", "[1]", [{"type": "text", "text": "Here."}, IMAGE]]
REPLIES = [
    "Fine.",
    Reply("Fine.", thoughts="Hm."),
    [Call("look", {"q": "é"})],
    [Call("look"), Call("add", {"q": "x"})],
    Reply("Let me see.", thoughts="Hm.", calls=[Call("add"), Call("add")]),
    Reply(calls=[Call("look")], style=Style(signature="on_delta")),
]
UNSIGNED = Reply(calls=[Call("look")], signed=False)
FIXED = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def as_prefix(request):
    """Return the request body up to the end of the last message. The next request must begin with these bytes."""
    head = json.dumps({"model": request.model, "messages": request.messages}, ensure_ascii=False)
    return head.encode()[: -len(b"]}")]


def grow(data, chat, fake, messages, replies, *, streamed):
    """Send one request and append its reply.

    Then append a result for each call, or the next question if there are no calls.
    """
    fake.answer_with([data.draw(st.sampled_from(replies), label="reply")])
    if streamed:
        chunks = list(chat.stream(messages))
        reply = sum(chunks[1:], chunks[0])
    else:
        reply = chat.invoke(messages)
    after = [
        result.model_copy(update={"content": data.draw(st.sampled_from(RETURNED), label="result")})
        for result in results_of(reply)
    ]
    return [*messages, reply, *(after or [HumanMessage(data.draw(st.sampled_from(ASKED), label="asked"))])]


@settings(FIXED, max_examples=150)
@given(
    data=st.data(),
    surface=st.sampled_from(GOOGLE),
    model=st.sampled_from(["gemini-2.5-flash", "gemini-3.8-flash", "gemini-3.6-flash"]),
    system=st.booleans(),
)
def test_growing_history_keeps_the_bytes_of_the_previous_request(data, surface, model, system):
    fake = FakeGemini(surface=surface)
    chat = fake.chat_model(model, include_thoughts=True).bind_tools(TOOLS)
    messages = [*([SystemMessage("Be kind.")] if system else []), HumanMessage("Hi.")]
    for _ in range(data.draw(st.integers(2, 6), label="turns")):
        messages = grow(data, chat, fake, messages, REPLIES, streamed=data.draw(st.booleans(), label="streamed"))
    assert fake.refusals == []
    for earlier, later in zip(fake.requests, fake.requests[1:], strict=False):
        assert as_prefix(later).startswith(as_prefix(earlier)), str(earlier.first_difference(later))
        assert json.dumps(later.tools) == json.dumps(earlier.tools)


def foreign_step(numbers):
    call = {"name": "look", "args": {}, "id": numbers("call_")}
    asked = AIMessage("", tool_calls=[call], response_metadata={"model_provider": "openai"})
    return [asked, *results_of(asked)]


@pytest.mark.parametrize("surface", GOOGLE)
def test_placeholder_signatures_keep_the_prefix_within_a_turn(surface):
    """Placeholder signatures are sent only in the current turn.

    So the prefix changes once per turn: when the next turn begins, the earlier calls lose their placeholders.
    """
    fake, numbers = FakeGemini(["Fine.", UNSIGNED, "Fine.", "Fine."], surface=surface), Numbers()
    chat = fake.chat_model().bind_tools(TOOLS)
    messages = [HumanMessage("Hi."), *foreign_step(numbers)]
    chat.invoke(messages)
    messages += foreign_step(numbers)
    messages.append(chat.invoke(messages))
    messages += results_of(messages[-1])
    messages.append(chat.invoke(messages))
    messages.append(HumanMessage("And?"))
    chat.invoke(messages)
    first, second, third, fourth = fake.requests
    assert as_prefix(second).startswith(as_prefix(first))
    assert as_prefix(third).startswith(as_prefix(second))
    assert fake.stand_ins == 1 + 2 + 3
    difference = third.first_difference(fourth)
    assert difference.pointer == "/messages/1/tool_calls/0"
    assert STAND_IN[:12] in difference.left
    assert STAND_IN[:12] not in difference.right


@pytest.mark.parametrize(
    ("before", "new", "pointer"),
    [
        pytest.param([SystemMessage("Be kind.")], [SystemMessage("Be brief.")], "/messages/0/content", id="instructions"),
        pytest.param(
            [AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": "1"}]), HumanMessage("Wait.")],
            [ToolMessage("late", tool_call_id="1")], "/messages/2/content", id="late result",
        ),
        pytest.param([AIMessage("Once upon")], [AIMessage("a time."), HumanMessage("And?")], "/messages/2/role", id="last word"),
    ],
)  # fmt: skip
def test_first_difference_points_to_the_change_of_the_prefix(before, new, pointer):
    """In each case, new messages change an earlier part of the request. A late tool result does this, for example."""
    fake = FakeGemini(["Fine."] * 2)
    chat = fake.chat_model()
    asked = [*before, HumanMessage("Hi.")] if isinstance(before[0], SystemMessage) else [HumanMessage("Hi."), *before]
    chat.invoke(asked)
    chat.invoke([*asked, *new])
    assert fake.requests[0].first_difference(fake.requests[1]).pointer == pointer


def request(**body):
    return FakeRequest("POST", "/", body={"model": "m", **body})


@pytest.mark.parametrize(
    ("left", "right", "pointer"),
    [
        ({"messages": [{"content": "Hi."}]}, {"messages": [{"content": "Ho."}]}, "/messages/0/content"),
        ({"messages": ["a"]}, {"messages": ["a", "b"]}, "/messages"),
        ({"a": {"b/c~": [1, {"d": 1}]}}, {"a": {"b/c~": [1, {"d": 2}]}}, "/a/b~1c~0/1/d"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ""),
        ({"a": 1}, {"a": 1, "b": 2}, ""),
        ({"a": {"b": 1}}, {"a": [1]}, "/a"),
        ({"a": 1}, {"a": True}, "/a"),
        ({"a": "é"}, {"a": "è"}, "/a"),
    ],
)
def test_first_difference_has_a_byte_position_and_a_pointer(left, right, pointer):
    one, other = (
        json.dumps({"model": "m", **body}, ensure_ascii=False, separators=(",", ":")).encode() for body in (left, right)
    )
    for first, second, swapped in ((left, right, False), (right, left, True)):
        difference = request(**first).first_difference(request(**second))
        assert difference.pointer == pointer
        assert one[: difference.position] == other[: difference.position]
        assert (
            one[difference.position : difference.position + 1] != other[difference.position : difference.position + 1]
        )
        lines = str(difference).splitlines()
        assert lines[0] == f"first difference at byte {difference.position}, {pointer or '/'}"
        assert lines[1:] == [f"  {difference.left}", f"  {difference.right}"]
        marked = difference.right if swapped else difference.left
        assert marked.partition("▶")[2] == one[difference.position :][:80].decode(errors="ignore")


def test_equal_requests_have_no_first_difference():
    """Two requests with equal bodies have no difference, even if their paths differ."""
    assert request(a=[1]).first_difference(FakeRequest("POST", "/other", body={"model": "m", "a": [1]})) is None
