"""Check the keys of a body other than `messages` and `tools`.

AI Studio refuses unknown keys. Vertex AI ignores them, and `ignored_keys` lists them for tests.
Sources: Google's pages on OpenAI compatibility, and public reports for the refusals.
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
#: The accepted values of `reasoning_effort`. Sources: Google's page for AI Studio, and the list in a 400 of Vertex AI
#: (three captures of 2026).
_EFFORTS = {
    "vertex": ("high", "low", "max", "medium", "minimal"),
    "ai_studio": ("none", "minimal", "low", "medium", "high"),
}


def place_google_fields(body: JsonObject, surface: Surface) -> JsonObject:
    """Return `body` with Google's fields moved into `extra_body`. Vertex AI also reads a key `google` at the root.

    Source: a live test of October 2026,
    https://www.inerrata.ai/r/vertex-ai-gemini-via-openaicompat-disable-thinking-with-thinkingbudget0-to-stop--41e4e6cb
    """
    google = body.get("google")
    if surface != "vertex" or not isinstance(google, dict):
        return body
    extra = as_object(body.get("extra_body"))
    placed: JsonObject = {**extra, "google": {**google, **as_object(extra.get("google"))}}
    return {**{key: value for key, value in body.items() if key != "google"}, "extra_body": placed}


def check_keys(body: JsonObject) -> Iterator[Violation]:
    """Yield a violation for each key that AI Studio does not know."""
    for key in sorted(body.keys() - _BODY_KEYS["ai_studio"]):
        hint = "Send `google` one level down, in the key `extra_body`." if key == "google" else ""
        yield unknown_field(key, "", hint or "AI Studio refuses unknown keys. Leave this key out.")
    extra = as_object(body.get("extra_body"))
    for key in sorted(extra.keys() - {"google"}):
        yield unknown_field(key, "extra_body", "`extra_body` accepts only the key `google`. Leave this key out.")
    for key in sorted(as_object(extra.get("google")).keys() - _GOOGLE_KEYS["ai_studio"]):
        yield unknown_field(key, "extra_body.google", "AI Studio does not document this key for chat. Leave it out.")


def ignored_keys(body: JsonObject) -> list[str]:
    """Return the paths of the keys that Vertex AI ignores."""
    extra = as_object(body.get("extra_body"))
    google = as_object(extra.get("google"))
    return [
        *sorted(body.keys() - _BODY_KEYS["vertex"]),
        *(f"extra_body.{key}" for key in sorted(extra.keys() - {"google"})),
        *(f"extra_body.google.{key}" for key in sorted(google.keys() - _GOOGLE_KEYS["vertex"])),
    ]


def check_sampling(body: JsonObject, surface: Surface, rules: ModelRules) -> Iterator[Violation]:
    """Yield a violation for each invalid value of `n` and the penalties."""
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
    # On AI Studio, `check_keys` refuses penalties for every model, so only Vertex AI is checked here.
    if surface == "vertex" and not rules.penalties:
        for key in ("frequency_penalty", "presence_penalty"):
            if body.get(key):
                yield Violation("penalty", "Penalty is not enabled for this model", f"Leave `{key}` out.")


def check_limit(body: JsonObject, surface: Surface, rules: ModelRules) -> Iterator[Violation]:
    """Yield a violation for a token limit that is out of range. The refusal has the text of Vertex AI."""
    for key in ("max_tokens", "max_completion_tokens"):
        limit = body.get(key)
        if surface != "vertex" or not rules.is_gemini or not isinstance(limit, int):
            continue
        if not 1 <= limit <= rules.longest_output:
            message = (
                f"Unable to submit request because it has a maxOutputTokens value of {limit} but the supported range "
                f"is from 1 (inclusive) to {rules.longest_output + 1} (exclusive). Update the value and try again."
            )
            yield Violation("max-tokens", message)


def check_thinking(body: JsonObject, surface: Surface, rules: ModelRules) -> Iterator[Violation]:
    """Yield a violation for each invalid thinking option. At most one of effort, level and budget may be set."""
    config = as_object(read_path(body, "extra_body", "google", "thinking_config"))
    effort, level, budget = body.get("reasoning_effort"), config.get("thinking_level"), config.get("thinking_budget")
    if level is not None and budget is not None:
        yield Violation("thinking-twice", "You can only set only one of thinking budget and thinking level.")
    # Vertex AI refuses `reasoning_effort` together with any `thinking_config`. AI Studio refuses it only together with
    # `thinking_level` or `thinking_budget`.
    if effort is not None and (config if surface == "vertex" else (level is not None or budget is not None)):
        hint = "Send `reasoning_effort` or `extra_body.google.thinking_config`, not both."
        yield Violation("thinking-twice", INVALID_ARGUMENT, hint)
    if not rules.thinks and not (effort is level is budget is None):
        text = "Unable to submit request because thinking is not supported by this model."
        yield Violation("thinking-unsupported", text, "Leave the thinking options out.")
        return
    if rules.is_gemini and config.get("include_thoughts") and budget == 0:
        # Vertex AI sends this text, according to several public reports from 2026-08-22 on.
        text = "Thinking_config.include_thoughts is only enabled when thinking is enabled."
        message = f"Unable to submit request because {text}"
        yield Violation("thinking-twice", message, "Leave `include_thoughts` out, or let the model think.")
    if effort is not None:
        yield from _check_effort(effort, surface, rules)
    if level is not None:
        yield from _check_level(level, surface, rules)
    if budget is not None:
        yield from _check_budget(budget, surface, rules)


def check_cache(body: JsonObject, rules: ModelRules) -> Iterator[Violation]:
    """Yield a violation if `cached_content` is set for a model without explicit caches.

    Google's error text for this case is not known.
    """
    if read_path(body, "extra_body", "google", "cached_content") and not rules.cached_content:
        yield Violation(
            "cached-content", INVALID_ARGUMENT, "This model has no explicit caches. Leave `cached_content` out."
        )


def _check_effort(effort: JsonValue, surface: Surface, rules: ModelRules) -> Iterator[Violation]:
    efforts = _EFFORTS[surface]
    if surface == "ai_studio" and rules.refuses_efforts:
        yield _no_levels("Leave `reasoning_effort` out.")
    elif effort not in efforts:
        hint = f"`reasoning_effort` has to be one of {', '.join(efforts)}."
        yield Violation("thinking-level", _effort_text(effort) if surface == "vertex" else INVALID_ARGUMENT, hint)
    elif rules.is_gemini and not rules.takes_effort(as_text(effort)):
        yield _unsupported_level(as_text(effort), surface)


def _effort_text(effort: JsonValue) -> str:
    """Return Vertex AI's error text for an invalid `reasoning_effort`.

    Source: three captures of 2026, for Gemini and for GLM.
    """
    values = ",".join(f"'{value}'" for value in _EFFORTS["vertex"])
    return f"Expected 'reasoning_effort' to be one of: {values}; found '{effort}'."


def _check_level(level: JsonValue, surface: Surface, rules: ModelRules) -> Iterator[Violation]:
    if rules.is_gemini and not rules.takes_levels:
        yield _no_levels("Send `thinking_budget` instead.")
    elif rules.is_gemini and as_text(level).lower() not in rules.levels:
        yield _unsupported_level(as_text(level), surface)


def _check_budget(budget: JsonValue, surface: Surface, rules: ModelRules) -> Iterator[Violation]:
    if not isinstance(budget, int) or isinstance(budget, bool):
        yield Violation("thinking-budget", INVALID_ARGUMENT, "`thinking_budget` has to be a number of tokens.")
    elif rules.budget is not None:
        smallest, largest, can_be_off = rules.budget
        if not (budget == -1 or (budget == 0 and can_be_off) or smallest <= budget <= largest):
            message = (
                f"The thinking budget {budget} is invalid. Please choose a value between {smallest} and {largest}."
            )
            yield Violation("thinking-budget", message)
    elif budget == 0 and rules.is_gemini and surface == "ai_studio":
        # If no range is documented for the model's thinking budget, only AI Studio refuses 0. Vertex AI accepts it,
        # according to pydantic-ai's notes on live requests (2026-10-23).
        yield Violation("thinking-budget", "Budget 0 is invalid. This model only works in thinking mode.")


def _no_levels(hint: str) -> Violation:
    """Return the refusal that a model without thinking levels sends.

    Gemma 4 on AI Studio also refuses `reasoning_effort` with this text (capture of 2026-09-17).
    """
    return Violation("thinking-level", "Thinking level is not supported for this model.", hint)


def _unsupported_level(level: str, surface: Surface) -> Violation:
    """Return the refusal of an unsupported level.

    Sources: captures of `minimal` on 3.8 Flash, on AI Studio (2026-09-03) and on Vertex AI (2026-09-27).
    """
    message = f"Thinking level {level.upper()} is not supported for this model"
    if surface == "vertex":
        message = f"Thinking level is unsupported: THINKING_LEVEL_{level.upper()}"
    return Violation("thinking-level", message, "Leave the level out, or use one that this model supports.")
