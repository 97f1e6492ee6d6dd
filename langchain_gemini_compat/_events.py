"""Everything that can happen while a reply arrives, as frozen values.

The assembler turns wire chunks into these, `_decode` turns these into LangChain chunks. A closed set:
whoever matches on `Event` matches all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from langchain_gemini_compat._usage import Usage
    from langchain_gemini_compat._wire import JsonObject, JsonValue


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
    """A piece of tool call number `index`: `id` and `name` come once, with the first piece."""

    index: int
    id: str | None
    name: str | None
    args: str


@dataclass(frozen=True, slots=True)
class CallExtras:
    """What came beside call `id`: `extra_content` with its signature, and gateways' own fields.

    With `is_more` it adds to what was said of that call, and repeats nothing of it.
    """

    id: str
    fields: JsonObject
    is_more: bool = False


@dataclass(frozen=True, slots=True)
class InvalidCall:
    """A call that nobody may run: what the server said of it, and why."""

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

    `native_reason` is the server's word; `reason` is OpenAI's word for it, or `None` when the stream broke
    off. `invalid` are calls that nobody may run: their arguments are no JSON object, or what came fits more than
    one reading; `faults` are their names. The server `announced` a call that never came. `fields` came with the message
    itself.
    """

    reason: str | None
    native_reason: str | None
    usage: Usage | None
    fields: JsonObject
    faults: tuple[str, ...]
    logprobs: list[JsonValue] | None
    empty: bool
    #: Unknown keys of the message that were too large, or too many, to keep.
    dropped_fields: tuple[str, ...] = ()
    #: What a gateway says of where the reply came from and what it cost.
    provider: str = ""
    cost: float | None = None
    cost_details: JsonObject = field(default_factory=dict)
    invalid: tuple[InvalidCall, ...] = ()
    announced: bool = False


Event: TypeAlias = TextDelta | ThoughtDelta | RefusalDelta | ToolCallDelta | CallExtras | MediaSeen | Finished
