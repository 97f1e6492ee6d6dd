"""Tests with random histories of other providers and this package, with trims, hand-offs, interrupts and edits.

Each request must pass the strict rules of the fake endpoint. The caller's messages must not change.
"""

import json
import warnings
from copy import deepcopy
from itertools import groupby

import pytest
from history_makers import MAKERS, OPERATIONS, TOOLS, WAYS, Numbers, results_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.load import dumps
from langchain_core.messages import HumanMessage
from outgoing import GOOGLE

from langchain_gemini_compat.errors import GeminiCompatWarning, InvalidHistoryError, UnsupportedParameterError
from langchain_gemini_compat.testing import Call, FakeGemini, Reply

MODELS = ("gemini-2.5-flash", "gemini-3.8-flash", "gemini-flash-latest", "gemini-3.6-flash")
REPLIES = [
    "Fine.",
    [Call("look", {"q": "é"})],
    [Call("look"), Call("add", {"q": "x"}), Call("look", {"q": "y"})],
    Reply("Let me see.", calls=[Call("add")]),
]
REPAIRS = ("repaired", "adjusted")
#: Types of other providers' content blocks that cannot be sent to Google. For a block that is left out, `preview` must
#: return a note.
UNSENDABLE = ("file_search_call", "mcp_call", "web_search_tool_result")

#: Hypothesis settings with which every run builds the same conversations.
FIXED = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


class Story:
    """A conversation on one surface with one model, event by event."""

    def __init__(self, data, surface, model):
        self.data, self.surface = data, surface
        self.numbers = Numbers()
        self.fake = FakeGemini(surface=surface)
        self.chat = self.fake.chat_model(model)
        self.strict_chat = self.fake.chat_model(model, strict=True)
        self.bound = self.chat.bind_tools(TOOLS)
        self.messages = []

    def tell(self, names):
        """Choose a random event from `names`, and apply it to the conversation.

        The event `we` adds an answer of this package's model. The other events add a turn of a provider, or change the
        history.
        """
        name = self.data.draw(st.sampled_from(names), label="event")
        if name in MAKERS:
            self.messages = [*self.messages, *MAKERS[name](self.data, self.numbers, self.surface)]
        elif name in OPERATIONS:
            self.messages = OPERATIONS[name](self.data, self.messages, self.numbers)
        else:
            self.answer()

    def answer(self):
        """Check the request, append the reply, and add results for all, some or none of its calls."""
        request = self.check()
        if request is None:
            self.messages = [*self.messages, HumanMessage("Hello?")]
            return
        self.fake.answer_with([self.data.draw(st.sampled_from(REPLIES), label="reply")])
        reply = self.bound.invoke(self.messages)
        assert self.fake.refusals == []
        assert self.fake.requests[-1].body == json.loads(json.dumps(request))
        results = results_of(reply)
        left = self.data.draw(st.sampled_from([len(results), len(results), 1, 0]), label="results")
        self.messages = [*self.messages, reply, *results[:left]]

    def preview(self, chat=None):
        return (chat or self.chat).preview(self.messages, **self.bound.kwargs)

    def check(self):
        """Return the body of the request; `None` if there is nothing to send."""
        before = dumps(self.messages)
        try:
            body, notes = self.preview()
        except InvalidHistoryError:
            assert not any(any(said[1:4]) for said in plain_outline(self.messages) if said[0] != "tool")
            return None
        again, _ = self.preview()
        assert json.dumps(again) == json.dumps(body)
        repairs = [note for note in notes if note.kind in REPAIRS]
        assert (outline(body["messages"]) == plain_outline(self.messages)) == (repairs == []), repairs
        self.check_strict(body, [note for note in notes if note.kind in (*REPAIRS, "dropped")])
        assert dumps(self.messages) == before
        self.check_repaired(body)
        return body

    def check_repaired(self, body):
        """Check that a repaired history needs no further repair."""
        sent, notes = self.chat.preview(deepcopy(body["messages"]), **self.bound.kwargs)
        assert [note for note in notes if note.kind in REPAIRS] == []
        assert json.dumps(sent) == json.dumps(body)

    def check_strict(self, body, notes):
        """Check a model with `strict`: it raises an error if there are `notes`, and sends the same `body` otherwise."""
        if not notes:
            sent, _ = self.preview(self.strict_chat)
            assert json.dumps(sent) == json.dumps(body)
            return
        with pytest.raises((InvalidHistoryError, UnsupportedParameterError)) as raised:
            self.preview(self.strict_chat)
        texts = [note.message if note.index is None else f"Message {note.index}: {note.message}" for note in notes]
        assert any(str(raised.value).startswith(text) for text in texts)
        assert all(note.index is not None and note.index < len(self.messages) for note in notes)


def plain_outline(messages):
    """Return role, text, images and calls of each message of a history."""
    said = []
    for message in messages:
        role = {"human": "user", "ai": "assistant"}.get(message.type, message.type)
        blocks = [message.content] if isinstance(message.content, str) else message.content
        texts = [block if isinstance(block, str) else block.get("text", "") for block in blocks]
        if role == "tool":
            said.append((role, "".join(texts) or "{}"))
            continue
        kinds = [block.get("type") for block in blocks if isinstance(block, dict)]
        pictures = sum(str(kind).startswith("image") for kind in kinds)
        calls = [(call["name"], json.dumps(call["args"])) for call in getattr(message, "tool_calls", ())]
        said.append((role, "".join(texts), pictures, calls, [kind for kind in kinds if kind in UNSENDABLE]))
    return sort_results(said)


def outline(sent):
    """Return the outline of wire messages: role, text, number of images, and calls.

    Images in tool results are ignored, because some surfaces get them in a separate user message.
    """
    said = []
    for message in sent:
        content = message.get("content", "")
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        texts = [part.get("text", "") for part in parts]
        if message["role"] == "user" and texts[0].startswith("Output of "):
            continue
        if message["role"] == "tool":
            beside = message.get("extra_content")
            said.append(("tool", json.loads(content)["output"] if beside else content))
            continue
        pictures = sum(part["type"] == "image_url" for part in parts)
        calls = [
            (call["function"]["name"], json.dumps(json.loads(call["function"]["arguments"])))
            for call in message.get("tool_calls", ())
        ]
        said.append((message["role"], "".join(texts), pictures, calls, []))
    return sort_results(said)


def sort_results(said):
    """Return the outline `said`, with tool results sorted if they directly follow each other."""
    runs = (list(run) for _, run in groupby(said, key=lambda entry: entry[0] == "tool"))
    return [entry for run in runs for entry in (sorted(run) if run[0][0] == "tool" else run)]


def tell_story(data, surface, model, events, length, start=()):
    """Build a random conversation from `events`. At the end, the model answers twice."""
    story = Story(data, surface, model)
    story.messages = [*start]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GeminiCompatWarning)
        for _ in range(data.draw(st.integers(1, length), label="length")):
            story.tell(events)
        story.answer()
        story.answer()


@settings(FIXED, max_examples=180)
@given(data=st.data(), surface=st.sampled_from(GOOGLE), model=st.sampled_from(MODELS))
def test_each_request_of_a_random_history_is_valid(data, surface, model):
    """Each repair has a note, gives the same result every time, and does not change the caller's messages.

    With `strict`, a history that needs a repair raises an error.
    """
    tell_story(data, surface, model, [*MAKERS, *OPERATIONS, "we", "we"], 7)


@settings(FIXED, max_examples=120)
@given(data=st.data(), surface=st.sampled_from(GOOGLE), model=st.sampled_from(MODELS))
def test_single_repair_is_noted(data, surface, model):
    """A short history has few repairs, so that a missing note cannot be hidden by the note of another repair."""
    events = ["ours", "interrupt", "interrupt", "resume", "resume", "reorder_calls", "swap"]
    tell_story(data, surface, model, events, 4, [HumanMessage("Hi.")])


def bring_back(way, surface):
    """Return a user message, a reply with two tool calls, and the results of the calls.

    `way` is the way to get the reply, such as `stream`.
    """
    reply = Reply("Let me see.", thoughts="Hm.", calls=[Call("look", {"q": "é"}), Call("add")])
    fake = FakeGemini([reply], surface=surface)
    chat = fake.chat_model(include_thoughts=True)
    message = WAYS[way](fake, "gemini-3.8-flash", chat.bind_tools(TOOLS))
    return [HumanMessage("Hi."), message, *results_of(message)]


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])
def test_chat_openai_accepts_our_turns_without_google_fields(way, surface, responses, monkeypatch):
    """`ChatOpenAI` sends text, calls and results, but no signatures or thoughts."""
    openai = pytest.importorskip("langchain_openai")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    chat = openai.ChatOpenAI(model="gpt-6", use_responses_api=responses)
    payload = chat._get_request_payload(bring_back(way, surface))
    sent = json.dumps(payload, ensure_ascii=False)
    assert "extra_content" not in sent
    assert "thought_signature" not in sent
    if responses:
        items = [item.get("type") for item in payload["input"]]
        assert items.count("function_call") == items.count("function_call_output") == 2
        return
    assert [message["role"] for message in payload["messages"]] == ["user", "assistant", "tool", "tool"]
    calls = payload["messages"][1]["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["look", "add"]
    assert [call["id"] for call in calls] == [message["tool_call_id"] for message in payload["messages"][2:]]
    assert all(0 < len(call["id"]) <= 64 for call in calls)


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize("way", WAYS)
def test_chat_google_generative_ai_accepts_our_turns_with_signatures(way, surface):
    """Only the first of the two calls has a signature. Both calls have a result."""
    genai = pytest.importorskip("langchain_google_genai.chat_models")
    _, contents = genai._parse_chat_history(bring_back(way, surface), model="gemini-3.8-flash")
    calls = [part for part in contents[1].parts if part.function_call]
    results = [part.function_response.name for part in contents[2].parts]
    assert [part.function_call.name for part in calls] == results == ["look", "add"]
    assert [bool(part.thought_signature) for part in calls] == [True, False]
    assert calls[0].thought_signature != b"skip_thought_signature_validator"
