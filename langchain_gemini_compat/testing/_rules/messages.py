"""Check the content, the order and the tool results of `messages`.

Google does not count system messages when it numbers messages, and these checks follow Google. The texts of the
refusals come from public reports, whose URLs are in the comments.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.json_values import as_list, as_object, as_objects, as_text, read_path
from langchain_gemini_compat.testing._rules.media import check_media_type
from langchain_gemini_compat.testing._rules.results import check_results
from langchain_gemini_compat.testing._rules.violations import INVALID_ARGUMENT, Violation, unknown_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue, Surface
    from langchain_gemini_compat.testing._rules.models import ModelRules
    from langchain_gemini_compat.testing._rules.turns import Turn

_ROLES = ("system", "user", "assistant", "tool", "function")
_MESSAGE_KEYS = frozenset(
    {"role", "content", "name", "tool_calls", "tool_call_id", "extra_content", "audio", "refusal", "function_call"}
)
_CALL_KEYS = frozenset({"id", "type", "function", "extra_content", "index"})
_PART_TYPES = ("text", "image_url", "input_audio")
#: Public report with this error text: https://github.com/microsoft/vscode/issues/299295
_COUNT = (
    "Please ensure that the number of function response parts is equal to the number of function call parts of the "
    "function call turn."
)
#: Public report with this error text: https://github.com/google-gemini/gemini-cli/issues/26486
_CALL_ORDER = (
    "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
)
_RESULT_ORDER = "Please ensure that function response turn comes immediately after a function call turn."
#: Public report with this error text: https://github.com/Portkey-AI/gateway/issues/462
_EMPTY_TEXT = (
    "Unable to submit request because it has an empty text parameter. Add a value to the parameter and try again."
)
_NO_PARTS = (
    "Unable to submit request because it must include at least one parts field, which describes the prompt input."
)


def check_messages(
    messages: Sequence[JsonObject], turns: Sequence[Turn], surface: Surface, rules: ModelRules
) -> Iterator[Violation]:
    """Yield all violations in `messages`. Google reports the first one."""
    if not turns:
        # Public report with this error text: https://github.com/langchain-ai/langchain-google/issues/1351
        text = "* GenerateContentRequest.contents: contents is not specified"
        yield Violation("no-contents", text, "There is no user message. Add one.")
    for index, message in enumerate(messages):
        yield from _check_shape(message, index, surface)
        yield from _check_content(message, index, surface, rules)
    for turn in turns:
        for call in turn.calls:
            yield from _check_call(call)
        if surface == "vertex" and turn.kind == "call" and not rules.text_beside_calls and turn.message.get("content"):
            # Public report of this refusal: https://github.com/NousResearch/hermes-agent/issues/69231
            yield Violation(
                "text-beside-calls",
                INVALID_ARGUMENT,
                "On Vertex, this model refuses text beside tool calls. Leave the text out.",
            )
    yield from check_results(messages, rules)
    yield from _check_order(turns)
    yield from _check_pairs(turns, surface)
    if turns and turns[-1].kind in ("model", "call"):
        # Public report with this error text: https://github.com/envoyproxy/ai-gateway/pull/2686
        yield Violation(
            "trailing-assistant",
            "Requests ending with a model turn are not supported",
            "End with a user message or a tool result.",
        )


def _check_shape(message: JsonObject, index: int, surface: Surface) -> Iterator[Violation]:
    role = as_text(message.get("role"))
    if role not in _ROLES:
        yield Violation(
            "role",
            "Please use a valid role: user, model.",
            f"Google does not list the role {role!r}: use one of {', '.join(_ROLES)}.",
        )
    if surface != "ai_studio":
        return
    for key in sorted(message.keys() - _MESSAGE_KEYS):
        yield unknown_field(
            key, f"messages[{index}]", "AI Studio refuses unknown keys in messages. Leave this key out."
        )
    for place, call in enumerate(as_objects(message.get("tool_calls"))):
        for key in sorted(call.keys() - _CALL_KEYS):
            path = f"messages[{index}].tool_calls[{place}]"
            yield unknown_field(key, path, "AI Studio refuses unknown keys in tool calls. Leave this key out.")


def _check_content(message: JsonObject, index: int, surface: Surface, rules: ModelRules) -> Iterator[Violation]:
    content, role = message.get("content"), as_text(message.get("role"))
    if content == "":
        yield Violation("empty-text", _EMPTY_TEXT, f"`messages[{index}].content` ({role}) is empty.")
    elif not content:
        spoken = role == "assistant" and (message.get("tool_calls") or message.get("audio"))
        if not spoken:
            yield Violation("empty-content", _NO_PARTS, f"`messages[{index}]` ({role}) has no content.")
    for part in as_list(content):
        yield from _check_part(as_object(part), surface)
        yield from check_media_type(as_object(part), surface, rules)


def _check_part(part: JsonObject, surface: Surface) -> Iterator[Violation]:
    kind = as_text(part.get("type"))
    if kind not in _PART_TYPES:
        yield Violation("part-type", f"Invalid content part type: {kind}", f"Use one of {', '.join(_PART_TYPES)}.")
    if kind == "text" and not as_text(part.get("text")):
        yield Violation("empty-text", _EMPTY_TEXT, "A text part is empty. Leave this part out.")
    if kind == "image_url" and surface == "ai_studio" and _image_url(part.get("image_url")).startswith("gs://"):
        yield Violation(
            "gs-url", INVALID_ARGUMENT, "AI Studio does not read gs:// URLs. Send the bytes as a data: URL."
        )


def _image_url(image: JsonValue) -> str:
    """Return the URL of an image. Vertex AI also accepts the URL as a plain string (Google's examples page)."""
    return image if isinstance(image, str) else as_text(read_path(image, "url"))


def _check_call(call: JsonObject) -> Iterator[Violation]:
    name, arguments = read_path(call, "function", "name"), read_path(call, "function", "arguments")
    if not isinstance(name, str) or not name:
        yield Violation(
            "call-name",
            INVALID_ARGUMENT,
            "A tool call in the history has no function name. Send the call back as it came.",
        )
    if not isinstance(call.get("id"), str) or not call.get("id"):
        yield Violation(
            "call-id", INVALID_ARGUMENT, "A tool call in the history has no id. Send the call back as it came."
        )
    if not _is_json_object(arguments):
        hint = f"`arguments` has to be the text of a JSON object (`{{}}` if there are none), not {arguments!r}."
        yield Violation("call-arguments", "Expected a valid JSON object in the request", hint)


def _is_json_object(arguments: JsonValue) -> bool:
    try:
        return isinstance(json.loads(as_text(arguments), parse_constant=_refuse_constant), dict)
    except (ValueError, RecursionError):
        return False


def _refuse_constant(name: str) -> JsonValue:
    """Raise `ValueError` for `NaN` and `Infinity`, which Python reads but JSON does not allow."""
    raise ValueError(name)


def _check_order(turns: Sequence[Turn]) -> Iterator[Violation]:
    before = ""
    for turn in turns:
        if turn.kind == "call" and before not in ("user", "result"):
            hint = f"`messages[{turn.index}]` calls a function after {before or 'nothing'!r}."
            yield Violation("call-order", _CALL_ORDER, hint)
        if turn.kind == "result" and before not in ("call", "result"):
            hint = f"`messages[{turn.index}]` is a result without a call before it. Drop the result, or keep its call."
            yield Violation("result-order", _RESULT_ORDER, hint)
        before = turn.kind


def _check_pairs(turns: Sequence[Turn], surface: Surface) -> Iterator[Violation]:
    open_calls: dict[str, str] = {}
    for turn in turns:
        if turn.kind == "result":
            call_id = _answered_id(turn.message, open_calls)
            function = open_calls.pop(call_id, None)
            if function is None:
                hint = (
                    f"No open call has the id {call_id!r} of `messages[{turn.index}]`. "
                    "Drop this result, or keep its call."
                )
                yield Violation("orphan-result", _COUNT, hint)
            else:
                yield from _check_result_name(turn, function, surface)
            continue
        yield from _check_unanswered(open_calls)
        open_calls = {as_text(call.get("id")): as_text(read_path(call, "function", "name")) for call in turn.calls}
        if len(open_calls) < len(turn.calls):
            yield Violation("call-id", _COUNT, f"Two calls of `messages[{turn.index}]` have the same id.")
    yield from _check_unanswered(open_calls)


def _check_unanswered(open_calls: dict[str, str]) -> Iterator[Violation]:
    if open_calls:
        waiting = ", ".join(f"{name} ({call_id})" for call_id, name in open_calls.items())
        yield Violation("unanswered-call", _COUNT, f"Add a result for {waiting}.")


def _answered_id(message: JsonObject, open_calls: Mapping[str, str]) -> str:
    """Return the id of the call that the result `message` answers.

    A `function` message has only the function's name.
    """
    if message.get("role") != "function":
        return as_text(message.get("tool_call_id"))
    name = as_text(message.get("name"))
    return next((call_id for call_id, function in open_calls.items() if function == name), "")


def _check_result_name(turn: Turn, function: str, surface: Surface) -> Iterator[Violation]:
    name = as_text(turn.message.get("name"))
    if surface == "ai_studio" and not name:
        # Public report with this error text: https://github.com/openclaw/openclaw/issues/47857
        place = f"GenerateContentRequest.contents[{turn.position - 1}].parts[0].function_response.name"
        yield Violation("result-name", f"* {place}: Name cannot be empty.", f"Send `name`: {function!r} on the result.")
    elif name and name != function:
        yield Violation(
            "result-name",
            INVALID_ARGUMENT,
            f"The result has the name {name!r}, but its call has the name {function!r}.",
        )
