"""The options of one request as a typed object, under their public names."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Names of arguments that LangChain passes together with the options. Other code reads them before the request is
#: built.
_READ_ELSEWHERE = frozenset({"messages", "model", "stream", "strict"})


@dataclass(slots=True, kw_only=True)
class Options:
    """The options of one request. Do not change them.

    Values are unchecked: the module that encodes an option validates it. `None` means that the option is not set. The
    class is not frozen, because filling the fields of a frozen class is slow. Filling them would take 41,000 of the
    3,800,000 CPU instructions of a plain call (measured in November 2026).
    """

    # The following options are body keys with the same name.
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
    # The following options are converted to body keys.
    stop: JsonValue = None
    modalities: object = None
    response_format: object = None
    stream_options: JsonValue = None
    stream_usage: JsonValue = None
    # The following options control thinking.
    reasoning_effort: object = None
    thinking_level: object = None
    thinking_budget: object = None
    include_thoughts: object = None
    thought_tag_marker: JsonValue = None
    # The following options control tools. `tools` has the form that `format_tool` returns.
    tools: Sequence[JsonObject] | None = None
    tool_choice: JsonValue = None
    parallel_tool_calls: JsonValue = None
    # The following options become fields of `extra_body.google`.
    cached_content: JsonValue = None
    stream_function_call_arguments: JsonValue = None
    media_resolution: object = None
    safety_settings: JsonValue = None
    #: How a malformed tool call in the reply is handled: `"raise"` or `"keep"`.
    invalid_tool_calls: object = "raise"
    #: Whether the headers of the reply are added to the metadata of the message.
    include_response_headers: object = False
    #: The caller's own keys for the body, which are added last and unchanged. The key `google` goes under the body's
    #: key `extra_body`. All other keys go to the top of the body.
    extra_body: JsonObject | None = None
    #: Options with any other name. Each is sent as a body key with this name.
    further: JsonObject = field(default_factory=dict)


_NAMES = frozenset(option.name for option in fields(Options)) - {"further"}


def read_options(given: Mapping[str, object]) -> Options:
    """Return the options in `given`, which maps public names to values. An unknown name becomes a body key."""
    known = {name: value for name, value in given.items() if name in _NAMES}
    further = {name: value for name, value in given.items() if name not in _NAMES and name not in _READ_ELSEWHERE}
    return Options(**cast("dict[str, Any]", known), further=cast("JsonObject", further))


def is_known_option(name: str) -> bool:
    """Return whether `name` is an option of this package. Any other name is sent as a body key."""
    return name in _NAMES or name in _READ_ELSEWHERE
