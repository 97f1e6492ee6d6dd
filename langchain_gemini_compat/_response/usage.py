"""Converts the token counts of a reply so that input plus output is always the total.

Google's `completion_tokens` do not include thoughts. Vertex AI lists thoughts separately, and AI Studio counts them
only in the total. Both services count the results of Google's own tools only in the total.
Sources: Google's examples page (27 prompt + 45 completion + 504 reasoning = 576 total) and captures of AI Studio
(11 prompt, 25 completion, 727 total).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from langchain_gemini_compat._wire.json_types import list_at, object_at, text_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Maximum token count. A larger number is ignored.
_MOST = 2**53
#: The keys of each count in the formats that servers and gateways use: OpenAI's Chat Completions and Responses APIs,
#: Anthropic, Google's native API, Amazon Bedrock and Vercel's AI SDK.
_PROMPT = ("prompt_tokens", "input_tokens", "promptTokenCount", "prompt_token_count", "inputTokens", "promptTokens")
_COMPLETION = (
    "completion_tokens",
    "output_tokens",
    "candidatesTokenCount",
    "candidates_token_count",
    "outputTokens",
    "completionTokens",
)
_TOTAL = ("total_tokens", "totalTokenCount", "total_token_count", "totalTokens")
_PROMPT_DETAILS = ("prompt_tokens_details", "input_tokens_details", "prompt_token_details", "input_token_details")
_COMPLETION_DETAILS = (
    "completion_tokens_details", "output_tokens_details", "completion_token_details", "output_token_details",
)  # fmt: skip
_REASONING = ("reasoning_tokens", "thoughtsTokenCount", "thoughts_token_count", "reasoningTokens")
_CACHED = (
    "cached_tokens",
    "cachedContentTokenCount",
    "cached_content_token_count",
    "cachedInputTokens",
    "cacheReadInputTokens",
)
#: Kinds of content, spelled as in LangChain's `UsageMetadata`. OpenAI's key for `image` is `image_tokens`. Google's
#: name for `image` is `IMAGE`.
_KINDS = ("text", "image", "audio", "video", "document")
_PROMPT_KINDS = (*_PROMPT_DETAILS, "promptTokensDetails")
_COMPLETION_KINDS = (*_COMPLETION_DETAILS, "candidatesTokensDetails", "candidates_tokens_details")
_TOOL_USE = ("toolUsePromptTokenCount", "tool_use_prompt_token_count")
_NATIVE = ("promptTokenCount", "prompt_token_count", "totalTokenCount", "total_token_count")


@dataclass(frozen=True, slots=True)
class Usage:
    """The token counts of one reply.

    `output_tokens` include `reasoning_tokens`, and `input_tokens` include `cached_tokens`. `reasoning_tokens` and
    `cached_tokens` are `None` if the server does not send them. `input_kinds` and `output_kinds` map a kind of content,
    such as `image`, to its number of tokens, if the server lists kinds.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    traffic_type: str | None = None
    input_kinds: Mapping[str, int] = field(default_factory=dict)
    output_kinds: Mapping[str, int] = field(default_factory=dict)

    @property
    def total_tokens(self) -> int:
        """Input tokens plus output tokens."""
        return self.input_tokens + self.output_tokens


def decode_usage(usage: Mapping[str, object]) -> Usage:
    """Return consistent counts for the `usage` of any server.

    >>> usage = decode_usage({"prompt_tokens": 11, "completion_tokens": 25, "total_tokens": 727})
    >>> usage.input_tokens, usage.output_tokens, usage.reasoning_tokens
    (11, 716, 691)
    """
    prompt, completion = _count(usage, _PROMPT), _count(usage, _COMPLETION)
    reasoning = _detail(usage, _COMPLETION_DETAILS, "reasoning_tokens", _REASONING)
    cached = _detail(usage, _PROMPT_DETAILS, "cached_tokens", _CACHED)
    total = _count(usage, _TOTAL)
    is_native = _count(usage, _NATIVE) is not None
    prompt = _add(prompt, _count(usage, _TOOL_USE) if is_native else None)
    if is_native:
        # The native API never includes thoughts in `candidatesTokenCount`.
        completion = _add(completion, reasoning)
    counts = _reconcile(prompt, completion, total, reasoning)
    reasoning = None if counts.reasoning is None else min(counts.reasoning, counts.output)
    cached = None if cached is None else min(cached, counts.prompt)
    return Usage(
        input_tokens=counts.prompt,
        output_tokens=counts.output,
        cached_tokens=cached,
        reasoning_tokens=reasoning,
        traffic_type=text_at(object_at(object_at(usage, "extra_properties"), "google"), "traffic_type")
        or text_at(usage, "trafficType")
        or None,
        input_kinds=_read_kinds(usage, _PROMPT_KINDS, counts.prompt, cached or 0),
        output_kinds=_read_kinds(usage, _COMPLETION_KINDS, counts.output, reasoning or 0),
    )


class _Counts(NamedTuple):
    """The result of `_reconcile`: input tokens, output tokens, and how many of the output tokens are thoughts."""

    prompt: int
    output: int
    reasoning: int | None


def _reconcile(prompt: int | None, completion: int | None, total: int | None, reasoning: int | None) -> _Counts:
    """Return input and output tokens that add up to `total`.

    `total` is ignored if it is missing, or less than `prompt` plus `completion`.
    """
    given, output = prompt or 0, completion or 0
    if total is None:
        # If `reasoning` is greater than `output`, the output count does not include the reasoning tokens. Add them.
        excluded = reasoning is not None and reasoning > output
        return _Counts(given, output + (reasoning or 0) if excluded else output, reasoning)
    rest = total - given - output
    if rest <= 0:
        return _Counts(given, output, reasoning)
    if completion is not None and prompt is None:
        # The server sent no count of input tokens. They are in `rest`, which is the total minus the output. If `rest`
        # is at least `reasoning`, the reasoning tokens are assumed to be in `rest` as well.
        thoughts = reasoning if reasoning and reasoning <= rest else 0
        return _Counts(rest - thoughts, output + thoughts, reasoning)
    if completion is not None and reasoning and rest > reasoning:
        # `rest` is the total minus prompt and completion. It contains the reasoning tokens and the results of Google's
        # own tools. These results are input, but Google does not count them as prompt tokens. Source:
        # https://github.com/mozilla-ai/any-llm/pull/1367 (80 prompt + 237 tools + 173 output + 60 reasoning = 550).
        return _Counts(given + rest - reasoning, output + reasoning, reasoning)
    return _Counts(given, output + rest, rest if reasoning is None and completion is not None else reasoning)


def _read_kinds(usage: Mapping[str, object], places: Sequence[str], total: int, other: int) -> dict[str, int]:
    """Return the number of tokens of each kind of content. OpenAI sends these numbers in a dict, Google in a list.

    Programs that compute prices add `other`, the number of cached or reasoning tokens, to the counts of all kinds. If
    the sum exceeds `total`, these counts already include tokens of `other`, and the count of `text` is left out. Counts
    of 0 are left out, since some gateways send a count for every kind.
    """
    found: dict[str, int | None] = {}
    for place in [place for place in places if place in usage]:
        details = object_at(usage, place)
        found.update({kind: count for kind in _KINDS if (count := _count(details, (f"{kind}_tokens",)))})
        for entry in list_at(usage, place):
            kind = text_at(entry, "modality").lower() if isinstance(entry, dict) else ""
            if isinstance(entry, dict) and kind in _KINDS:
                found[kind] = _count(entry, ("tokenCount", "token_count"))
    kinds = {kind: min(count, total) for kind in _KINDS if (count := found.get(kind))}
    if sum(kinds.values()) + other > total:
        kinds.pop("text", None)
    return kinds


def _add(count: int | None, more: int | None) -> int | None:
    return count if more is None else (count or 0) + more


def _detail(usage: Mapping[str, object], places: Sequence[str], key: str, own: Sequence[str]) -> int | None:
    """Return a count that servers nest in an object of `usage`; `None` if there is no such count.

    The object is under one of the keys `places`, and the count in it under `key`. Some servers have the count in
    `usage` itself, under one of the names `own`.
    """
    details = (_count(object_at(usage, place), (key,)) for place in places if place in usage)
    found = next((count for count in details if count is not None), None)
    return _count(usage, own) if found is None else found


def _count(usage: Mapping[str, object], names: Sequence[str]) -> int | None:
    """Return the first valid count among `names`, or `None`. JavaScript and Lua servers write 10 as `10.0`."""
    for name in names:
        value = usage.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST:
            return value
    return None
