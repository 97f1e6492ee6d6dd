"""Converts the token counts of a reply to LangChain's `UsageMetadata`, and to the `token_usage` of `ChatOpenAI`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from langchain_core.messages.ai import AIMessage, InputTokenDetails, OutputTokenDetails, UsageMetadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from langchain_core.outputs import ChatResult

    from langchain_gemini_compat._response.usage import Usage

#: Maps LangChain's name for a token detail to OpenAI's name. For all other details, OpenAI's name is `{name}_tokens`.
_OPENAI_NAMES = {"cache_read": "cached_tokens"}
#: Keys of a message's `response_metadata` that are also in `llm_output`, as in the results of `ChatOpenAI`.
_RESULT_KEYS = ("token_usage", "model_provider", "model_name", "system_fingerprint", "id", "service_tier")


def build_usage_metadata(usage: Usage) -> UsageMetadata:
    """Return the counts of `usage` as LangChain's `UsageMetadata`."""
    metadata = UsageMetadata(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, total_tokens=usage.total_tokens
    )
    given, written = dict(usage.input_kinds), dict(usage.output_kinds)
    if usage.cached_tokens is not None:
        given["cache_read"] = usage.cached_tokens
    if usage.reasoning_tokens is not None:
        written["reasoning"] = usage.reasoning_tokens
    if given:
        metadata["input_token_details"] = cast("InputTokenDetails", given)
    if written:
        metadata["output_token_details"] = cast("OutputTokenDetails", written)
    return metadata


def build_token_usage(metadata: UsageMetadata) -> dict[str, object]:
    """Return the counts of `metadata` in OpenAI's form.

    The counts come from `metadata` and not from the server's `usage`, so that a message has equal counts in both forms.
    They include thoughts, as completion tokens, and the tokens of discarded replies.
    """
    usage: dict[str, object] = {
        "prompt_tokens": metadata["input_tokens"],
        "completion_tokens": metadata["output_tokens"],
        "total_tokens": metadata["total_tokens"],
    }
    details = {
        "prompt_tokens_details": metadata.get("input_token_details"),
        "completion_tokens_details": metadata.get("output_token_details"),
    }
    for name, counts in details.items():
        if counts:
            usage[name] = {_OPENAI_NAMES.get(key, f"{key}_tokens"): count for key, count in counts.items()}
    return usage


def build_llm_output(response_metadata: Mapping[str, object]) -> dict[str, object]:
    """Return the `llm_output` of a result whose first message has this `response_metadata`."""
    return {key: response_metadata[key] for key in _RESULT_KEYS if key in response_metadata}


def add_llm_output(result: ChatResult) -> ChatResult:
    """Add `llm_output` to `result`, and return `result`. LangChain leaves `llm_output` out if it streams the reply.

    A cached answer gets no `llm_output`, because no tokens were spent. LangChain marks a cached answer by the key
    `total_cost` in its usage.
    """
    message = result.generations[0].message if result.generations else None
    if not result.llm_output and isinstance(message, AIMessage) and "total_cost" not in (message.usage_metadata or {}):
        result.llm_output = build_llm_output(message.response_metadata)
    return result


def sum_token_usage(outputs: Iterable[Mapping[str, object] | None]) -> dict[str, object]:
    """Return the sum of `token_usage` in several `llm_output` dicts. The `llm_output` of a cached answer is `None`."""
    total: dict[str, object] = {}
    for output in outputs:
        _add_counts(total, cast("Mapping[str, object]", (output or {}).get("token_usage") or {}))
    return total


def _add_counts(total: dict[str, object], more: Mapping[str, object]) -> None:
    """Add the counts in `more` to `total`, including those in nested dicts."""
    for key, value in more.items():
        if isinstance(value, dict):
            inner = cast("dict[str, object]", total.setdefault(key, {}))
            _add_counts(inner, cast("Mapping[str, object]", value))
        elif isinstance(value, int):
            total[key] = cast("int", total.get(key, 0)) + value
