"""Types for the JSON of the Chat Completions API, and functions that read it.

The types say what servers should send; nothing is validated, and every key may be absent. Code that reads a reply uses
`text_at`, `object_at` and `list_at`, which treat a value of the wrong type as absent. Sources: Google's examples page
for the OpenAI-compatible API, and public captures of both surfaces.
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
    # A recursive type contains its own name as a string. `typing.get_type_hints` cannot resolve the name `JsonValue` in
    # a module that imports only `JsonObject`. So the types at run time are not recursive.
    JsonValue = dict[str, object] | list[object] | str | int | float | bool | None
    JsonObject = dict[str, object]


class WireFunction(TypedDict, total=False):
    """Name and arguments of a tool call. The arguments are JSON text, or a fragment of it."""

    name: str | None
    arguments: str | None


class WireToolCall(TypedDict, total=False):
    """One entry of `tool_calls`. In a stream, any key may be missing, repeated or wrong."""

    index: int | None
    id: str | None
    type: str
    function: WireFunction | None
    extra_content: JsonObject | None
    provider_specific_fields: JsonObject | None


class WireMedia(TypedDict, total=False):
    """The `audio` of a message. Google also puts images into `audio`, with the MIME type in `extra_content.google`."""

    id: str
    data: str
    extra_content: JsonObject | None


class WireMessage(TypedDict, total=False):
    """The `message` of a choice in a whole reply, or its `delta` in a streamed reply."""

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
    """An item of `choices`. Google leaves `message` out if the reply was blocked."""

    index: int
    message: WireMessage | None
    delta: WireMessage | None
    finish_reason: str | None
    finishReason: str | None
    logprobs: JsonObject | None


class WireUsage(TypedDict, total=False):
    """Token counts. OpenAI's `completion_tokens` include the tokens of thoughts. Google's do not."""

    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    prompt_tokens_details: JsonObject | None
    completion_tokens_details: JsonObject | None
    extra_properties: JsonObject | None


class WireChunk(TypedDict, total=False):
    """One event of a stream, or a whole reply. Both have `choices` and `usage`."""

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


#: Names of the tags that servers put around thoughts in a text. vLLM, similar servers and an example of Google use
#: `think`.
DEFAULT_TAGS = ("thought", "think")
#: The event for `data: [DONE]`, which servers send at the end of a complete stream.
DONE: WireChunk = {"object": "[DONE]"}


def text_at(wire: Mapping[str, object], key: str) -> str:
    """Return the string at `key`; an empty string for any other value."""
    value = wire.get(key)
    return value if isinstance(value, str) else ""


def object_at(wire: Mapping[str, object], key: str) -> JsonObject:
    """Return the object at `key`; an empty object for any other value."""
    value = wire.get(key)
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def list_at(wire: Mapping[str, object], key: str) -> list[JsonValue]:
    """Return the list at `key`; an empty list for any other value."""
    value = wire.get(key)
    return cast("list[JsonValue]", value) if isinstance(value, list) else []


#: Matches a value of `event` or `type` that marks an error in a stream.
_ERROR_NAME = re.compile(
    r"(?:^|[^a-z])(?:error|exception|fatal|failure|failed)(?:$|[^a-z])|[a-z](?:error|exception)$", re.IGNORECASE
)
_LONGEST_NAME = 64


def is_error_name(name: object) -> bool:
    """Return whether `name` is the name of an error. Events in a stream have it under `event` or `type`.

    >>> [is_error_name(name) for name in ("error", "response.failed", "ServerError", "chat.completion", None)]
    [True, True, True, False, False]
    """
    return isinstance(name, str) and len(name) <= _LONGEST_NAME and _ERROR_NAME.search(name) is not None


#: Key that `as_chunk` sets in a choice if the whole reply had no finish reason. The finish reason is then `stop`.
END_ASSUMED = "end_assumed"
#: Key that `as_chunk` sets in a choice if the text of the whole reply contains thoughts between tags.
THOUGHTS_TAGGED = "thoughts_tagged"
#: Key of a choice that contains a whole reply. The lists and texts of such a choice are complete.
IS_WHOLE = "is_whole"


def as_chunk(completion: WireChunk) -> WireChunk:
    """Convert a whole reply to a chunk, as if a stream had sent the reply in one chunk.

    AI Studio marks a whole message as a thought (`extra_content.google.thought`), even if its text also contains the
    answer. The mark is replaced by `THOUGHTS_TAGGED`, so that the answer is not read as a thought.

    If the reply has no finish reason or no choices, the chunk still counts as complete.
    """
    choices = [_as_streamed(choice) for choice in list_at(completion, "choices") if isinstance(choice, dict)]
    if len(choices) == 1:
        # The index of a single choice is set to 0, because servers may send any index.
        choices[0]["index"] = 0
    return cast("WireChunk", {**completion, "choices": choices or [_as_streamed({})]})


def _as_streamed(choice: JsonObject) -> JsonObject:
    if isinstance(choice.get("delta"), dict):
        # The choice has a `delta` with the whole reply, as in a chunk. So nothing has to be converted.
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
    """Return `extra_content` without `google.thought`. If `google` has no other key, leave out `google` too."""
    google = extra_content.get("google")
    if not isinstance(google, dict) or "thought" not in google:
        return extra_content
    kept: JsonObject = {key: value for key, value in google.items() if key != "thought"}
    rest: JsonObject = {key: value for key, value in extra_content.items() if key != "google"}
    return {**rest, "google": kept} if kept else rest


def text_of_parts(parts: Sequence[JsonValue]) -> str:
    """Return the text of a `content` that is a list of parts (older Gemini models sent `{"text": …}` items)."""
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "".join(text for text in texts if isinstance(text, str))
