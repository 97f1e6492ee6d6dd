"""The form of the replies of `FakeGemini`: the default of each surface, and every `Style`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_frames import MARKED, OSLO, ROME, SURFACES, THOUGHTS, choices, entries, google, send, stream, texts, whole

from langchain_gemini_compat.testing import Call, Reply, Style, Usage


def test_keys_are_in_alphabetical_order() -> None:
    """Keys are in alphabetical order at every level, as in Google's replies."""
    text = send("vertex", Reply("Hi", calls=[OSLO])).text
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize(
    ("surface", "reason", "whole_reason"),
    [
        ("ai_studio", "stop", "tool_calls"),
        ("vertex", "tool_calls", "tool_calls"),
        ("openai_compatible", "tool_calls", "tool_calls"),
    ],
)
def test_finish_reason_of_streamed_calls(surface: str, reason: str, whole_reason: str) -> None:
    """Only AI Studio sends `stop` after streamed calls."""
    assert choices(surface, Reply(calls=[OSLO]))[-1]["finish_reason"] == reason
    assert whole(surface, Reply(calls=[OSLO]))["finish_reason"] == whole_reason


def test_thoughts_are_sent_on_request() -> None:
    """AI Studio sends thoughts in tags. Vertex AI uses tags only if the request names the tag.

    A compatible server sends thoughts in a separate field.
    """
    reply = Reply("Yes", "Hm")
    assert whole("ai_studio", reply)["message"]["content"] == "Yes"
    assert texts("vertex", reply) == [("Yes", False)]
    message = whole("ai_studio", reply, **THOUGHTS)["message"]
    assert (message["content"], google(message)["thought"]) == ("<thought>Hm</thought>Yes", True)
    assert texts("vertex", reply, **THOUGHTS) == [("Hm", False), ("Yes", False)]
    assert texts("vertex", reply, **MARKED) == [("<think>Hm", True), ("</think>Yes", False)]
    assert whole("vertex", reply, **MARKED)["message"]["content"] == "<think>Hm</think>Yes"
    assert whole("openai_compatible", reply)["message"]["reasoning_content"] == "Hm"


def test_signature_of_a_text_is_in_a_last_empty_frame() -> None:
    """The last frame of a stream has an empty text and the signature. A whole reply has the same signature."""
    last = choices("ai_studio", Reply("Hi"))[-1]
    assert last["delta"]["content"] == ""
    assert (
        google(last["delta"])["thought_signature"]
        == google(whole("ai_studio", Reply("Hi"))["message"])["thought_signature"]
    )
    assert "extra_content" not in whole("ai_studio", Reply("Hi", signed=False))["message"]


def test_usage_of_a_stream_by_surface() -> None:
    """Vertex AI always sends usage. The other surfaces send it on request.

    A compatible server sends it in an additional last chunk.
    """
    asked = {"stream_options": {"include_usage": True}}
    assert "usage" in stream("vertex", Reply("Hi"))[-1]
    assert not any("usage" in frame for frame in stream("ai_studio", Reply("Hi")))
    assert "usage" in stream("ai_studio", Reply("Hi"), **asked)[-1]
    trailer = stream("openai_compatible", Reply("Hi"), **asked)[-1]
    assert (trailer["choices"], trailer["usage"]["completion_tokens"]) == ([], 1)


def test_chunks_split_the_text() -> None:
    """`chunks` is a number of characters, or the pieces themselves. By default, a piece has three words."""
    assert [text for text, _ in texts("ai_studio", Reply("abcde", chunks=2))] == ["ab", "cd", "e"]
    assert [text for text, _ in texts("ai_studio", Reply("abcde", chunks=("a", "bcde")))] == ["a", "bcde"]
    assert [text for text, _ in texts("ai_studio", Reply("a b c d"))] == ["a b c ", "d"]
    with pytest.raises(ValueError, match="The joined pieces of `chunks` differ"):
        send("ai_studio", Reply("abc", chunks=("a",)), stream=True)


def test_arguments_may_be_any_text() -> None:
    """Invalid JSON and a custom id are sent unchanged."""
    entry = entries("ai_studio", Style(), Call("weather", '{"city": "Os', id="mine"))[0]
    assert (entry["id"], entry["function"]["arguments"]) == ("mine", '{"city": "Os')


@pytest.mark.parametrize(
    ("index", "expected"),
    [("absent", [None] * 4), ("right", [0, 0, 1, 1]), ("zero", [0, 0, 0, 0]), ("lying", [1, 0, 0, 1])],
)
@pytest.mark.parametrize("surface", SURFACES)
def test_index(surface: str, index: Any, expected: list[Any]) -> None:
    """Each style sets the index of the first and the later deltas of two calls."""
    found = entries(surface, Style(index=index, args="cut", cut_every=100))
    assert [entry.get("index") for entry in found] == expected


def test_lying_index_of_a_single_call() -> None:
    """The first delta of the only call has the index 1, although there is no second call."""
    assert [entry["index"] for entry in entries("vertex", Style(index="lying", args="cut", cut_every=99), OSLO)] == [
        1,
        0,
    ]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ("present", ["a", None, "b", None]),
        ("repeated", ["a", "a", "b", "b"]),
        ("absent", [None] * 4),
        ("empty", [""] * 4),
        ("doubled", ["a", None, "a", None]),
        ("function_name", ["weather"] * 4),
    ],
)
@pytest.mark.parametrize("surface", SURFACES)
def test_ids(surface: str, ids: Any, expected: list[Any]) -> None:
    """Each style sets which deltas have an id, and which id. Whole replies have the same ids."""
    calls = (Call("weather", {"city": "Oslo"}, id="a"), Call("weather", {"city": "Rome"}, id="b"))
    style = Style(ids=ids, args="cut", cut_every=100)
    assert [entry.get("id") for entry in entries(surface, style, *calls)] == expected
    unstreamed = whole(surface, Reply(calls=calls, style=style))["message"]["tool_calls"]
    assert [entry.get("id") for entry in unstreamed] == [expected[0], expected[2]]


def test_a_litellm_id_carries_the_signature() -> None:
    """The id of the first call has the signature after `__thought__`."""
    first, second = entries("ai_studio", Style(ids="litellm", signature="absent"))
    assert "__thought__" in first["id"]
    assert "__thought__" not in second["id"]


def test_names() -> None:
    """The function's name is in the first entry of a call, or in every entry."""
    for names, expected in (("once", ["weather", None]), ("repeated", ["weather", "weather"])):
        found = entries("ai_studio", Style(names=names, args="cut", cut_every=100), OSLO)
        assert [entry["function"].get("name") for entry in found] == expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("whole", ['{"a":"x\\ny"}', '{"b":1}']),
        ("cut", ["", '{"a":"', 'x\\ny"}', "", '{"b":1', "}"]),
        ("empty_object_first", ["{}", '{"a":"x\\ny"}', "{}", '{"b":1}']),
        ("raw_newlines", ["", '{"a":"', 'x\ny"}', "", '{"b":1', "}"]),
        ("glued", ['{"a":"x\\ny"}{"b":1}']),
    ],
)
@pytest.mark.parametrize("surface", SURFACES)
def test_args(surface: str, args: Any, expected: list[str]) -> None:
    """The field `args` of `Style` sets how arguments are sent, for example in pieces or with all calls in one entry."""
    found = entries(surface, Style(args=args, cut_every=6), Call("f", {"a": "x\ny"}), Call("g", {"b": 1}))
    assert [entry["function"]["arguments"] for entry in found] == expected


def test_calls_per_frame() -> None:
    """With `calls_per_frame=2`, a frame has up to two calls."""
    style = Style(calls_per_frame=2, args="cut", cut_every=100)
    found = choices("ai_studio", Reply(calls=(OSLO, ROME, OSLO), style=style))
    assert [len(choice["delta"].get("tool_calls", ())) for choice in found] == [2, 2, 1, 1, 0]


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        ("stop", [None, None, "stop"]),
        ("tool_calls", [None, None, "tool_calls"]),
        ("every_chunk", ["stop"] * 3),
        ("absent", [None] * 3),
    ],
)
@pytest.mark.parametrize("surface", SURFACES)
def test_finish(surface: str, finish: Any, expected: list[Any]) -> None:
    """`Style` sets whether the finish reason is in the last frame, in every frame, or in none."""
    style = Style(finish=finish, args="whole")
    found = choices(surface, Reply(calls=(OSLO, ROME), style=style))
    reasons = [choice.get("finish_reason") for choice in found]
    assert reasons[-3:] == expected


def test_finish_in_camel_case() -> None:
    """The key is `finishReason`, as AI Studio sent it in 2024."""
    last = choices("ai_studio", Reply("Hi", style=Style(finish="camel_case")))[-1]
    assert last["finishReason"] == "stop"
    assert "finish_reason" not in last


def test_given_finish_reason_is_used() -> None:
    reply = Reply("Hi", finish_reason="length")
    assert choices("vertex", reply)[-1]["finish_reason"] == whole("vertex", reply)["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("signature", "where"),
    [
        ("on_call", ["call", "", "", ""]),
        ("alone", ["", "", "bare", "", ""]),
        ("alone_first", ["bare", "", "", "", ""]),
        ("on_delta", ["", "", "", "", "delta"]),
        ("other_namespace", ["vertex", "", "", ""]),
        ("absent", ["", "", "", ""]),
    ],
)
@pytest.mark.parametrize("surface", ["ai_studio", "vertex"])
def test_signature(surface: str, signature: Any, where: list[str]) -> None:
    """The field `signature` of `Style` sets where a stream has the signature of the first call, or omits it."""

    def place(delta: dict[str, Any]) -> str:
        entry = delta.get("tool_calls", [{}])[0]
        if "thought_signature" in google(delta):
            return "delta"
        if "vertex" in entry.get("extra_content", {}):
            return "vertex"
        return ("call" if "function" in entry else "bare") if "thought_signature" in google(entry) else ""

    style = Style(signature=signature, args="cut", cut_every=100)
    found = choices(surface, Reply(calls=(OSLO, ROME), style=style))
    assert [place(choice["delta"]) for choice in found[:-1]] == where


@pytest.mark.parametrize(
    ("thoughts", "expected"),
    [
        ("flagged", [("<thought>Hm", True), ("</thought>Yes", False)]),
        ("tagged", [("<thought>Hm", False), ("</thought>Yes", False)]),
        ("unclosed", [("<thought>Hm", True), ("Yes", False)]),
        ("untagged", [("Hm", False), ("Yes", False)]),
    ],
)
@pytest.mark.parametrize("surface", ["ai_studio", "vertex"])
def test_thoughts(surface: str, thoughts: Any, expected: list[Any]) -> None:
    """Each style sets whether thoughts have a flag, tags and a closing tag.

    A whole reply has the same text as the stream.
    """
    reply = Reply("Yes", "Hm", style=Style(thoughts=thoughts))
    more = (
        THOUGHTS
        if surface == "ai_studio"
        else {"extra_body": {"google": {**THOUGHTS["extra_body"]["google"], "thought_tag_marker": "thought"}}}
    )
    assert texts(surface, reply, **more) == expected
    unstreamed = whole(surface, reply, **more)["message"]
    assert unstreamed["content"] == "".join(text for text, _ in expected)
    assert google(unstreamed).get("thought", False) is any(flag for _, flag in expected)


def test_thoughts_in_a_field_of_their_own() -> None:
    """With `thoughts="reasoning_content"`, Google's surfaces send thoughts in a separate field too, as vLLM does."""
    found = choices("ai_studio", Reply("Yes", "Hm", style=Style(thoughts="reasoning_content")))
    assert found[0]["delta"]["reasoning_content"] == "Hm"


def test_tags_are_split_between_frames() -> None:
    """If a call follows the thoughts, the frame of the call has the second half of the closing tag."""
    style = Style(tag_cut=True)
    found = texts("ai_studio", Reply("Yes", "Hm", style=style), **THOUGHTS)
    assert found == [("<th", True), ("ought>Hm", True), ("</th", False), ("ought>Yes", False)]
    called = texts("ai_studio", Reply(thoughts="Hm", calls=[OSLO], style=style), **THOUGHTS)
    assert [text for text, _ in called] == ["<th", "ought>Hm", "</th", "ought>"]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ("last", [None, None, 9]),
        ("every_chunk", [3, 6, 9]),
        ("absent", [None, None, None]),
        ("trailer", [None, None, None, 9]),
    ],
)
@pytest.mark.parametrize("surface", ["ai_studio", "vertex"])
def test_usage(surface: str, usage: Any, expected: list[Any]) -> None:
    """The field `usage` of `Style` sets which frames of a stream have the token usage."""
    reply = Reply("a b c d", usage=Usage(1, 9), style=Style(usage=usage))
    frames = stream(surface, reply)
    assert [frame.get("usage", {}).get("completion_tokens") for frame in frames] == expected


def test_usage_may_be_any_object() -> None:
    """An object given as usage is sent unchanged, with any fields."""
    odd = {"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 70}
    assert send("ai_studio", Reply("Hi", usage=odd)).json()["usage"] == odd


@pytest.mark.parametrize(("content", "expected"), [("absent", "none"), ("null", None), ("empty", "")])
def test_content_beside_calls(content: Any, expected: Any) -> None:
    """`Style` sets whether `content` is missing, `null` or empty in a frame with calls."""
    delta = choices("ai_studio", Reply(calls=[OSLO], style=Style(content=content)))[0]["delta"]
    assert delta.get("content", "none") == expected


def test_content_in_parts() -> None:
    """With `content="parts"`, a text is sent as a list of parts, as older models did."""
    delta = choices("ai_studio", Reply("Hi", style=Style(content="parts")))[0]["delta"]
    assert delta["content"] == [{"text": "Hi"}]
