"""Functions that return the replies of `FakeGemini` as frames. The tests of `Style` use them."""

from __future__ import annotations

import json
from typing import Any

from captures import read_capture

from langchain_gemini_compat.testing import Call, FakeGemini, Reply, Style

MODELS = {"ai_studio": "gemini-3.8-flash", "vertex": "google/gemini-3.8-flash", "openai_compatible": "gemma-3-270m"}
SURFACES = tuple(MODELS)
OSLO, ROME = Call("weather", {"city": "Oslo"}), Call("weather", {"city": "Rome"})
THOUGHTS = {"extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}}
MARKED = {"extra_body": {"google": {"thinking_config": {"include_thoughts": True}, "thought_tag_marker": "think"}}}
STREAMED = {"extra_body": {"google": {"stream_function_call_arguments": True}}}


def send(surface: Any, reply: Reply, **more: Any) -> Any:
    """Send a request to a new fake that answers `reply`, and return the raw response."""
    fake = FakeGemini([reply], surface=surface)
    body = {"model": MODELS[surface], "messages": [{"role": "user", "content": "Hi"}], **more}
    url = f"{fake.connection()['base_url']}/chat/completions"
    response = fake.http_client.post(url, json=body, headers={"Authorization": "Bearer a-long-enough-token"})
    assert not fake.refusals
    return response


def whole(surface: str, reply: Reply, **more: Any) -> dict[str, Any]:
    """Return the choice of a whole reply."""
    return send(surface, reply, **more).json()["choices"][0]


def stream(surface: str, reply: Reply, **more: Any) -> list[dict[str, Any]]:
    """Return the frames of a streamed reply. Assert that it ends with `[DONE]`."""
    events = send(surface, reply, stream=True, **more).text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]


def choices(surface: str, reply: Reply, **more: Any) -> list[dict[str, Any]]:
    """Return the choice of each frame that has one."""
    return [frame["choices"][0] for frame in stream(surface, reply, **more) if frame["choices"]]


def entries(surface: str, style: Style, *calls: Call, **more: Any) -> list[dict[str, Any]]:
    """Return all entries of `tool_calls` in a stream, in order."""
    found = choices(surface, Reply(calls=calls or (OSLO, ROME), style=style), **more)
    return [entry for choice in found for entry in choice["delta"].get("tool_calls", ())]


def texts(surface: str, reply: Reply, **more: Any) -> list[tuple[Any, bool]]:
    """Return the content of each frame that has one, and whether it is flagged as a thought."""
    found = [choice["delta"] for choice in choices(surface, reply, **more)]
    return [(delta["content"], "thought" in google(delta)) for delta in found if delta.get("content")]


def google(holder: dict[str, Any]) -> dict[str, Any]:
    """Return the value of `extra_content.google`."""
    return (holder.get("extra_content") or {}).get("google", {})


def shape(value: Any) -> Any:
    """Return `value` with only its keys and types. A list has its first item only."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def recorded(name: str) -> Any:
    """Return the body of a public capture. Skip the test if the captures are not available."""
    return read_capture(name)["response"]["body"]


def frames_of(body: str) -> list[dict[str, Any]]:
    """Return the JSON events of a recorded stream."""
    lines = [line.removeprefix("data: ") for line in body.split("\n") if line.startswith("data: {")]
    return [json.loads(line) for line in lines]
