"""Check tool results against the rules of Gemini 3 for references and media.

Sources:

- Google's examples page (multimodal function responses)
- The text of the error: https://github.com/BerriAI/litellm/issues/38223 and
  https://github.com/vercel/ai/issues/14369
- The media types that a result may have: pydantic-ai's notes on live requests (read on 2026-11-29)
- The media types for Gemini 4 Hydrogen:
  https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/guides/gemini-4-hydrogen
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.json_values import as_object, as_objects, as_text, read_path
from langchain_gemini_compat.testing._rules.media import OFFICE_PREFIXES
from langchain_gemini_compat.testing._rules.violations import INVALID_ARGUMENT, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue
    from langchain_gemini_compat.testing._rules.models import ModelRules

_TYPES = frozenset({"image/png", "image/jpeg", "image/jpg", "image/webp", "application/pdf", "text/plain"})
_SCHEMES = ("gs://", "https://", "http://")


def check_results(messages: Sequence[JsonObject], rules: ModelRules) -> Iterator[Violation]:
    """Yield a violation for each tool result that Gemini 3 refuses.

    Gemini 3 resolves references (`$ref`) in results, and refuses invalid ones. For earlier models there are no
    violations, because they do not resolve references.
    """
    if not rules.demands_signatures:
        return
    for index, message in enumerate(messages):
        if message.get("role") not in ("tool", "function"):
            continue
        parts = as_objects(read_path(message.get("extra_content"), "google", "parts"))
        inner = [as_object(part.get("file_data") or part.get("inline_data")) for part in parts]
        names = {as_text(part.get("display_name")) for part in inner}
        for name in _references(_read_json(message.get("content"))):
            if name not in names:
                text = (
                    f"The referenced name `{name}` in function_response.response does not match to a display_name in "
                )
                hint = f'`messages[{index}]` contains JSON with `$ref`. Send this JSON as text: `{{"output": "…"}}`.'
                yield Violation("result-reference", f"{text}the function_response.parts.", hint)
        for part in inner:
            yield from _check_part(part, index, rules)


def _check_part(part: JsonObject, index: int, rules: ModelRules) -> Iterator[Violation]:
    mime_type, uri = as_text(part.get("mime_type")), part.get("file_uri")
    if mime_type not in _TYPES and not (rules.office_files and mime_type.startswith(OFFICE_PREFIXES)):
        hint = f"`messages[{index}]` has media of type {mime_type!r}. Tool results accept {', '.join(sorted(_TYPES))}."
        yield Violation("result-media", INVALID_ARGUMENT, hint)
    if isinstance(uri, str) and not uri.startswith(_SCHEMES):
        yield Violation("result-media", INVALID_ARGUMENT, f"Google cannot read {uri!r} of `messages[{index}]`.")


def _read_json(content: JsonValue) -> JsonValue:
    """Return the JSON value of `content`, or `None` if it is not JSON."""
    try:
        found: JsonValue = json.loads(as_text(content))
    except (ValueError, RecursionError):
        return None
    return found


def _references(value: JsonValue) -> Iterator[str]:
    """Yield every value of a key `$ref`, at any depth."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "$ref" in one:
                yield str(one["$ref"])
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
