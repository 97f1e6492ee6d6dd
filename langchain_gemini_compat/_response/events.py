"""Everything that can happen while a reply arrives, as frozen values.

The assembler turns wire chunks into these, `message_chunks` turns these into LangChain chunks. A closed set:
whoever matches on `Event` matches all of it.
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
    """A piece of tool call number `index`: `id` and `name` come once, with the first piece.

    `is_complete` is true if the arguments so far, with this piece, are a complete JSON object.
    """

    index: int
    id: str | None
    name: str | None
    args: str
    is_complete: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class CallExtras:
    """Fields beside call `id`: `extra_content` with its signature, and gateways' own fields.

    With `is_more` the fields add to earlier ones of that call and repeat none of them.
    """

    id: str
    fields: JsonObject
    is_more: bool = False


@dataclass(frozen=True, slots=True)
class InvalidCall:
    """An invalid call that must not run: what the server sent, and the reason."""

    index: int
    id: str
    name: str
    args: str
    error: str


@dataclass(frozen=True, slots=True)
class MediaSeen:
    """A whole image or sound: base64 in `data`, or its `url` where the server gave one."""

    data: str
    mime_type: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a reply.

    `native_reason` is the server's finish reason. `reason` is OpenAI's word for it, or `None` if the stream broke
    off. `invalid` are calls that must not run: their arguments are not a JSON object, or the chunks have more than one
    reading. `is_call_missing` is set if the server announced a call and never sent it. `fields` are
    the unknown keys of the message.
    """

    reason: str | None
    native_reason: str | None
    usage: Usage | None
    fields: JsonObject
    logprobs: list[JsonValue] | None
    empty: bool
    #: Unknown keys of the message that were too large, or too many, to keep.
    dropped_fields: tuple[str, ...] = ()
    #: Sentences about other parts of the reply that were left out.
    losses: tuple[str, ...] = ()
    #: Provider and cost of the reply, if a gateway names them.
    provider: str = ""
    cost: float | None = None
    cost_details: JsonObject = field(default_factory=dict)
    invalid: tuple[InvalidCall, ...] = ()
    is_call_missing: bool = False


Event: TypeAlias = TextDelta | ThoughtDelta | RefusalDelta | ToolCallDelta | CallExtras | MediaSeen | Finished
