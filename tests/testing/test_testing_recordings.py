"""`FakeGemini` compared with public captures of Google's replies: the same keys and types in each frame."""

from __future__ import annotations

import json
from typing import Any

from fake_frames import OSLO, ROME, STREAMED, THOUGHTS, choices, frames_of, recorded, send, shape, stream

from langchain_gemini_compat.testing import Reply, Style, Usage


def test_streamed_parallel_calls_are_shaped_as_ai_studio_sends_them() -> None:
    """Calls have no index, each frame has one call, and `stop` is in a separate frame."""
    real = frames_of(recorded("ais-04-aguirust-3.1flashlite-parallel-signed-stream"))
    ours = stream("ai_studio", Reply(calls=(OSLO, ROME)))
    assert [shape(frame) for frame in ours] == [shape(frame) for frame in real]
    assert [frame["choices"][0].get("finish_reason") for frame in ours] == [None, None, "stop"]


def test_streamed_arguments_are_shaped_as_vertex_sends_them() -> None:
    """The fake's frames have the same keys and types as those in Google's sample, and the same wrong indices."""
    real = frames_of(recorded("vtx-doc-3.1pro-stream_function_call_arguments"))
    reply = Reply(calls=(OSLO, ROME), style=Style(cut_every=8), usage=Usage(27, 45, thoughts=504))
    ours = stream("vertex", reply, **STREAMED)

    def kinds(frames: list[dict[str, Any]]) -> set[str]:
        return {json.dumps(shape(frame), sort_keys=True) for frame in frames}

    def numbers(frames: list[dict[str, Any]]) -> list[tuple[int, bool]]:
        found = [frame["choices"][0]["delta"]["tool_calls"][0] for frame in frames]
        pairs = [(entry["index"], entry["function"]["arguments"] == "") for entry in found]
        return [pair for at, pair in enumerate(pairs) if at == 0 or pair != pairs[at - 1]]

    assert kinds(ours) == kinds(real)
    assert numbers(ours) == numbers(real) == [(1, True), (0, False), (0, True), (1, False)]


def test_thoughts_are_shaped_as_ai_studio_sends_them() -> None:
    """The opening tag is in the first frame of the thoughts. The closing tag is before the first text of the answer."""
    real = frames_of(recorded("ais-10-2.5flash-include_thoughts-stream"))
    reply = Reply("Hello!", "one two three four five six seven eight nine")
    ours = stream("ai_studio", reply, model="gemini-2.5-flash", **THOUGHTS)
    assert [shape(frame) for frame in ours] == [shape(frame) for frame in real]
    contents = [frame["choices"][0]["delta"]["content"] for frame in ours]
    assert contents == ["<thought>one two three ", "four five six ", "seven eight nine", "</thought>Hello!"]


def test_a_call_right_after_thoughts_brings_the_closing_tag() -> None:
    """The closing tag is in the frame with the call, as in a capture of Gemma on AI Studio."""
    real = frames_of(recorded("ais-13-gemma4-31b-thought-then-tool-stream"))[-1]
    ours = choices("ai_studio", Reply(thoughts="Hm", calls=[OSLO]), **THOUGHTS)[1]
    assert shape(ours) == shape(real["choices"][0])
    assert ours["delta"]["content"] == "</thought>"


def test_an_image_is_shaped_as_vertex_sends_it() -> None:
    """Vertex AI sends an image in `message.audio`. `content` is `null`, and the message has the signature."""
    real = recorded("vtx-doc-3proimage-image-nonstream")
    ours = send("vertex", Reply(image=b"png", usage=Usage(7, 1120, thoughts=251)), modalities=["image"]).json()
    assert shape(ours) == shape(real)
    assert ours["choices"][0]["message"]["audio"]["data"] == "cG5n"


def test_a_whole_text_is_shaped_as_each_surface_sends_it() -> None:
    """Vertex AI sends nulls and a fingerprint. AI Studio sends neither."""
    real = recorded("vtx-gw-3.5flash-text-nonstream")
    ours = send("vertex", Reply("Hi", usage=Usage(1, 2, thoughts=3))).json()
    assert shape(ours["choices"]) == shape(real["choices"])
    plain = send("ai_studio", Reply("Hi", signed=False)).json()
    real = recorded("ais-12-2.5flashlite-text-nonstream")
    assert shape(plain) == shape(real if isinstance(real, dict) else json.loads(real))
