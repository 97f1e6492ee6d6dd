"""Defines the events that `assembler` reads from a reply. `message_chunks` turns them into LangChain chunks.

`Event` is a closed union: `Parts.add` and `ReplyDecoder` handle every member.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from langchain_gemini_compat._response.usage import Usage
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ThoughtDelta:
    """A piece of the model's thoughts, without the tags around them."""

    text: str


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """A piece of an OpenAI-style refusal."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the tool call with the number `index`. Only the first piece has `id` and `name`.

    `is_complete` is true if the arguments are a complete JSON object after this piece.
    """

    index: int
    id: str | None
    name: str | None
    args: str
    is_complete: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class CallExtras:
    """The extra fields of call `id`: `extra_content` with the call's signature, and the fields of gateways.

    If `is_more` is true, an earlier event contained other fields of this call. `fields` contains only the new ones.
    """

    id: str
    fields: JsonObject
    is_more: bool = False


@dataclass(frozen=True, slots=True)
class InvalidCall:
    """A call that must not run. `error` says why the call is invalid."""

    index: int
    id: str
    name: str
    args: str
    error: str


@dataclass(frozen=True, slots=True)
class MediaSeen:
    """A complete image or sound: `data` in base64, or a `url` if the server sent one."""

    data: str
    mime_type: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """The event at the end of a reply."""

    #: OpenAI's finish reason; `None` if the stream broke off.
    reason: str | None
    #: The finish reason as the server sent it.
    native_reason: str | None
    usage: Usage | None
    #: The keys of the reply's message that this package does not know.
    fields: JsonObject
    logprobs: list[JsonValue] | None
    #: Whether the reply has no text, refusal, media or tool call.
    empty: bool
    #: Unknown keys that were not kept, since they were too large or too many.
    dropped_fields: tuple[str, ...] = ()
    #: Messages about parts of the reply that were left out, except the keys in `dropped_fields`.
    losses: tuple[str, ...] = ()
    #: The provider and the cost of the reply, if a gateway sends them.
    provider: str = ""
    cost: float | None = None
    cost_details: JsonObject = field(default_factory=dict)
    #: The calls that must not run: they are ambiguous, or their arguments are not a JSON object.
    invalid: tuple[InvalidCall, ...] = ()
    #: Whether the server announced a tool call but did not send it.
    is_call_missing: bool = False
    #: Whether the reply has text in OpenAI's field `refusal`.
    is_refusal: bool = False


Event: TypeAlias = TextDelta | ThoughtDelta | RefusalDelta | ToolCallDelta | CallExtras | MediaSeen | Finished
