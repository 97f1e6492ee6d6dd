"""The replies of the fake as plain values: text, tool calls, images, raw bodies, and the style of a stream.

A reply does not depend on the surface. `_render` turns the reply into the JSON of a surface.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of the model.

    Attributes:
        name: The name of the function.
        args: The arguments as an object. A string is sent unchanged, even if it is not valid JSON.
        id: The id of the call. With `None`, the call gets an id in the form that the surface uses.

    Examples:
        >>> Call("add", {"a": 1, "b": 2})
        Call(name='add', args={'a': 1, 'b': 2}, id=None)
    """

    name: str
    args: Mapping[str, object] | str = field(default_factory=dict[str, object])
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of a reply.

    Attributes:
        prompt: Tokens of the request, cached ones included.
        completion: Tokens of text and calls, without the thoughts, as Google counts them.
        thoughts: Tokens of the thoughts.
        cached: Tokens of the prompt that came from the cache.
    """

    prompt: int
    completion: int
    thoughts: int = 0
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Style:
    """The form of a reply, to imitate what servers and gateways were seen to send.

    A field that is `None` follows the surface. AI Studio sends no `index` and ends streamed calls with `stop`. Vertex
    repeats id and name in every delta, and sends a wrong `index` when it streams arguments. Every field applies to
    streams. `ids`, `signature` and `thoughts` also apply to replies that are not streamed.

    Attributes:
        index: The `index` of streamed calls. `zero`: 0 for every call. `lying`: the first delta of a call has the
            number of another call.
        ids: The ids of calls. `repeated`: in every delta. `empty`: an empty string in every delta. `doubled`: all
            calls have the id of the first. `function_name`: the function's name instead of an id. `litellm`: the id,
            `__thought__`, and the signature.
        names: Whether the function's name is only in the first delta of a call, or in every delta.
        args: How arguments are streamed. `cut`: in pieces. `empty_object_first`: after a delta with `{}`.
            `raw_newlines`: in pieces, with unescaped line breaks. `glued`: only the first call, with the arguments of
            all calls.
        cut_every: Characters of arguments in one piece. Default: 12.
        calls_per_frame: Number of calls that share a frame. Default: 1.
        finish: The finish reason of calls. `every_chunk`: in every chunk. `absent`: in none. `camel_case`: as
            `tool_calls` under `finishReason`, as in 2024.
        signature: Where the thought signature of a call is. `alone`: in an entry of its own without function, after
            the call. `alone_first`: the same, before the call. `on_delta`: beside the calls. `other_namespace`: under
            `extra_content.vertex`.
        thoughts: How thoughts are marked. `flagged`: with tags and Google's flag. `tagged`: with tags only.
            `unclosed`: with the flag, and without a closing tag. `untagged`: with neither. `reasoning_content`: in a
            field of their own, as vLLM sends them.
        tag_cut: Whether each tag is split between two frames.
        usage: Where the token counts are. `trailer`: in a last frame without choices.
        content: The `content` of frames. `absent`, `null` and `empty` apply to frames with calls. `parts`: texts are
            lists of `{"text": …}`.

    Examples:
        >>> Reply(calls=[Call("add", {"a": 1})], style=Style(args="cut", ids="repeated")).style.ids
        'repeated'
    """

    index: Literal["absent", "right", "zero", "lying"] | None = None
    ids: Literal["present", "repeated", "absent", "empty", "doubled", "function_name", "litellm"] | None = None
    names: Literal["once", "repeated"] | None = None
    args: Literal["whole", "cut", "empty_object_first", "raw_newlines", "glued"] | None = None
    cut_every: int | None = None
    calls_per_frame: int | None = None
    finish: Literal["stop", "tool_calls", "every_chunk", "absent", "camel_case"] | None = None
    signature: Literal["on_call", "alone", "alone_first", "on_delta", "other_namespace", "absent"] | None = None
    thoughts: Literal["flagged", "tagged", "unclosed", "untagged", "reasoning_content"] | None = None
    tag_cut: bool | None = None
    usage: Literal["last", "every_chunk", "absent", "trailer"] | None = None
    content: Literal["absent", "null", "empty", "parts"] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of the model: any of thoughts, text, tool calls and an image.

    Attributes:
        text: The text of the answer.
        thoughts: The text of the thoughts. As with Google, a request gets thoughts only if it asks for them.
        calls: The tool calls.
        image: An image as bytes, or as base64.
        image_type: The MIME type of the image.
        finish_reason: The finish reason. `None` selects the finish reason that fits the reply.
        usage: The token counts, as a `Usage` or as the `usage` object of the reply. With `None` they are estimated.
        signed: Whether the reply has thought signatures, if the model and the surface issue them.
        chunks: How a stream splits the text: a size in characters, or the pieces. With `None`, each piece has three
            words.
        style: The form of the reply.

    Examples:
        >>> reply = Reply("It is 3.", thoughts="1 and 2.", chunks=["It is ", "3."])
        >>> reply.is_empty
        False
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
        """Whether the reply has no text, no thoughts, no calls and no image."""
        return not (self.text or self.thoughts or self.calls or self.image)


@dataclass(frozen=True, slots=True)
class Raw:
    """A body that is sent unchanged, such as a recording.

    Attributes:
        body: The body. An object or a list is sent as JSON.
        status: The HTTP status.
        content_type: The `content-type`. With `None`, the type follows from the body: an event stream, HTML or JSON.
        headers: More headers of the response.

    Examples:
        >>> Raw({"choices": []}, headers={"x-request-id": "1"}).status
        200
    """

    body: bytes | str | JsonObject | list[JsonValue]
    status: int = 200
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
