"""The options of one request as a typed object, with the names that callers use."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Arguments that LangChain passes along with the options. They are read before a request is built.
_READ_ELSEWHERE = frozenset({"messages", "model", "stream", "strict"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one request.

    Values are as the caller wrote them: the module that encodes an option checks it. `None` means that the option is
    not set.
    """

    # Body keys of the same name.
    temperature: JsonValue = None
    top_p: JsonValue = None
    max_tokens: JsonValue = None
    n: JsonValue = None
    seed: JsonValue = None
    presence_penalty: JsonValue = None
    frequency_penalty: JsonValue = None
    logprobs: JsonValue = None
    top_logprobs: JsonValue = None
    service_tier: JsonValue = None
    web_search_options: JsonValue = None
    # Body keys that need a conversion.
    stop: JsonValue = None
    modalities: object = None
    response_format: object = None
    stream_options: JsonValue = None
    stream_usage: JsonValue = None
    # Thinking.
    reasoning_effort: object = None
    thinking_level: object = None
    thinking_budget: object = None
    include_thoughts: object = None
    thought_tag_marker: JsonValue = None
    # Tools, in the form that `format_tool` returns.
    tools: Sequence[JsonObject] | None = None
    tool_choice: JsonValue = None
    parallel_tool_calls: JsonValue = None
    # Fields of `extra_body.google`.
    cached_content: JsonValue = None
    stream_function_call_arguments: JsonValue = None
    media_resolution: object = None
    safety_settings: JsonValue = None
    #: `"raise"` or `"keep"`: what happens to a malformed tool call in the reply.
    invalid_tool_calls: object = "raise"
    #: Merged into the body last and unchanged; `google` goes under the literal `extra_body` key.
    extra_body: JsonObject | None = None
    #: Options without a field of their own. They are body keys of the same name.
    further: JsonObject = field(default_factory=dict)


_NAMES = frozenset(option.name for option in fields(Options)) - {"further"}


def read_options(given: Mapping[str, object]) -> Options:
    """Return the options in `given`, a mapping by public names. Unknown names become body keys."""
    known = {name: value for name, value in given.items() if name in _NAMES}
    further = {name: value for name, value in given.items() if name not in _NAMES and name not in _READ_ELSEWHERE}
    return Options(**cast("dict[str, Any]", known), further=cast("JsonObject", further))


def is_known_option(name: str) -> bool:
    """Return whether `name` is an option that has its own meaning here, and not a plain body key."""
    return name in _NAMES or name in _READ_ELSEWHERE
