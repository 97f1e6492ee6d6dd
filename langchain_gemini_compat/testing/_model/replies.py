"""What the fake is told to say, as plain values: text, calls, images, raw bytes, and the manner of a stream.

Its one rule: a reply knows nothing of a surface; it is put into a dialect when it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; `args` is an object, or a text that is sent as it is, valid or not.

    Without `id` it gets one in the manner of the surface.
    """

    name: str
    args: Mapping[str, object] | str = field(default_factory=dict[str, object])
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts; `completion` leaves thoughts out, as Google counts, and `cached` is a part of `prompt`."""

    prompt: int
    completion: int
    thoughts: int = 0
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Style:
    """The manner of a reply, to bend it into what servers and gateways were seen to send.

    A field left at `None` follows the surface: AI Studio sends no `index` and ends streamed calls with `stop`,
    Vertex repeats id and name in every delta, and numbers calls wrongly where their arguments are streamed. All
    fields shape streams; `ids`, `signature` and `thoughts` shape whole replies too.
    """

    index: Literal["absent", "right", "zero", "lying"] | None = None
    ids: Literal["present", "repeated", "absent", "empty", "doubled", "function_name", "litellm"] | None = None
    """`litellm`: the id with `__thought__` and the signature behind it."""
    names: Literal["once", "repeated"] | None = None
    args: Literal["whole", "cut", "empty_object_first", "raw_newlines", "glued"] | None = None
    """`raw_newlines`: cut, and line breaks in strings are not escaped; `glued`: one call with all arguments."""
    cut_every: int | None = None
    """Characters of arguments in one piece."""
    calls_per_frame: int | None = None
    finish: Literal["stop", "tool_calls", "every_chunk", "absent", "camel_case"] | None = None
    """`camel_case`: under `finishReason`, as in 2024."""
    signature: Literal["on_call", "alone", "alone_first", "on_delta", "other_namespace", "absent"] | None = None
    """`alone`: an entry of its own without function, after its call (`alone_first`: before); `on_delta`: beside
    the calls; `other_namespace`: under `extra_content.vertex`."""
    thoughts: Literal["flagged", "tagged", "unclosed", "untagged", "reasoning_content"] | None = None
    """`flagged`: tags and Google's flag; `tagged`: tags alone; `unclosed`: flag, no closing tag; `untagged`: neither;
    `reasoning_content`: in a field of their own, as vLLM does."""
    tag_cut: bool | None = None
    """Tags are cut in two, and the halves come in different frames."""
    usage: Literal["last", "every_chunk", "absent", "trailer"] | None = None
    content: Literal["absent", "null", "empty", "parts"] | None = None
    """What frames of calls hold as `content`; `parts`: texts come as a list of `{"text": …}`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the model: any of thoughts, text, calls and an image.

    `image` is bytes or base64. Thoughts are shown only to who asked for them, as the surface does. `finish_reason`
    beats the natural one, `usage` (a `Usage`, or Google's own object) the estimate, and with `signed=False` no
    signature is issued. `chunks` cuts the text of a stream: a size in characters, or the pieces.
    """

    text: str = ""
    thoughts: str = ""
    calls: Sequence[Call] = ()
    image: bytes | str | None = None
    image_type: str = "image/png"
    finish_reason: str | None = None
    usage: Usage | Mapping[str, JsonValue] | None = None
    signed: bool = True
    chunks: int | Sequence[str] | None = None
    style: Style = Style()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said at all."""
        return not (self.text or self.thoughts or self.calls or self.image)


@dataclass(frozen=True, slots=True)
class Raw:
    """A body sent as it is: a recording, or anything else. Objects and lists become JSON.

    Without `content_type` it is told from the body: an event stream, HTML or JSON.
    """

    body: bytes | str | JsonObject | list[JsonValue]
    status: int = 200
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
