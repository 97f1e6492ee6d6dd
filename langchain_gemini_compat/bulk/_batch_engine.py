"""The engine for Google's batch endpoint of AI Studio, at half the price. The answers may take a day.

The engine writes the input files, one for each model. `_batch_work` creates the batches and collects their output.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import cast

from langchain_gemini_compat._model.bound_model import find_model
from langchain_gemini_compat._model.connection import ConnectedModel, build_transport, resolve_fields
from langchain_gemini_compat.bulk._batch_answers import LineReader
from langchain_gemini_compat.bulk._batch_service import ENDPOINT, BatchError, BatchService
from langchain_gemini_compat.bulk._batch_state import BatchState
from langchain_gemini_compat.bulk._batch_work import BatchWork
from langchain_gemini_compat.bulk._engine import OpenRows, Outcomes
from langchain_gemini_compat.bulk._outcomes import read_error
from langchain_gemini_compat.bulk._rows import BulkModel, Row
from langchain_gemini_compat.errors import GeminiCompatError

#: Default maximum number of requests in a batch, as at OpenAI. Google documents no limit for OpenAI-compatible batches.
MOST_REQUESTS = 50_000
#: Default maximum size of an input file in bytes: about a million tokens of English. Google limits the tokens in all
#: active batches of a model. The lowest documented limit for a Flash model is 3 million:
#: https://ai.google.dev/gemini-api/docs/rate-limits
MOST_BYTES = 4_000_000
_ONLY_AI_STUDIO = (
    "Google documents batches for the compatible endpoint of AI Studio only, and this model's surface is {}. Use "
    "another engine, or an API key of AI Studio."
)


class BatchApiEngine:
    """Sends the rows to Google's batch endpoint of AI Studio, for half the price. The answers may take a day.

    If the program ends while a batch is in progress, run the program again. The new run waits for the same batch. This
    engine follows Google's documentation. Nobody has run it against Google.

    Args:
        path: The output path that `run_bulk` gets. The state of the batches is stored beside it, in `OUTPUT.batches`.
        notify: Called with a sentence when a batch is created and at each check of its status. Default: none.
        poll_seconds: The first and the longest wait between two status checks, in seconds. The waits grow from the
            first to the longest. Default: 10 and 300.
        max_requests: Maximum number of rows in a batch. Default: 50,000.
        max_bytes: Maximum size of the input file of a batch, in bytes. Default: 4,000,000, which is about a million
            tokens.

    Examples:
        ```python
        result = run_bulk(model, "prompts.jsonl", "answers.jsonl", engine=BatchApiEngine("answers.jsonl", notify=print))
        ```
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        notify: Callable[[str], object] | None = None,
        poll_seconds: tuple[float, float] = (10.0, 300.0),
        max_requests: int = MOST_REQUESTS,
        max_bytes: int = MOST_BYTES,
    ) -> None:
        self._path = find_batches(Path(path))
        self._notify = notify or _ignore
        self._poll_seconds = poll_seconds
        self._max_requests = max_requests
        self._max_bytes = max_bytes

    @property
    def batches(self) -> Path:
        """The file with the state of the batches. It exists as long as a batch has rows without an outcome."""
        return self._path

    def run(self, model: BulkModel, rows: OpenRows, concurrency: int) -> Generator[Outcomes]:
        """Send `rows` in batches, and yield the outcomes of each batch when it has ended. `concurrency` is ignored."""
        del concurrency
        chat = _find_chat_model(model)
        connection = resolve_fields(chat)
        endpoint = connection.endpoint
        if endpoint.surface != "ai_studio":
            raise BatchError(_ONLY_AI_STUDIO.format(endpoint.surface))
        transport = build_transport(chat, connection, "")
        service = BatchService(transport, endpoint.base_url, rows.wait)
        with BatchState(self._path) as state:
            reader = LineReader(model, transport.tokens)
            work = BatchWork(service, state, reader, rows, self._notify, self._poll_seconds)
            work.adopt_parts()
            yield from self._send_rows(work, state, model, rows)
            yield from work.finish()

    def _send_rows(self, work: BatchWork, state: BatchState, model: BulkModel, rows: OpenRows) -> Generator[Outcomes]:
        """Send `rows` in batches of one model each. Rows that an earlier run has sent are not sent again."""
        drafts: dict[object, _Draft] = {}
        for row in rows:
            if state.want(row):
                continue
            try:
                body, _ = model.preview(row.question, **row.options)
            except GeminiCompatError as error:
                yield [(row, read_error(error))]
                continue
            name, line = body.get("model"), _build_line(body)
            draft = drafts.get(name)
            if draft is not None and draft.is_full(line, self._max_requests, self._max_bytes):
                yield from work.send(draft.content, draft.rows)
                del drafts[name]
            drafts.setdefault(name, _Draft()).add(row, line)
        for draft in drafts.values():
            if not rows.is_stopped:
                yield from work.send(draft.content, draft.rows)


def find_batches(path: Path) -> Path:
    """Return the path of the file with the state of the batches of the output `path`."""
    return path.with_name(f"{path.name}.batches")


class _Draft:
    """The input file of a batch that is being written.

    All rows are for one model: OpenAI demands this (https://platform.openai.com/docs/guides/batch), and a native batch
    of Google has one model. Google does not say whether an OpenAI-compatible batch may have several.
    """

    def __init__(self) -> None:
        self.content = BytesIO()
        self.rows: list[Row] = []

    def is_full(self, line: bytes, most_requests: int, most_bytes: int) -> bool:
        """Return whether the batch has no room for `line`."""
        return len(self.rows) >= most_requests or self.content.tell() + len(line) > most_bytes

    def add(self, row: Row, line: bytes) -> None:
        """Add `row` and its line of the input file. The `custom_id` of the line is the row's position in the file."""
        self.content.write(line.replace(b"{}", str(len(self.rows)).encode(), 1))
        self.rows.append(row)


def _build_line(body: object) -> bytes:
    """Return the line of the input file for a request body. The line has `{}` as a placeholder for its `custom_id`."""
    options = {name: value for name, value in cast("dict[str, object]", body).items() if not name.startswith("stream")}
    line = {"custom_id": "{}", "method": "POST", "url": ENDPOINT, "body": options}
    return json.dumps(line).encode() + b"\n"


def _find_chat_model(model: object) -> ConnectedModel:
    """Return the chat model inside `model`. `model` may be a wrapper that binds options or adds structured output."""
    chat, _ = find_model(model)
    if not isinstance(chat, ConnectedModel):
        raise BatchError("`BatchApiEngine` needs a `ChatGeminiCompat`. It may have bound options or a schema.")
    return chat


def _ignore(_: str) -> None:
    pass
