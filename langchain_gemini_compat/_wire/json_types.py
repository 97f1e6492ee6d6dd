"""The JSON of the Chat Completions wire, as types: keys spelled as on the wire, nothing validated.

Sources: Google's examples page for the OpenAI-compatible API, and public captures of both surfaces.
Every key may be absent. The types say what servers should send; whoever reads a reply goes through `text_at`,
`object_at` and `list_at`, whose one rule is: what is not of its type is absent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias, cast

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

if TYPE_CHECKING:
    JsonValue: TypeAlias = dict[str, "JsonValue"] | list["JsonValue"] | str | int | float | bool | None
    JsonObject: TypeAlias = dict[str, JsonValue]
else:
    # `typing.get_type_hints` cannot resolve a recursive alias in a module that imports only one of its names.
    JsonValue = dict[str, object] | list[object] | str | int | float | bool | None
    JsonObject = dict[str, object]


class WireFunction(TypedDict, total=False):
    """Name and arguments (a JSON text, or a piece of one) of a tool call."""

    name: str | None
    arguments: str | None


class WireToolCall(TypedDict, total=False):
    """One entry of `tool_calls`; in a stream any key may be missing, repeated or untrue."""

    index: int | None
    id: str | None
    type: str
    function: WireFunction | None
    extra_content: JsonObject | None
    provider_specific_fields: JsonObject | None


class WireMedia(TypedDict, total=False):
    """`message.audio`; Google puts images there too and tells the MIME type in `extra_content.google`."""

    id: str
    data: str
    extra_content: JsonObject | None


class WireMessage(TypedDict, total=False):
    """`choices[].message` of a whole reply and `choices[].delta` of a streamed one."""

    role: str
    content: str | list[JsonObject] | None
    reasoning: str | None
    reasoning_content: str | None
    refusal: str | None
    tool_calls: list[WireToolCall] | None
    audio: WireMedia | None
    extra_content: JsonObject | None
    provider_specific_fields: JsonObject | None
    reasoning_details: list[JsonValue] | None


class WireChoice(TypedDict, total=False):
    """One of `choices`; Google leaves `message` out of a blocked reply."""

    index: int
    message: WireMessage | None
    delta: WireMessage | None
    finish_reason: str | None
    finishReason: str | None
    logprobs: JsonObject | None


class WireUsage(TypedDict, total=False):
    """Token counts. Google's `completion_tokens` exclude thoughts, OpenAI's include them."""

    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    prompt_tokens_details: JsonObject | None
    completion_tokens_details: JsonObject | None
    extra_properties: JsonObject | None


class WireChunk(TypedDict, total=False):
    """One event of a stream, or a whole reply: both hold `choices` and `usage`."""

    id: str
    object: str
    created: int
    model: str
    service_tier: str | None
    system_fingerprint: str | None
    provider: str | None
    choices: list[WireChoice] | None
    usage: WireUsage | None
    error: JsonValue


#: Names of thought tags. `think` is what vLLM-like servers and Google's own sample marker use.
DEFAULT_TAGS = ("thought", "think")
#: What `data: [DONE]` becomes: the server's own word that nothing is missing.
DONE: WireChunk = {"object": "[DONE]"}


def text_at(wire: Mapping[str, object], key: str) -> str:
    """The string at `key`; empty for anything else."""
    value = wire.get(key)
    return value if isinstance(value, str) else ""


def object_at(wire: Mapping[str, object], key: str) -> JsonObject:
    """The object at `key`; empty for anything else."""
    value = wire.get(key)
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def list_at(wire: Mapping[str, object], key: str) -> list[JsonValue]:
    """The list at `key`; empty for anything else."""
    value = wire.get(key)
    return cast("list[JsonValue]", value) if isinstance(value, list) else []


#: Names of events or types by which servers send an error in a stream.
_ERROR_NAME = re.compile(
    r"(?:^|[^a-z])(?:error|exception|fatal|failure|failed)(?:$|[^a-z])|[a-z](?:error|exception)$", re.IGNORECASE
)
_LONGEST_NAME = 64


def is_error_name(name: object) -> bool:
    """Return whether the name of an event or of a type is one of an error.

    >>> [is_error_name(name) for name in ("error", "response.failed", "ServerError", "chat.completion", None)]
    [True, True, True, False, False]
    """
    return isinstance(name, str) and len(name) <= _LONGEST_NAME and _ERROR_NAME.search(name) is not None


#: Marks a choice of a whole reply without a finish reason.
END_ASSUMED = "end_assumed"
#: On a choice that was a whole reply: its text holds thoughts between tags.
THOUGHTS_TAGGED = "thoughts_tagged"
#: Marks a choice of a whole reply: its lists and texts are complete.
IS_WHOLE = "is_whole"


def as_chunk(completion: WireChunk) -> WireChunk:
    """A whole reply as the only chunk of a stream.

    The message-level flag `extra_content.google.thought` becomes `THOUGHTS_TAGGED`: on a whole reply it stands
    beside text that holds the answer too (seen on AI Studio), so it says nothing about any one piece of it.
    A whole reply cannot have broken off: without a finish reason, or without choices, it is finished too.
    """
    choices = [_as_streamed(choice) for choice in list_at(completion, "choices") if isinstance(choice, dict)]
    if len(choices) == 1:
        # The only one is the one that was asked for, whatever its number.
        choices[0]["index"] = 0
    return cast("WireChunk", {**completion, "choices": choices or [_as_streamed({})]})


def _as_streamed(choice: JsonObject) -> JsonObject:
    if isinstance(choice.get("delta"), dict):
        # This is a chunk that also contains the whole reply.
        return dict(choice)
    delta = dict(object_at(choice, "message"))
    extra = without_thought_flag(object_at(delta, "extra_content"))
    delta.pop("extra_content", None)
    if extra:
        delta["extra_content"] = extra
    whole: JsonObject = {key: value for key, value in choice.items() if key != "message"}
    if object_at(object_at(object_at(choice, "message"), "extra_content"), "google").get("thought") is True:
        whole[THOUGHTS_TAGGED] = True
    whole[IS_WHOLE] = True
    reason = text_at(choice, "finish_reason") or text_at(choice, "finishReason")
    if not reason:
        whole[END_ASSUMED] = True
    return {**whole, "delta": delta, "finish_reason": reason or "stop"}


def without_thought_flag(extra_content: JsonObject) -> JsonObject:
    """`extra_content` less `google.thought`, and less a `google` that holds nothing else."""
    google = extra_content.get("google")
    if not isinstance(google, dict) or "thought" not in google:
        return extra_content
    kept: JsonObject = {key: value for key, value in google.items() if key != "thought"}
    rest: JsonObject = {key: value for key, value in extra_content.items() if key != "google"}
    return {**rest, "google": kept} if kept else rest


def text_of_parts(parts: Sequence[JsonValue]) -> str:
    """The text of a `content` that came as a list of parts (older Gemini models sent `{"text": …}` items)."""
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "".join(text for text in texts if isinstance(text, str))
