"""The function `run_bulk`, which sends rows to a model and keeps every outcome in a journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, cast

from langchain_gemini_compat._model.bound_model import BoundModel
from langchain_gemini_compat.bulk._batch_engine import BatchApiEngine, find_batches
from langchain_gemini_compat.bulk._batch_state import BatchState
from langchain_gemini_compat.bulk._database import OutputError
from langchain_gemini_compat.bulk._engine import AsyncioEngine, Engine, OpenRows
from langchain_gemini_compat.bulk._journal import Journal
from langchain_gemini_compat.bulk._outcomes import load_prices
from langchain_gemini_compat.bulk._output import find_journal, write_output
from langchain_gemini_compat.bulk._progress import Counts, Progress, Tally
from langchain_gemini_compat.bulk._rows import BulkModel, Rows, read_rows
from langchain_gemini_compat.bulk._stop import StopRule
from langchain_gemini_compat.chat_models import ChatGeminiCompat


@dataclass(slots=True)
class BulkResult(Counts):
    """The result of `run_bulk`. The counts include earlier runs with the same output.

    Attributes:
        path: The output.
        errors: Maps the name of an exception to the number of rows that failed with this exception.
        stopped: Why rows are left for the next run, or `None` if every row has an answer or has failed.
    """

    path: Path
    errors: dict[str, int]
    stopped: str | None


def run_bulk(
    model: ChatGeminiCompat | BoundModel,
    rows: Rows,
    path: str | PathLike[str],
    *,
    schema: dict[str, Any] | type | None = None,
    concurrency: int = 16,
    engine: Engine | None = None,
    retry_failed: bool = False,
    report: Callable[[Progress], None] | None = None,
) -> BulkResult:
    """Send all rows to the model, and write one row of output for each.

    Every outcome is written to a journal beside the output, `OUTPUT.journal`, before it is counted. After a crash, an
    exhausted quota or Ctrl-C, call the function again: it sends only the missing rows. A row is sent again if its
    request or its `id` has changed. A failed row keeps its error and is not sent again, unless it failed in an outage
    that stopped the run.

    The function blocks until the end of the run. In an `async def`, call `await asyncio.to_thread(run_bulk, …)`.

    Args:
        model: A chat model, which may have bound tools or options.
        rows: A JSONL file, or an iterable of rows. A row is a prompt, or a dict with `prompt` or `messages`, an
            optional `id`, and options of the call, such as `temperature`. All rows are checked before the first
            request. The rows are copied into the journal and not kept in memory.
        path: The output: `.jsonl`, `.sqlite` (or `.db`) or `.parquet`. The rows are in the order of the input.
        schema: Schema of the answers, as for `with_structured_output`. The column `parsed` contains the objects.
            Default: none.
        concurrency: Maximum number of calls in flight. Default: 16.
        engine: The object that sends the rows, such as a `DaskEngine` or a `BatchApiEngine`. Default: async calls in
            this process.
        retry_failed: Whether to send the failed rows again. Default: `False`.
        report: Called with the progress at the start and after each write to the journal. Default: none.

    Returns:
        The counts. If rows are left for the next run, `stopped` contains the reason. A run stops early if the daily
        quota is used up, or if 50 calls in a row fail because of the account, the server or the network. If fewer
        calls fail because of the account, the run continues, and the next run sends the rows of these calls again.

    Raises:
        InvalidRowsError: A row is invalid. No request was sent.
        OutputError: Another run uses the output, or it cannot be written. A full disk can raise this error during
            the run. The recorded answers stay.

    Examples:
        ```python
        result = run_bulk(model, ["Name a moon.", {"prompt": "Name a star.", "temperature": 0}], "answers.jsonl")
        print(result.answered, "answered,", result.failed, "failed")
        ```
    """
    if concurrency < 1:
        raise ValueError("`concurrency` has to be 1 or more.")
    bulk_model = cast("BulkModel", model if schema is None else model.with_structured_output(schema, include_raw=True))
    run = _Run(bulk_model, Path(path), engine or AsyncioEngine(), concurrency, retry_failed, report or _report_nothing)
    return _call_beside_loop(run, rows)


@dataclass(slots=True)
class _Run:
    """One call of `run_bulk`."""

    model: BulkModel
    path: Path
    engine: Engine
    concurrency: int
    retry_failed: bool
    report: Callable[[Progress], None]
    rule: StopRule = field(init=False)
    open_rows: OpenRows | None = None

    def __post_init__(self) -> None:
        self.rule = StopRule(self.concurrency)

    def __call__(self, rows: Rows) -> BulkResult:
        """Send the rows, write the output, and return the result."""
        with Journal(find_journal(self.path)) as journal:
            _check_batches(self.engine, self.path, journal)
            journal.load(self.model, read_rows(rows))
            counts = journal.count()
            if self.retry_failed:
                counts.failed = 0
            tally = Tally(counts)
            self.report(tally.describe())
            # The prices are loaded before the run, because loading them during the run would block the event loop.
            load_prices()
            try:
                self._ask(journal, tally)
            finally:
                try:
                    journal.reopen(self.rule.list_rows_of_outage())
                finally:
                    write_output(journal, self.path)
            self.rule.end()
            counts, errors = journal.count(), journal.count_errors()
        return BulkResult(**asdict(counts), path=self.path, errors=errors, stopped=self.rule.reason)

    def stop(self) -> None:
        """Send no more rows, but let the calls in flight end."""
        self.rule.reason = self.rule.reason or "The run was interrupted."
        if self.open_rows is not None:
            self.open_rows.stop()

    def _ask(self, journal: Journal, tally: Tally) -> None:
        rows = self.open_rows = OpenRows(journal.read_open_rows(retry_failed=self.retry_failed))
        if self.rule.reason is not None:
            # `stop` was called while the input was read, so send nothing.
            rows.stop()
        with closing(self.engine.run(self.model, rows, self.concurrency)) as answers:
            for outcomes in answers:
                # Count only rows that are in the input now. A batch of an earlier run may contain other rows.
                own = [one for row, one in outcomes if journal.is_open(row.key, retry_failed=self.retry_failed)]
                journal.record(outcomes)
                for row, outcome in outcomes:
                    self.rule.watch(row, outcome)
                if self.rule.reason is not None:
                    rows.stop()
                tally.add(own)
                self.report(tally.describe())


def _check_batches(engine: Engine, path: Path, journal: Journal) -> None:
    """Raise an error if the engine would send rows again that are already in a batch at Google.

    Raises:
        OutputError: The engine is not a `BatchApiEngine` although rows are in a batch, or a `BatchApiEngine` was
            created with the path of another output.
    """
    batches = find_batches(path)
    if batches.exists():
        with BatchState(batches) as state:
            state.drop_answered(journal.has_answer)
    if isinstance(engine, BatchApiEngine):
        if engine.batches.absolute() != batches.absolute():
            raise OutputError(
                f"`BatchApiEngine` stores its batches in `{engine.batches}`, but the output is `{path}`. Pass the same "
                "path to `BatchApiEngine` and to `run_bulk`."
            )
    elif batches.exists():
        raise OutputError(
            f"Rows of this output are in batches at Google (`{batches}`). Another engine would send these rows again, "
            "and you would pay twice. To get the answers of the batches, run with `BatchApiEngine` (the command: "
            f"`--batch-api`). If you do not need these answers, delete `{batches}`."
        )


def _call_beside_loop(run: _Run, rows: Rows) -> BulkResult:
    """Call `run`. If this thread already runs an event loop, as in a notebook, call `run` in a new thread."""
    if not _is_in_event_loop():
        return run(rows)
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(copy_context().run, run, rows)
        try:
            return future.result()
        finally:
            # After Ctrl-C, the thread sends no more rows and ends when the calls in flight end.
            run.stop()


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _report_nothing(_: Progress) -> None:
    pass
