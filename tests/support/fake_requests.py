"""Requests for `FakeGemini`, and the rules that they break, for the tests of its rules."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from langchain_gemini_compat.testing import Call, FakeGemini, Reply, Style

MODELS = {"ai_studio": "gemini-3.8-flash", "vertex": "google/gemini-3.8-flash"}
BOTH = tuple(MODELS)
STAND_IN = "skip_thought_signature_validator"
PARAMETERS = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Where"},
        "unit": {"type": "string", "enum": ["c", "f"], "nullable": True},
        "days": {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": 7},
        "at": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}]},
    },
    "required": ["city"],
}
USER = {"role": "user", "content": "Weather in Oslo and Rome?"}


def send(fake: FakeGemini, body: dict[str, Any], url: str | None = None) -> Any:
    """Send `body` to the fake, and return the raw response."""
    url = url or f"{fake.connection()['base_url']}/chat/completions"
    return fake.http_client.post(url, json=body, headers={"Authorization": "Bearer a-long-enough-token"})


def body_for(surface: str, messages: Any = None, **more: Any) -> dict[str, Any]:
    """Return a good request with one tool. `more` replaces its keys."""
    tool = {"type": "function", "function": {"name": "weather", "parameters": deepcopy(PARAMETERS)}}
    return {"model": MODELS[surface], "messages": messages or [USER], "tools": [tool], **more}


def called(surface: Any, *calls: Call, **more: Any) -> dict[str, Any]:
    """Return the signed assistant message that makes `calls`."""
    style = more.pop("style", Style())
    fake = FakeGemini([Reply(calls=calls or (Call("weather"),), style=style)], surface=surface)
    return send(fake, body_for(surface, **more)).json()["choices"][0]["message"]


def answered(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a result for each call of `message`."""
    return [
        {"role": "tool", "tool_call_id": call["id"], "name": call["function"]["name"], "content": "sunny"}
        for call in message["tool_calls"]
    ]


def history(surface: str, *calls: Call, **more: Any) -> list[dict[str, Any]]:
    """Return a question, its calls and their results."""
    message = called(surface, *calls, **more)
    return [USER, message, *answered(message)]


def refusals(surface: Any, body: dict[str, Any]) -> tuple[list[str], str]:
    """Return the rules that `body` breaks, and the error message of the fake."""
    fake = FakeGemini(surface=surface)
    response = send(fake, body)
    if response.status_code == 200:
        return [], ""
    return [violation.rule for violation in fake.refusals], response.json()[0]["error"]["message"]


def signature(call: dict[str, Any]) -> dict[str, Any]:
    """Return the object that holds the signature of a call."""
    return call["extra_content"]["google"]


def two_steps() -> list[dict[str, Any]]:
    """Return a question, two parallel calls and two results."""
    return history("ai_studio", Call("weather", {"city": "Oslo"}), Call("weather", {"city": "Rome"}))


def image(url: str) -> dict[str, Any]:
    """Return an image part."""
    return {"type": "image_url", "image_url": {"url": url}}
