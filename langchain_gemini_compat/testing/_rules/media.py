"""Check the MIME types of media in messages. The module `results` checks media in tool results.

Google's cards list the types that Gemini reads, such as
https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/gemini/3-flash (read on 2026-11-30). The image
types are PNG, JPEG, WebP, HEIC and HEIF. The other file types are PDF and plain text. Gemini 4 Hydrogen also reads
Office and OpenDocument files. Audio, video and text are not checked, because the lists spell their types differently.

Published refusals:

- AI Studio: https://github.com/google/adk-python/issues/5693 (SVG), https://github.com/google/adk-python/issues/4028
  (`application/csv`), https://github.com/brianpetro/obsidian-smart-connections/issues/1238 (`image/jpg`),
  https://discuss.ai.google.dev/t/gemini-2-api-returns-invalid-parameter-error-for-gif-inputs/71468 (GIF).
- Vertex AI: https://github.com/epam/ai-dial-adapter-vertexai/issues/148 (JSON).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.json_values import as_text, read_path
from langchain_gemini_compat.testing._rules.violations import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue, Surface
    from langchain_gemini_compat.testing._rules.models import ModelRules

OFFICE_PREFIXES = ("application/vnd.openxmlformats-officedocument.", "application/vnd.oasis.opendocument.")
_LISTED = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "application/pdf"})
#: MIME types that Google's model cards do not list. The fake accepts them, because no source shows a refusal.
_UNKNOWN = {
    "vertex": frozenset({"image/jpg"}),
    "ai_studio": frozenset({"image/bmp", "application/json"}),
}


def check_media_type(part: JsonObject, surface: Surface, rules: ModelRules) -> Iterator[Violation]:
    """Yield a violation if Gemini does not read the MIME type of a content part."""
    mime_type = _read_mime_type(part)
    if not rules.is_gemini or not mime_type.startswith(("image/", "application/")):
        return
    if mime_type in _LISTED or mime_type in _UNKNOWN[surface]:
        return
    if surface == "vertex" and rules.office_files and mime_type.startswith(OFFICE_PREFIXES):
        return
    hint = "Send an image as PNG, JPEG or WebP, a document as PDF, and text data as text."
    yield Violation("media-type", _refusal_of(mime_type, surface), hint)


def _refusal_of(mime_type: str, surface: Surface) -> str:
    if surface == "ai_studio":
        return f"Unsupported MIME type: {mime_type}"
    return (
        f"Unable to submit request because it has a mimeType parameter with value {mime_type}, which is not supported. "
        "Update the mimeType and try again. Learn more: "
        "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"
    )


def _read_mime_type(part: JsonObject) -> str:
    """Return the MIME type of a `data:` URL or of `input_audio`, or an empty string. Other URLs have no MIME type."""
    image: JsonValue = part.get("image_url")
    url = image if isinstance(image, str) else as_text(read_path(image, "url"))
    if url.startswith("data:"):
        return url[len("data:") :].partition(",")[0].partition(";")[0].lower()
    audio_format = as_text(read_path(part.get("input_audio"), "format"))
    return audio_format.lower() if "/" in audio_format else ""
