"""The keys of a body outside of `messages` and `tools` to the rules that they break.

Its one rule: the two surfaces are opposites. AI Studio parses strictly and refuses a key it does not know, Vertex
passes over it; what was passed over is told, so that a test can look. Source: Google's pages on OpenAI
compatibility, and public reports for the refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.json_values import as_object, as_text, read_path
from langchain_gemini_compat.testing._rules.violations import INVALID_ARGUMENT, Violation, unknown_field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue, Surface
    from langchain_gemini_compat.testing._rules.models import ModelRules

_COMMON = frozenset(
    {
        "model", "messages", "stream", "temperature", "top_p", "max_tokens", "max_completion_tokens", "n", "stop",
        "response_format", "tools", "tool_choice", "reasoning_effort", "extra_body",
    }
)  # fmt: skip
_BODY_KEYS = {
    "vertex": _COMMON
    | {
        "seed", "frequency_penalty", "presence_penalty", "web_search_options", "modalities", "functions",
        "function_call",
    },
    "ai_studio": _COMMON | {"stream_options", "service_tier", "parallel_tool_calls"},
}  # fmt: skip
_GOOGLE_KEYS = {
    "vertex": frozenset(
        {
            "safety_settings", "cached_content", "thinking_config", "thought_tag_marker",
            "stream_function_call_arguments", "tools", "media_resolution",
        }
    ),
    "ai_studio": frozenset({"safety_settings", "cached_content", "thinking_config", "tools"}),
}  # fmt: skip
_EFFORTS = ("none", "minimal", "low", "medium", "high")


def check_keys(body: JsonObject) -> Iterator[Violation]:
    """What the strict parser of AI Studio does not know."""
    for key in sorted(body.keys() - _BODY_KEYS["ai_studio"]):
        hint = "It goes one level down, under a literal `extra_body`." if key == "google" else ""
        yield unknown_field(key, "", hint or "AI Studio refuses keys it does not know: leave it out.")
    extra = as_object(body.get("extra_body"))
    for key in sorted(extra.keys() - {"google"}):
        yield unknown_field(key, "extra_body", "The body holds `extra_body`, and `google` stands right in it.")
    for key in sorted(as_object(extra.get("google")).keys() - _GOOGLE_KEYS["ai_studio"]):
        yield unknown_field(key, "extra_body.google", "Not documented for chat on AI Studio.")


def ignored_keys(body: JsonObject) -> list[str]:
    """What Vertex passes over in silence, as paths."""
    extra = as_object(body.get("extra_body"))
    google = as_object(extra.get("google"))
    return [
        *sorted(body.keys() - _BODY_KEYS["vertex"]),
        *(f"extra_body.{key}" for key in sorted(extra.keys() - {"google"})),
        *(f"extra_body.google.{key}" for key in sorted(google.keys() - _GOOGLE_KEYS["vertex"])),
    ]


def check_sampling(body: JsonObject, surface: Surface, rules: ModelRules) -> Iterator[Violation]:
    """`n` and penalties."""
    count = body.get("n", 1)
    if isinstance(count, int) and not 1 <= count <= 8:
        yield Violation("n", f"Invalid value of n: should be between 1 and 8, got {count}")
    elif count != 1 and surface == "vertex":
        message = (
            f"Unable to submit request because candidateCount must be 1 but the entered value was {count}. "
            "Update the candidateCount value and try again."
        )
        yield Violation("n", message)
    elif count != 1:
        yield Violation("n", "Only one candidate can be specified in the current model")
    if not rules.penalties:
        for key in ("frequency_penalty", "presence_penalty"):
            if body.get(key):
                yield Violation("penalty", "Penalty is not enabled for this model", f"Leave `{key}` out.")


def check_thinking(body: JsonObject, surface: Surface, rules: ModelRules) -> Iterator[Violation]:
    """The three knobs of thinking, of which one may be turned, and to where."""
    config = as_object(read_path(body, "extra_body", "google", "thinking_config"))
    effort, level, budget = body.get("reasoning_effort"), config.get("thinking_level"), config.get("thinking_budget")
    if level is not None and budget is not None:
        yield Violation("thinking-twice", "You can only set only one of thinking budget and thinking level.")
    # Vertex takes one of the two as a whole; AI Studio names level and budget.
    if effort is not None and (config if surface == "vertex" else (level is not None or budget is not None)):
        hint = "Send `reasoning_effort` or `extra_body.google.thinking_config`, not both."
        yield Violation("thinking-twice", INVALID_ARGUMENT, hint)
    if effort is not None:
        yield from _check_effort(effort, rules)
    if level is not None:
        yield from _check_level(level, rules)
    if budget is not None:
        yield from _check_budget(budget, rules)


def _check_effort(effort: JsonValue, rules: ModelRules) -> Iterator[Violation]:
    if effort not in _EFFORTS:
        yield Violation("thinking-level", INVALID_ARGUMENT, f"`reasoning_effort` is one of {', '.join(_EFFORTS)}.")
    elif rules.is_gemini and not rules.takes_effort(as_text(effort)):
        yield _unsupported_level(as_text(effort))


def _check_level(level: JsonValue, rules: ModelRules) -> Iterator[Violation]:
    if rules.is_gemini and not rules.takes_levels:
        yield Violation("thinking-level", "Thinking level is not supported for this model.", "Send a budget.")
    elif rules.is_gemini and as_text(level).lower() not in rules.levels:
        yield _unsupported_level(as_text(level))


def _check_budget(budget: JsonValue, rules: ModelRules) -> Iterator[Violation]:
    if not isinstance(budget, int) or isinstance(budget, bool):
        yield Violation("thinking-budget", INVALID_ARGUMENT, "`thinking_budget` is a number of tokens.")
    elif rules.budget is not None:
        smallest, largest, can_be_off = rules.budget
        if not (budget == -1 or (budget == 0 and can_be_off) or smallest <= budget <= largest):
            message = (
                f"The thinking budget {budget} is invalid. Please choose a value between {smallest} and {largest}."
            )
            yield Violation("thinking-budget", message)


def _unsupported_level(level: str) -> Violation:
    """What 3.8 Flash says to `minimal` (seen 2026-09-03)."""
    message = f"Thinking level {level.upper()} is not supported for this model"
    return Violation("thinking-level", message, "Leave it out, or take a level this model has.")
