"""Classifies finish reasons into seven kinds. Of several finish reasons, the most severe one counts.

A finish reason that is not listed is `unknown`: the text of the reply is kept, but its tool calls are uncertain.
Sources: the API references of OpenAI, Google (`FinishReason`), Anthropic, Cohere, Mistral, DeepSeek, xAI, Amazon
Bedrock and IBM watsonx, and the source code of vLLM (`abort`), SGLang, TGI (`eos_token`), llama.cpp, LiteLLM and
OpenRouter (`error`).
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

Ending: TypeAlias = Literal["clean", "calls", "unknown", "cut", "broken", "filtered", "malformed"]

#: The severity of each kind of finish reason. A higher number is more severe.
_RANKS: dict[Ending, int] = {
    "clean": 0, "calls": 1, "unknown": 2, "cut": 3, "broken": 4, "filtered": 5, "malformed": 6,
}  # fmt: skip
_WORDS: dict[Ending, frozenset[str]] = {
    "clean": frozenset(
        {
            "", "stop", "stopped", "end_turn", "end", "stop_sequence", "stop_token", "eos", "eos_token", "eos_found",
            "complete", "completed", "finished", "done", "normal", "word",
        }
    ),
    # Finish reasons of replies with tool calls.
    "calls": frozenset({"tool_calls", "tool_call", "tool_use", "function_call", "function_calls"}),
    # Finish reasons that do not say whether the reply is complete.
    "unknown": frozenset(
        {
            "other", "malformed_response", "missing_thought_signature", "finish_reason_unspecified", "image_other",
            "no_image", "pause_turn",
        }
    ),
    "cut": frozenset(
        {
            "length", "max_tokens", "max_output_tokens", "max_length", "max_len", "model_length", "token_limit",
            "limit", "max_completion_tokens", "model_context_window_exceeded", "context_length_exceeded",
            "continuation",
        }
    ),
    "broken": frozenset({"insufficient_system_resource", "time_limit", "not_finished", "incomplete", "unload"}),
    "filtered": frozenset(
        {
            "content_filter", "content_filtered", "safety", "recitation", "language", "blocklist", "prohibited_content",
            "spii", "model_armor", "image_safety", "image_prohibited_content", "image_recitation", "refusal",
            "guardrail_intervened", "error_toxic", "sensitive", "escalation", "pup_limited_disabled",
        }
    ),
    "malformed": frozenset(
        {"function_call_filter", "malformed_function_call", "unexpected_tool_call", "too_many_tool_calls"}
    ),
}  # fmt: skip
_KINDS: dict[str, Ending] = {word: kind for kind, words in _WORDS.items() for word in words}
#: Matches a word for a failure inside a finish reason, as in `server_error` and `user_cancel`.
_FAILURE = re.compile(r"error|abort|cancel|time_?d?_?out|fail|interrupt|disconnect|overload|crash|killed|unavailable")
#: Matches the prefix with which Python or protobuf prints a finish reason of Google's enum, such as `FinishReason.`.
_ENUM = re.compile(r"^<?(?:[a-z_]+\.)*finish_?reason[._]")


def normalize_reason(native: str) -> str:
    """Return a finish reason in lower case, without the detail that Google appends.

    >>> normalize_reason("content_filter: SAFETY")
    'content_filter'
    >>> normalize_reason("FinishReason.SAFETY")
    'safety'
    """
    word = native.partition(":")[0].strip().lower()
    return word if word in _KINDS else _ENUM.sub("", word).replace("-", "_").replace(" ", "_")


def classify_ending(native: str) -> Ending:
    """Return the kind of a finish reason.

    >>> classify_ending("abort"), classify_ending("eos_token"), classify_ending("MAX_TOKENS"), classify_ending("bored")
    ('broken', 'clean', 'cut', 'unknown')
    """
    word = normalize_reason(native)
    detail = normalize_reason(native.partition(":")[2])
    kind = _KINDS.get(word) or ("broken" if _FAILURE.search(word) else "unknown")
    # In `content_filter: SAFETY`, Google's finish reason follows the colon. If it says that a call is malformed, it
    # counts, because it is more precise than OpenAI's finish reason before the colon.
    return "malformed" if _KINDS.get(detail) == "malformed" else kind


def is_known_reason(native: str) -> bool:
    """Return whether this finish reason is in the list of this module, or contains a word for a failure."""
    word = normalize_reason(native)
    return word in _KINDS or _FAILURE.search(word) is not None


def is_at_least_as_severe(kind: Ending, earlier: Ending) -> bool:
    """Return whether `kind` is as severe as `earlier`, or more severe."""
    return _RANKS[kind] >= _RANKS[earlier]


def to_openai_reason(kind: Ending, native: str, *, called: bool) -> str | None:
    """Return OpenAI's finish reason for `kind`; `None` for a reply that broke off.

    If the reply has tool calls (`called`), a clean reason such as `stop` becomes `tool_calls`. AI Studio sends
    `stop` at the end of streams with tool calls (googleapis/python-genai issue 2868).
    """
    if kind in ("clean", "calls"):
        return "tool_calls" if called else "stop"
    if kind == "broken":
        return None
    return {"cut": "length", "filtered": "content_filter", "malformed": "function_call_filter"}.get(
        kind, normalize_reason(native)
    )


def to_core_reason(reason: str | None, *, refused: bool) -> str | None:
    """Return langchain-core's word for an OpenAI finish reason; `None` if langchain-core has no word for it.

    langchain-core 1.8 reads the word from `normalized_finish_reason`. langchain-core defines three words, and lets
    integrations define more. LangChain's integrations of Google and OpenAI do not define more, so neither does this
    package.

    >>> to_core_reason("tool_calls", refused=False), to_core_reason("content_filter", refused=False)
    ('tool_call', 'refusal')
    """
    if refused or reason == "content_filter":
        return "refusal"
    return {"stop": "stop", "tool_calls": "tool_call"}.get(reason or "")
