"""The engine for Google's batch endpoint of AI Studio, at half the price. The answers may take a day.

Before a batch is created, its rows and the name of its input file are stored on the disk (`BatchState`). If the program
dies before it has received the id of the batch, the next run looks for a batch with this input file. So no batch is
created twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from io import BytesIO
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, cast

from langchain_gemini_compat import errors
from langchain_gemini_compat._model.bound_model import find_model
from langchain_gemini_compat._model.connection import ConnectedModel, build_transport, resolve_fields
from langchain_gemini_compat.bulk._batch_answers import LineReader, parse_line
from langchain_gemini_compat.bulk._batch_service import ENDPOINT, Batch, BatchError, BatchService
from langchain_gemini_compat.bulk._batch_state import BatchState, Part
from langchain_gemini_compat.bulk._engine import OpenRows, Outcomes
from langchain_gemini_compat.bulk._outcomes import read_error
from langchain_gemini_compat.bulk._rows import BulkModel, Row
from langchain_gemini_compat.errors import GeminiCompatError

#: Default maximum number of requests in a batch: OpenAI's limit. Google documents no limit for compatible batches.
MOST_REQUESTS = 50_000
#: Default maximum size of an input file in bytes: about a million tokens of English. Google limits the total tokens in
#: all active batches of a model. The lowest documented limit for a Flash model is 3 million tokens:
#: https://ai.google.dev/gemini-api/docs/rate-limits
MOST_BYTES = 4_000_000
#: Seconds after which the server's list of batches is assumed to contain a new batch. Google documents no time.
SETTLE_SECONDS = 60.0
#: After this number of consecutive failed attempts to create a batch, the run ends with an error. A failed attempt does
#: not count while another batch of the run is active.
_MOST_FAILURES = 8
_ROWS_PER_LIST = 50
#: HTTP statuses that prove that the server refused the request and created no batch.
_REFUSALS = frozenset({400, 401, 403, 404, 405, 413, 415, 422, 429})
_NOT_FOUND = 404
#: HTTP statuses for an output file that does not exist. Google sends 403: https://discuss.ai.google.dev/t/50428
_NO_SUCH_FILE = frozenset({403, _NOT_FOUND})
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
            work = _Work(service, state, LineReader(model, transport.tokens), rows, self._notify, self._poll_seconds)
            work.adopt_parts()
            yield from self._send_rows(work, model, rows)
            yield from work.finish()

    def _send_rows(self, work: _Work, model: BulkModel, rows: OpenRows) -> Generator[Outcomes]:
        """Send `rows` in batches. Rows that an earlier run has sent are not sent again."""
        state = work.state
        draft: _Draft | None = None
        try:
            for row in rows:
                if state.want(row):
                    continue
                try:
                    body, _ = model.preview(row.question, **row.options)
                except GeminiCompatError as error:
                    yield [(row, read_error(error))]
                    continue
                line = _build_line(body)
                if draft is not None and draft.is_full(line, self._max_requests, self._max_bytes):
                    yield from work.send(draft)
                    draft = None
                draft = draft or _Draft(state)
                draft.add(row, line)
            if draft is not None and not rows.is_stopped:
                yield from work.send(draft)
        finally:
            state.abandon_part()


def find_batches(path: Path) -> Path:
    """Return the path of the file with the state of the batches of the output `path`."""
    return path.with_name(f"{path.name}.batches")


class _Draft:
    """The input file of a batch that is being written."""

    def __init__(self, state: BatchState) -> None:
        self._state = state
        self.number = state.begin_part()
        self.content = BytesIO()
        self.count = self.size = 0

    def is_full(self, line: bytes, most_requests: int, most_bytes: int) -> bool:
        """Return whether the batch has no room for `line`, so that `line` has to start the next batch."""
        return self.count >= most_requests or self.size + len(line) > most_bytes

    def add(self, row: Row, line: bytes) -> None:
        """Add a row and its line. The `custom_id` of the line is the position of the row in the file."""
        self._state.add(self.number, self.count, row)
        line = line.replace(b"{}", str(self.count).encode(), 1)
        self.content.write(line)
        self.count += 1
        self.size += len(line)


class _Work:
    """The batches of one run."""

    def __init__(
        self,
        service: BatchService,
        state: BatchState,
        reader: LineReader,
        rows: OpenRows,
        notify: Callable[[str], object],
        poll_seconds: tuple[float, float],
    ) -> None:
        self._service = service
        self.state = state
        self._reader = reader
        self._notify = notify
        self._first_wait, self._longest_wait = poll_seconds
        self._rows = rows
        self._knows_all_rows = False
        self._open: dict[int, Part] = {}
        #: Numbers of the open parts whose batch has ended. A part consists of the rows of one batch. These parts are
        #: kept until the whole input is read, because a row that is read later may be in one of them.
        self._ended: set[int] = set()
        self._failures = 0

    def adopt_parts(self) -> None:
        """Continue with the batches of earlier runs. Forget each batch that the server has not created."""
        for part in self.state.read_parts():
            if part.batch is None and not self._find_batch(part):
                continue
            self._open[part.number] = self.state.read_part(part.number)

    def send(self, draft: _Draft) -> Generator[Outcomes]:
        """Upload `draft` and create its batch. Wait until the server has confirmed all batches of the run."""
        file = self._service.upload(draft.content, draft.size, f"langchain-gemini-compat {draft.number}")
        part = self._create(self.state.end_part(draft.number, file))
        self._notify(f"Sent {draft.count:,} rows as {part.batch or 'a batch that is not confirmed yet'}.")
        yield from self.advance(lambda: all(one.batch is not None for one in self._open.values()))

    def finish(self) -> Generator[Outcomes]:
        """Wait for the batches, and yield the outcomes of rows that this run wants. Call this after the last `send`."""
        self._knows_all_rows = not self._rows.is_stopped
        yield from self.advance(self._has_ended)
        if self._knows_all_rows:
            for number in [*self._ended]:
                self._drop(self._open[number])

    def _has_ended(self) -> bool:
        """Return whether every row that this run wants from its batches has an outcome."""
        return not any(self.state.has_wanted_rows(part) for part in self._open.values())

    def advance(self, is_enough: Callable[[], bool]) -> Generator[Outcomes]:
        """Poll the batches until `is_enough()` is true, and yield the outcomes of each batch that has ended.

        If the run is stopped, this method returns early. The next run continues with the batches.
        """
        wait = self._first_wait
        while not is_enough() and not self._rows.is_stopped:
            count = len(self._open)
            for part in list(self._open.values()):
                if part.batch is None:
                    yield from self._try_again(part)
                elif self.state.has_wanted_rows(part):
                    yield from self._ask_for(part, part.batch)
            if len(self._open) < count:
                wait = self._first_wait
            elif not is_enough():
                self._rows.wait(wait)
                wait = min(1.5 * wait, self._longest_wait)

    def _create(self, part: Part) -> Part:
        """Send the request that creates the batch of `part`. If no answer comes, the batch may exist nevertheless."""
        part = self._open[part.number] = self.state.note_intent(part, time.time())
        try:
            batch = self._service.create(part.file)
        except GeminiCompatError as error:
            if _is_refusal(error):
                part = self._open[part.number] = self.state.note_intent(part, None)
            self._note_failure(error)
            return part
        self._failures = 0
        part = self._open[part.number] = self.state.note_batch(part, batch.name)
        return part

    def _note_failure(self, error: GeminiCompatError) -> None:
        """Count a failed attempt to create a batch. Raise `error` if it is permanent, or after too many attempts."""
        has_others = any(part.batch is not None for part in self._open.values() if part.number not in self._ended)
        self._failures = 0 if has_others else self._failures + 1
        if self._failures >= _MOST_FAILURES or (_is_refusal(error) and not error.is_retryable):
            raise error
        self._notify(f"The server has not created the batch yet: {error}")

    def _try_again(self, part: Part) -> Generator[Outcomes]:
        """Create the batch of `part`, unless the server has already created it."""
        if part.intended is not None:
            if time.time() < part.intended + SETTLE_SECONDS:
                return
            batch, is_certain = self._service.find_batch_of(part.file, part.intended)
            if batch is not None:
                self._open[part.number] = self.state.note_batch(part, batch)
                return
            if not is_certain:
                yield from self._fail(part, _UNCERTAIN.format(part.file))
                return
        self._create(part)

    def _find_batch(self, part: Part) -> bool:
        """Look for the batch of `part` from an earlier run. If there is none, forget `part` and return `False`."""
        intended = part.intended or 0.0
        while (seconds := intended + SETTLE_SECONDS - time.time()) > 0:
            if self._rows.wait(min(seconds, SETTLE_SECONDS)):
                return True
        batch, is_certain = self._service.find_batch_of(part.file, intended)
        if batch is not None:
            self.state.note_batch(part, batch)
            self._notify(f"Found {batch}, which an earlier run has created.")
        elif is_certain:
            self.state.drop_part(part)
            return False
        return True

    def _ask_for(self, part: Part, name: str) -> Generator[Outcomes]:
        """Ask for the status of a batch. If it has ended, yield its outcomes."""
        try:
            batch = self._service.retrieve(name)
        except GeminiCompatError as error:
            if _status_of(error) != _NOT_FOUND:
                raise
            yield from self._fail(part, f"The server does not know {name}: {error}")
            return
        if batch.has_ended:
            yield from self._collect(part, batch)
        else:
            done = "" if batch.done is None else f", {batch.done:,} requests done"
            self._notify(f"{name} is {batch.status}{done}.")

    def _collect(self, part: Part, batch: Batch) -> Generator[Outcomes]:
        """Yield the outcomes of a batch that has ended."""
        reason = _describe_ending(batch)
        for file in batch.files:
            with TemporaryFile() as content:
                try:
                    self._service.download(file, content)
                except GeminiCompatError as error:
                    if _status_of(error) not in _NO_SUCH_FILE:
                        raise
                    reason = f"The output of {batch.name} is no longer there: {error}"
                    continue
                content.seek(0)
                yield from self._read_lines(part, content)
        yield from self._fail(part, reason)

    def _read_lines(self, part: Part, content: IO[bytes]) -> Generator[Outcomes]:
        found: dict[int, tuple[Row, bytes]] = {}
        for text in content:
            position, _ = parse_line(text)
            row = None if position is None or position in found else self.state.find(part, position)
            if position is not None and row is not None:
                found[position] = row, text
            if len(found) >= _ROWS_PER_LIST:
                yield from self._decode(found)
                found = {}
        yield from self._decode(found)

    def _decode(self, found: dict[int, tuple[Row, bytes]]) -> Generator[Outcomes]:
        if found:
            yield [(row, self._reader.read(row, parse_line(text)[1])) for row, text in found.values()]
            # `run_bulk` has written the outcomes to the journal before the generator continues here.
            self.state.drop_rows([row for row, _ in found.values()])

    def _fail(self, part: Part, reason: str) -> Generator[Outcomes]:
        """End `part`. Each of its rows that has no outcome gets an error with `reason`."""
        while rows := self.state.read_rows(part, _ROWS_PER_LIST):
            yield [(row, read_error(BatchError(reason))) for row in rows]
            self.state.drop_rows(rows)
        if self._knows_all_rows or not self.state.has_rows(part):
            self._drop(part)
        else:
            self._ended.add(part.number)

    def _drop(self, part: Part) -> None:
        self.state.drop_part(part)
        self._ended.discard(part.number)
        del self._open[part.number]


_UNCERTAIN = (
    "It is not known whether Google has created a batch from the file {}. If AI Studio shows this batch, cancel it. "
    "Then send the row again with `retry_failed`."
)


def _is_refusal(error: GeminiCompatError) -> bool:
    """Return whether `error` shows that no batch was created."""
    is_unsent = isinstance(error, errors.APIConnectionError) and not error.is_retryable
    return is_unsent or isinstance(error, errors.CredentialsError) or _status_of(error) in _REFUSALS


def _status_of(error: GeminiCompatError) -> int | None:
    return error.status_code if isinstance(error, errors.APIStatusError) else None


def _build_line(body: object) -> bytes:
    """Return the line of the input file for a request body. The line has `{}` as a placeholder for its `custom_id`."""
    options = {name: value for name, value in cast("dict[str, object]", body).items() if not name.startswith("stream")}
    line = {"custom_id": "{}", "method": "POST", "url": ENDPOINT, "body": options}
    return json.dumps(line).encode() + b"\n"


def _describe_ending(batch: Batch) -> str:
    """Return why a row of the batch has no answer."""
    if batch.status == "completed":
        return f"The output of {batch.name} has no line for this row."
    if batch.status == "expired":
        return f"{batch.name} expired: Google ends a batch after 48 hours. Make batches smaller with `max_requests`."
    reason = batch.reason and f" Google says: {batch.reason}"
    return f"{batch.name} ended with the status {batch.status} and has no answer for this row.{reason}"


def _find_chat_model(model: object) -> ConnectedModel:
    """Return the chat model inside `model`, which may wrap it to bind options or to add structured output."""
    chat, _ = find_model(model)
    if not isinstance(chat, ConnectedModel):
        raise BatchError("`BatchApiEngine` needs a `ChatGeminiCompat`. It may have bound options or a schema.")
    return chat


def _ignore(_: str) -> None:
    pass
