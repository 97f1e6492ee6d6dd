"""Find everything that Google would refuse in a request.

The rules share no code and no table with the package that they check. So a mistake of the package is not repeated here.
On the surface `openai_compatible`, only the format of OpenAI is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.json_values import as_objects, as_text
from langchain_gemini_compat.testing._rules.body import (
    check_cache,
    check_keys,
    check_limit,
    check_sampling,
    check_thinking,
    ignored_keys,
    place_google_fields,
)
from langchain_gemini_compat.testing._rules.messages import check_messages
from langchain_gemini_compat.testing._rules.models import bare_name, rules_for
from langchain_gemini_compat.testing._rules.signatures import check_signatures, count_placeholders
from langchain_gemini_compat.testing._rules.tools import check_tools, ignored_function_keys
from langchain_gemini_compat.testing._rules.turns import number_turns
from langchain_gemini_compat.testing._rules.violations import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_gemini_compat.testing._model.json_values import JsonObject, Surface
    from langchain_gemini_compat.testing._rules.models import ModelRules

_OPENAI_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result for one request.

    Attributes:
        violations: The rules that the request breaks.
        ignored: The paths of the keys that Vertex AI ignores.
        placeholders: The number of calls that have Google's placeholder instead of a signature.
    """

    violations: tuple[Violation, ...]
    ignored: tuple[str, ...] = ()
    placeholders: int = 0


def judge_request(body: JsonObject, surface: Surface, *, needs_model: bool = True, location: str = "") -> Verdict:
    """Check `body` against the rules of `surface`, and return the verdict.

    With `needs_model=False`, for a self-deployed model, the name of the model may be missing. If `location` is empty,
    the location is not checked.
    """
    if surface == "openai_compatible":
        return Verdict(tuple(_check_openai_shape(body, needs_model=needs_model)))
    body = place_google_fields(body, surface)
    model = as_text(body.get("model"))
    wrong_model = tuple(_check_model(model, surface)) or (
        *_check_kind(model, rules_for(model)),
        *_check_location(model, location, rules_for(model)),
    )
    if wrong_model:
        return Verdict(wrong_model)
    ignored = (*ignored_keys(body), *ignored_function_keys(body)) if surface == "vertex" else ()
    turns = number_turns(as_objects(body.get("messages")))
    return Verdict(tuple(_check(body, surface, model)), ignored, count_placeholders(turns))


def _check(body: JsonObject, surface: Surface, model: str) -> Iterator[Violation]:
    rules, messages = rules_for(model), as_objects(body.get("messages"))
    turns = number_turns(messages)
    if surface == "ai_studio":
        yield from check_keys(body)
    yield from check_sampling(body, surface, rules)
    yield from check_limit(body, surface, rules)
    yield from check_thinking(body, surface, rules)
    yield from check_cache(body, rules)
    yield from check_tools(body, surface)
    yield from check_messages(messages, turns, surface, rules)
    yield from check_signatures(turns, surface, rules)


def _check_model(model: str, surface: Surface) -> Iterator[Violation]:
    """Yield a violation for an invalid model name.

    Vertex AI accepts `google/…`. AI Studio accepts the bare name and `models/…`.

    The error messages were captured from both servers, that of Vertex AI in September 2026.
    """
    if surface == "vertex":
        publisher, slash, name = model.partition("/")
        if not slash or not name or publisher in ("models", "publishers"):
            message = (
                f"Malformed publisher model (`model`: '{model}') for the 'openapi' request endpoint ID; expected "
                "'<publisher>/<model>'."
            )
            yield Violation("model-name", message, "On Vertex the name is `google/gemini-…`.")
    elif not model.removeprefix("models/") or "/" in model.removeprefix("models/"):
        yield _not_found("model-name", model, "On AI Studio the name is `gemini-…` or `models/gemini-…`.")


def _check_kind(model: str, rules: ModelRules) -> Iterator[Violation]:
    """Yield a violation for a model that does not answer chat completions with text.

    The error messages are copied from AI Studio (2026).
    """
    if rules.speaks_only:
        name = f"models/{bare_name(model)}"
        message = (
            "The requested combination of response modalities (TEXT) is not supported by the model. "
            f"{name} accepts the following combination of response modalities:\n* AUDIO\n"
        )
        yield Violation("model-kind", message, "The model answers with speech only. Use it with Google's native API.")
    elif not rules.chats:
        yield _not_found(
            "model-kind",
            bare_name(model),
            "The model is not served over chat completions. Use Google's native API for this model.",
        )


def _check_location(model: str, location: str, rules: ModelRules) -> Iterator[Violation]:
    """Yield a violation for a location that does not serve the model.

    Source: https://github.com/google-gemini/gemini-cli/issues/14262 (2025-12).
    """
    if location and not rules.is_served_in(location):
        message = (
            f"Publisher Model `projects/fake-project/locations/{location}/publishers/google/models/{bare_name(model)}` "
            "was not found or your project does not have access to it. Please ensure you are using a valid model "
            "version. For more information, see: "
            "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions"
        )
        hint = f"The model is served in {', '.join(rules.locations)}."
        yield Violation("model-location", message, hint, code=404, status="NOT_FOUND")


def _not_found(rule: str, model: str, hint: str) -> Violation:
    message = (
        f"models/{model} is not found for API version v1main, or is not supported for generateContent. Call "
        "ModelService.ListModels to see the list of available models and their supported methods."
    )
    return Violation(rule, message, hint, code=404, status="NOT_FOUND")


def _check_openai_shape(body: JsonObject, *, needs_model: bool) -> Iterator[Violation]:
    if needs_model and not as_text(body.get("model")):
        yield Violation("model-name", "you must provide a model parameter")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        yield Violation("no-contents", "[] is too short - 'messages'")
    for message in as_objects(messages):
        role = as_text(message.get("role"))
        if role not in _OPENAI_ROLES:
            yield Violation("role", f"Invalid value: {role!r}. Supported values are: {', '.join(_OPENAI_ROLES)}.")
        if role == "tool" and not as_text(message.get("tool_call_id")):
            yield Violation("orphan-result", "Missing parameter 'tool_call_id': messages with role 'tool' need it.")
