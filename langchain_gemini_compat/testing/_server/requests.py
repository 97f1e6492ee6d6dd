"""Requests as values that a test can check. Of a credential, only the last 4 characters are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue, as_objects, as_text, text_of
from langchain_gemini_compat.testing._server.difference import Difference, find_difference

_SECRET_HEADERS = ("authorization", "x-goog-api-key")


@dataclass(frozen=True, slots=True)
class FakeRequest:
    """A request that the fake received.

    Attributes:
        method: The HTTP method.
        path: The path of the URL.
        query: The query parameters.
        headers: The headers, with lowercase names. Of a credential, only the last 4 characters are kept.
        body: The JSON object that was sent. If the body is not a JSON object, the dict is empty.

    Examples:
        >>> from langchain_gemini_compat.testing import FakeGemini
        >>> fake = FakeGemini(["Hello!"])
        >>> reply = fake.chat_model().invoke("Hi")
        >>> fake.requests[0].prompt, fake.requests[0].stream
        ('Hi', False)
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: JsonObject = field(default_factory=dict[str, "JsonValue"])

    @property
    def model(self) -> str:
        """The name of the model, as sent."""
        return as_text(self.body.get("model"))

    @property
    def messages(self) -> list[JsonObject]:
        """The messages, as sent."""
        return as_objects(self.body.get("messages"))

    @property
    def tools(self) -> list[JsonObject]:
        """The declared tools, as sent."""
        return as_objects(self.body.get("tools"))

    @property
    def stream(self) -> bool:
        """Whether the request asks for a stream."""
        return self.body.get("stream") is True

    @property
    def prompt(self) -> str:
        """The text of the newest user message."""
        spoken = [message for message in self.messages if message.get("role") == "user"]
        return text_of(spoken[-1].get("content")) if spoken else ""

    @property
    def results(self) -> list[str]:
        """The texts of the tool results after the newest assistant message."""
        found: list[str] = []
        for message in reversed(self.messages):
            if message.get("role") != "tool":
                break
            found.insert(0, text_of(message.get("content")))
        return found

    def first_difference(self, other: FakeRequest) -> Difference | None:
        """Return the first difference of the two request bodies.

        Google can read the part before the first difference from its cache. In a conversation that only grows, the
        first difference is at the new messages.

        Args:
            other: The request to compare with.

        Returns:
            The first difference, or `None` if the bodies are the same.

        Examples:
            >>> from langchain_gemini_compat.testing import FakeGemini
            >>> fake = FakeGemini()
            >>> model = fake.chat_model()
            >>> replies = model.invoke("Hi"), model.invoke("Hello")
            >>> fake.requests[0].first_difference(fake.requests[1]).pointer
            '/messages/0/content'
        """
        return find_difference(self.body, other.body)


def read_request(method: str, url: str, headers: Mapping[str, str], content: bytes) -> FakeRequest:
    """Return an HTTP request as a `FakeRequest`, with at most the last 4 characters of its credential."""
    parts = urlsplit(url)
    return FakeRequest(
        method=method,
        path=parts.path,
        query=dict(parse_qsl(parts.query)),
        headers={name.lower(): _redact(name.lower(), value) for name, value in headers.items()},
        body=_read_body(content),
    )


def _read_body(content: bytes) -> JsonObject:
    try:
        body = json.loads(content) if content else {}
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _redact(name: str, value: str) -> str:
    if name not in _SECRET_HEADERS:
        return value
    scheme, space, secret = value.rpartition(" ")
    return f"{scheme}{space}…{secret[-4:]}" if len(secret) > 8 else f"{scheme}{space}…"
