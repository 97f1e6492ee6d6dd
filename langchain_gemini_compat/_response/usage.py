"""Converts the token counts of a reply so that input plus output is always the total.

Google's `completion_tokens` do not include thoughts. Vertex lists thoughts separately, and AI Studio counts them only
in the total. Both count the results of Google's own tools only in the total.
Sources: the usage on Google's examples page (27 + 45 + 504 = 576) and captures of AI Studio (11 + 25 of 727).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from langchain_gemini_compat._wire.json_types import object_at, text_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: A larger number is not a token count, and is ignored.
_MOST = 2**53
#: The names of each count: in Chat Completions, in the Responses API and at Anthropic (gateways use both), in Google's
#: native API, at Amazon Bedrock and in Vercel's AI SDK.
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
_TOOL_USE = ("toolUsePromptTokenCount", "tool_use_prompt_token_count")
_NATIVE = ("promptTokenCount", "prompt_token_count", "totalTokenCount", "total_token_count")


@dataclass(frozen=True, slots=True)
class Usage:
    """The token counts of one reply.

    `output_tokens` include `reasoning_tokens`, and `input_tokens` include `cached_tokens`. `reasoning_tokens` and
    `cached_tokens` are `None` if the server does not send them.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    traffic_type: str | None = None

    @property
    def total_tokens(self) -> int:
        """Input tokens plus output tokens."""
        return self.input_tokens + self.output_tokens


def decode_usage(usage: Mapping[str, object]) -> Usage:
    """Return consistent counts for the `usage` of any server.

    >>> decode_usage({"prompt_tokens": 11, "completion_tokens": 25, "total_tokens": 727})
    Usage(input_tokens=11, output_tokens=716, cached_tokens=None, reasoning_tokens=691, traffic_type=None)
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
    reasoning = counts.reasoning
    return Usage(
        input_tokens=counts.prompt,
        output_tokens=counts.output,
        cached_tokens=None if cached is None else min(cached, counts.prompt),
        reasoning_tokens=None if reasoning is None else min(reasoning, counts.output),
        traffic_type=text_at(object_at(object_at(usage, "extra_properties"), "google"), "traffic_type")
        or text_at(usage, "trafficType")
        or None,
    )


class _Counts(NamedTuple):
    """The result of `_reconcile`: input, output, and the thoughts in the output."""

    prompt: int
    output: int
    reasoning: int | None


def _reconcile(prompt: int | None, completion: int | None, total: int | None, reasoning: int | None) -> _Counts:
    """Return input and output that add up to the total, unless the total is less than its parts."""
    given, output = prompt or 0, completion or 0
    if total is None:
        # There are more thoughts than output tokens, so this server does not count thoughts as output.
        excluded = reasoning is not None and reasoning > output
        return _Counts(given, output + (reasoning or 0) if excluded else output, reasoning)
    rest = total - given - output
    if rest <= 0:
        return _Counts(given, output, reasoning)
    if completion is not None and prompt is None:
        # Only the input is unknown. Thoughts that fit into the rest are output.
        thoughts = reasoning if reasoning and reasoning <= rest else 0
        return _Counts(rest - thoughts, output + thoughts, reasoning)
    if completion is not None and reasoning and rest > reasoning:
        # Thoughts are known, so the rest is input: Google does not count results of its own tools in the prompt
        # (https://github.com/mozilla-ai/any-llm/pull/1367: 80 + 237 for tools + 173 + 60 of 550).
        return _Counts(given + rest - reasoning, output + reasoning, reasoning)
    return _Counts(given, output + rest, rest if reasoning is None and completion is not None else reasoning)


def _add(count: int | None, more: int | None) -> int | None:
    return count if more is None else (count or 0) + more


def _detail(usage: Mapping[str, object], places: Sequence[str], key: str, own: Sequence[str]) -> int | None:
    """Return a count from the details, or from the top level under one of the names in `own`."""
    details = (_count(object_at(usage, place), (key,)) for place in places)
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
