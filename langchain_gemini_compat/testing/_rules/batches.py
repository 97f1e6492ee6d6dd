"""Find what Google would refuse in the creation of a batch, and in the lines of its input file.

Google documents three keys for the creation of a compatible batch: https://ai.google.dev/gemini-api/docs/openai. The
limits are on https://ai.google.dev/gemini-api/docs/rate-limits. The rules for lines are OpenAI's:
https://platform.openai.com/docs/guides/batch. No capture of a refusal is public, so the texts are not Google's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.json_values import as_object, as_text
from langchain_gemini_compat.testing._rules.violations import Violation, unknown_field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_gemini_compat.testing._model.json_values import JsonObject

#: Limits of a project: the number of unfinished batches, the size of one input file, and the total size of all files.
#: The sizes are in bytes.
MAX_BATCHES, MAX_FILE_BYTES, MAX_STORED_BYTES = 100, 2 * 10**9, 20 * 10**9
#: Seconds until a file is deleted: https://ai.google.dev/gemini-api/docs/files
FILE_SECONDS = 48 * 3600.0
#: Seconds until a batch expires: https://ai.google.dev/gemini-api/docs/batch-api
BATCH_SECONDS = 48 * 3600.0
#: The only endpoint that batches of the fake accept. Google also documents batches for `/v1/embeddings`.
CHAT_ENDPOINT = "/v1/chat/completions"
_KEYS = frozenset({"input_file_id", "endpoint", "completion_window"})


@dataclass(frozen=True, slots=True)
class Line:
    """A request of a batch: one line of the input file."""

    custom_id: str
    url: str
    body: JsonObject


def check_creation(body: JsonObject) -> Iterator[Violation]:
    """Yield a violation for each wrong key or value in `body`, the body of a request that creates a batch."""
    for key in sorted(body.keys() - _KEYS):
        yield unknown_field(key, "", "Google documents `input_file_id`, `endpoint` and `completion_window` only.")
    if not as_text(body.get("input_file_id")).startswith("files/"):
        yield _wrong("batch-file", "input_file_id has to be the name of a file, such as files/abc.")
    if body.get("endpoint") != CHAT_ENDPOINT:
        yield _wrong("batch-endpoint", f"endpoint has to be {CHAT_ENDPOINT}.")
    if body.get("completion_window") != "24h":
        yield _wrong("batch-window", "completion_window has to be 24h.")


def read_lines(content: bytes) -> list[Line] | Violation:
    """Return the requests of an input file, or the first rule that the file breaks."""
    lines: dict[str, Line] = {}
    for number, text in enumerate(content.splitlines(), 1):
        if not text.strip():
            continue
        try:
            value = as_object(json.loads(text))
        except ValueError:
            return _wrong("batch-json", f"Line {number} is not JSON.")
        custom_id = as_text(value.get("custom_id"))
        if not custom_id or custom_id in lines:
            return _wrong("batch-custom-id", f"Line {number} needs a custom_id that no other line has.")
        if value.get("method") != "POST" or value.get("url") != CHAT_ENDPOINT:
            return _wrong("batch-url", f"Line {number} has to have the method POST and the url {CHAT_ENDPOINT}.")
        body = as_object(value.get("body"))
        if body.get("stream"):
            return _wrong("batch-stream", f"Line {number} asks for a stream.")
        first = next(iter(lines.values()), None)
        if first is not None and body.get("model") != first.body.get("model"):
            return _wrong("batch-model", f"Line {number} has another model than the first line.")
        lines[custom_id] = Line(custom_id, CHAT_ENDPOINT, body)
    return [*lines.values()] or _wrong("batch-empty", "The input file has no requests.")


def _wrong(rule: str, message: str) -> Violation:
    return Violation(rule, message, message)
