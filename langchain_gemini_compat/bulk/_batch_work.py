"""Creates the batches of one run, polls the batches and collects their output.

Before a batch is created, its rows and the name of its input file are stored on the disk (`BatchState`). If the program
dies before it has received the id of the batch, the next run looks for a batch with this input file. So no batch is
created twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from importlib import import_module
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from langchain_gemini_compat import errors
from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat.bulk._batch_answers import LineReader, parse_line
from langchain_gemini_compat.bulk._batch_service import Batch, BatchError, BatchService
from langchain_gemini_compat.bulk._batch_state import BatchState, Part
from langchain_gemini_compat.bulk._engine import OpenRows, Outcomes
from langchain_gemini_compat.bulk._outcomes import read_error
from langchain_gemini_compat.errors import GeminiCompatError

if TYPE_CHECKING:
    from langchain_gemini_compat.bulk._rows import Row

#: Assumed number of seconds until the server's list of batches contains a new batch. Google documents no time.
SETTLE_SECONDS = 60.0
#: Seconds for which a run asks again after these answers of the server, because they may change. Google documents no
#: time.
#:
#: - A batch or its output does not exist.
#: - The server's list of batches does not contain a batch whose creation is not confirmed.
DOUBT_SECONDS = 600.0
#: Seconds for which the requests for a batch may fail. Then a run that still needs the batch ends with an error.
OUTAGE_SECONDS = 3600.0
#: Seconds after which Google deletes a file (https://ai.google.dev/gemini-api/docs/files), and after which a batch
#: expires (https://ai.google.dev/gemini-api/docs/batch-api).
_FILE_SECONDS = _BATCH_SECONDS = 48 * 3600.0
#: After this number of failed attempts in a row to create a batch, the run ends with an error. Attempts are not counted
#: while the run waits for another batch.
_MOST_FAILURES = 8
_ROWS_PER_LIST = 50
#: HTTP statuses that prove that the server refused the request and created no batch.
_REFUSALS = frozenset({400, 401, 403, 404, 405, 413, 415, 422, 429})
_NOT_FOUND = 404
#: HTTP statuses for an output file that does not exist. Google sends 403: https://discuss.ai.google.dev/t/50428
_NO_SUCH_FILE = frozenset({403, _NOT_FOUND})


class BatchWork:
    """The batches of one run.

    Args:
        service: Sends the requests.
        state: The state of the batches.
        reader: Decodes the lines of the output.
        rows: The rows of the run.
        notify: Called with a sentence about each event.
        poll_seconds: The first and the longest wait between two checks of the status, in seconds.
    """

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
        self._state = state
        self._reader = reader
        self._notify = notify
        self._first_wait, self._longest_wait = poll_seconds
        self._rows = rows
        self._open: dict[int, Part] = {}
        #: The ids of batches that were created by this endpoint.
        self._known: set[str] = set()
        #: Numbers of the parts whose batch may or may not exist: the server's list of batches does not show it yet.
        self._doubtful: set[int] = set()
        #: When the requests for a part's batch began to fail, in seconds of the monotonic clock. The key is the part's
        #: number.
        self._failing_since: dict[int, float] = {}
        #: Why this run no longer asks for the batch of a part. The key is the part's number. A later run asks again.
        self._given_up: dict[int, str] = {}
        self._failures = 0

    def adopt_parts(self) -> None:
        """Continue with the batches of earlier runs. Forget each batch that the server has not created."""
        parts = self._state.read_parts()
        self._known.update(part.batch for part in parts if part.batch is not None)
        for part in parts:
            if part.batch is None and not self._find_batch(part):
                continue
            self._open[part.number] = self._state.read_part(part.number)

    def send(self, content: IO[bytes], rows: Sequence[Row]) -> Generator[Outcomes]:
        """Upload an input file and create its batch. Wait until the server has accepted all batches of the run."""
        file = self._service.upload(content, content.tell(), "langchain-gemini-compat")
        part = self._create(self._state.add_part(file, rows))
        self._notify(f"Sent {len(rows):,} rows as {part.batch or 'a batch that is not confirmed yet'}.")
        yield from self._advance(lambda: all(map(self._is_settled, self._open.values())))

    def finish(self) -> Generator[Outcomes]:
        """Wait for the batches with rows of this run, and collect all batches that have ended.

        Raises:
            BatchError: If the server does not know a batch with rows of this run, or does not know the output of such a
                batch.
        """
        yield from self._ask_for_all()
        yield from self._advance(lambda: not any(map(self._is_awaited, self._open.values())))
        reasons = [self._given_up[part.number] for part in self._open.values() if self._state.has_wanted_rows(part)]
        if reasons and not self._rows.is_stopped:
            raise BatchError(_GIVEN_UP.format(reasons[0], self._state.path))

    def _is_settled(self, part: Part) -> bool:
        """Return whether this run may create the next batch while it waits for the batch of `part`."""
        return part.batch is not None or part.number in self._doubtful

    def _is_awaited(self, part: Part) -> bool:
        """Return whether `part` has rows that this run waits for."""
        return part.number not in self._given_up and self._state.has_wanted_rows(part)

    def _advance(self, is_enough: Callable[[], bool]) -> Generator[Outcomes]:
        """Poll the batches until `is_enough()` is true, and yield the outcomes of each batch that has ended.

        If the run is stopped, this method returns early. The next run continues with the batches.
        """
        wait = self._first_wait
        while not is_enough() and not self._rows.wait(wait):
            count = len(self._open)
            yield from self._ask_for_all()
            wait = self._first_wait if len(self._open) < count else min(1.5 * wait, self._longest_wait)

    def _ask_for_all(self) -> Generator[Outcomes]:
        """Ask once for the status of each batch, and yield the outcomes of each batch that has ended."""
        for part in list(self._open.values()):
            if self._rows.is_stopped:
                return
            if part.batch is None:
                yield from self._try_again(part)
            elif self._is_polled(part):
                yield from self._ask_for(part, part.batch)

    def _is_polled(self, part: Part) -> bool:
        """Return whether this run polls the batch of `part`. A batch of another model is left to another run."""
        if part.number in self._given_up:
            return False
        return self._state.has_wanted_rows(part) or all(map(self._reader.can_read, self._state.read_rows(part, 1)))

    def _create(self, part: Part) -> Part:
        """Send the request that creates the batch of `part`. If no answer comes, the batch may exist nevertheless."""
        part = self._open[part.number] = self._state.note_intent(part, time.time())
        try:
            batch = self._service.create(part.file)
        except GeminiCompatError as error:
            if _is_refusal(error):
                part = self._open[part.number] = self._state.note_intent(part, None)
            self._note_failure(error)
            return part
        self._failures = 0
        return self._note_batch(part, batch.name)

    def _note_batch(self, part: Part, name: str) -> Part:
        self._known.add(name)
        self._doubtful.discard(part.number)
        part = self._open[part.number] = self._state.note_batch(part, name)
        return part

    def _note_failure(self, error: GeminiCompatError) -> None:
        """Count a failed attempt to create a batch.

        Raise `error` if another attempt cannot help, or after `_MOST_FAILURES` failed attempts in a row. Attempts
        are not counted while the run waits for another batch.
        """
        has_others = any(part.batch is not None and self._is_polled(part) for part in self._open.values())
        self._failures = 0 if has_others else self._failures + 1
        if self._failures >= _MOST_FAILURES or (_is_refusal(error) and not error.is_retryable):
            raise error
        self._notify(f"The server has not created the batch yet: {error}")

    def _try_again(self, part: Part) -> Generator[Outcomes]:
        """Create the batch of `part`, if the server has not created it yet."""
        if part.intended is None:
            self._create(part)
            return
        age = time.time() - part.intended
        if age < SETTLE_SECONDS:
            return
        try:
            batch, is_certain = self._service.find_batch_of(part.file, part.intended, self._known)
        except GeminiCompatError as error:
            yield from self._endure(part, "The list of batches", error)
            return
        if batch is not None:
            self._note_batch(part, batch)
        elif is_certain and age < _FILE_SECONDS:
            self._create(part)
        elif is_certain or age >= DOUBT_SECONDS:
            yield from self._fail(part, (_NOT_CREATED if is_certain else _UNCERTAIN).format(part.file))
        else:
            self._doubtful.add(part.number)
            self._notify(f"The server's list does not show yet whether it has created a batch of {part.file}.")

    def _find_batch(self, part: Part) -> bool:
        """Look for the batch of `part`, which an earlier run may have created.

        If it is certain that there is none, drop `part` and return `False`.
        """
        intended = part.intended or 0.0
        while (seconds := intended + SETTLE_SECONDS - time.time()) > 0:
            if self._rows.wait(min(seconds, SETTLE_SECONDS)):
                return True
        batch, is_certain = self._service.find_batch_of(part.file, intended, self._known)
        if batch is not None:
            self._note_batch(part, batch)
            self._notify(f"Found {batch}, which an earlier run has created.")
        elif is_certain:
            self._state.drop_part(part)
            return False
        return True

    def _ask_for(self, part: Part, name: str) -> Generator[Outcomes]:
        """Ask for the status of a batch. If the batch has ended, yield its outcomes."""
        try:
            batch = self._service.retrieve(name)
        except GeminiCompatError as error:
            yield from self._endure(part, name, error, is_gone=_status_of(error) == _NOT_FOUND)
            return
        if batch.has_ended:
            yield from self._collect(part, batch)
        else:
            self._failing_since.pop(part.number, None)
            done = "" if batch.done is None else f", {batch.done:,} requests done"
            self._notify(f"{name} is {batch.status}{done}.")

    def _collect(self, part: Part, batch: Batch) -> Generator[Outcomes]:
        """Yield the outcomes of a batch that has ended."""
        problem: GeminiCompatError | None = None
        for file in batch.files:
            with TemporaryFile() as content:
                try:
                    self._service.download(file, content)
                except GeminiCompatError as error:
                    problem = error
                    continue
                content.seek(0)
                yield from self._read_lines(part, content)
        if problem is None or not self._state.has_rows(part):
            yield from self._fail(part, _describe_ending(batch))
        else:
            is_gone = _status_of(problem) in _NO_SUCH_FILE
            yield from self._endure(part, f"The output of {batch.name}", problem, is_gone=is_gone)

    def _endure(
        self, part: Part, subject: str, error: GeminiCompatError, *, is_gone: bool = False
    ) -> Generator[Outcomes]:
        """Handle a failed request for `part`. Raise `error` if the run cannot continue.

        Args:
            part: The part whose batch or output was requested.
            subject: The words with which messages name the batch or output.
            error: The error that the request raised.
            is_gone: Whether the server says that `subject` does not exist.
        """
        now = time.monotonic()
        seconds = now - self._failing_since.setdefault(part.number, now)
        text = f"{subject} is not available: {error}"
        if is_gone and time.time() >= (part.intended or 0.0) + _BATCH_SECONDS + _FILE_SECONDS:
            yield from self._fail(part, text)
        elif (error.is_retryable and seconds <= OUTAGE_SECONDS) or (is_gone and seconds <= DOUBT_SECONDS):
            self._notify(text)
        elif is_gone or not self._state.has_wanted_rows(part):
            self._given_up[part.number] = text
            self._notify(f"{text} The run continues without it.")
        else:
            raise error

    def _read_lines(self, part: Part, content: IO[bytes]) -> Generator[Outcomes]:
        found: dict[int, tuple[Row, bytes]] = {}
        for text in content:
            position, _ = parse_line(text)
            row = None if position is None or position in found else self._state.find(part, position)
            if position is not None and row is not None:
                found[position] = row, text
            if len(found) >= _ROWS_PER_LIST:
                yield from self._decode(found)
                found = {}
        yield from self._decode(found)

    def _decode(self, found: dict[int, tuple[Row, bytes]]) -> Generator[Outcomes]:
        if found:
            yield [(row, self._reader.read(row, parse_line(text)[1])) for row, text in found.values()]
            # The generator continues here after `run_bulk` has written the outcomes to the journal. So the rows can be
            # dropped.
            self._state.drop_rows([row for row, _ in found.values()])

    def _fail(self, part: Part, reason: str) -> Generator[Outcomes]:
        """End `part`. Each of its rows that has no outcome gets an error with `reason`."""
        while rows := self._state.read_rows(part, _ROWS_PER_LIST):
            yield [(row, read_error(BatchError(reason))) for row in rows]
            self._state.drop_rows(rows)
        self._state.drop_part(part)
        self._doubtful.discard(part.number)
        del self._open[part.number]


_UNCERTAIN = (
    "It is not known whether Google has created a batch from the file {}: the list of batches shows neither this batch "
    "nor another one of this endpoint. If AI Studio shows this batch, cancel it. Then send the row again with "
    "`retry_failed`."
)
_NOT_CREATED = (
    "Google has not created a batch from the file {}, and has deleted the file by now. Send the row again with "
    "`retry_failed`."
)
_GIVEN_UP = (
    "{} The rows of this batch stay in `{}`, and the next run asks again. If the batch is lost, for example because "
    "you deleted it, delete this file. Then the next run sends and pays these rows again."
)


def _is_refusal(error: GeminiCompatError) -> bool:
    """Return whether `error` shows that no batch was created."""
    if isinstance(error, errors.APIConnectionError):
        return not error.is_retryable or _is_unsent(error)
    return isinstance(error, errors.CredentialsError) or _status_of(error) in _REFUSALS


def _is_unsent(error: GeminiCompatError) -> bool:
    """Return whether the request cannot have reached the server, because there was no connection."""
    library = import_module(library_name())
    return isinstance(error.__cause__, (library.ConnectError, library.ConnectTimeout, library.PoolTimeout))


def _status_of(error: GeminiCompatError) -> int | None:
    return error.status_code if isinstance(error, errors.APIStatusError) else None


def _describe_ending(batch: Batch) -> str:
    """Return why a row of the batch has no answer."""
    if batch.status == "completed":
        return f"The output of {batch.name} has no line for this row."
    if batch.status == "expired":
        return f"{batch.name} expired: Google ends a batch after 48 hours. Make batches smaller with `max_requests`."
    reason = batch.reason and f" Google says: {batch.reason}"
    return f"{batch.name} ended with the status {batch.status} and has no answer for this row.{reason}"
