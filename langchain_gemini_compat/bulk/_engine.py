"""The interface of engines, and the default engine."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from itertools import islice
from threading import Event
from typing import Protocol, TypeAlias

from langchain_gemini_compat.bulk._outcomes import Outcome, read_error, read_reply
from langchain_gemini_compat.bulk._rows import BulkModel, Row

Outcomes: TypeAlias = list[tuple[Row, Outcome]]


class OpenRows(Iterator[Row]):
    """The rows that an engine sends. The iterator ends early if `run_bulk` stops the run."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._stopped = Event()

    def __next__(self) -> Row:
        """Return the next row."""
        if self._stopped.is_set():
            raise StopIteration
        return next(self._rows)

    @property
    def is_stopped(self) -> bool:
        """Whether `run_bulk` has stopped the run."""
        return self._stopped.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for `seconds`, or until the run is stopped. Return whether the run is stopped."""
        return self._stopped.wait(seconds)

    def stop(self) -> None:
        """End the iteration over the rows, and end each call of `wait` that is in progress.

        `run_bulk` calls this method, sometimes from another thread than the one in which the engine runs.
        """
        self._stopped.set()


class Engine(Protocol):
    """Sends the rows to the model.

    `run_bulk` does everything else: it reads and checks the input, skips rows that have an outcome, writes outcomes to
    the journal, and stops the run. An engine is an object with one method, `run`, which is a generator. Its rules are:

    - `rows` is an iterator over the journal. Take a row only when it can be sent, so that few rows are in memory.
      `rows` ends early when `run_bulk` stops the run. Then yield the outcomes of the rows in flight and return.
    - If a row can be in flight for minutes, wait with `rows.wait(seconds)`. Return when `rows.is_stopped` is `True`.
    - Take rows and yield outcomes in the thread that runs the generator. `run_bulk` reads the rows and writes the
      outcomes with one SQLite connection, which only this thread may use.
    - Yield a list of pairs as soon as you have one. `run_bulk` writes the list to the disk before it asks for the next
      list.
    - `read_reply` and `read_error` make outcomes. The body of a request is
      `model.preview(row.question, **row.options)[0]`.
    - `run_bulk` closes the generator on Ctrl-C and on errors. Release resources in a `finally` clause.
    - `run_bulk` stores only rows and outcomes. If the engine needs other data in the next run, it has to store the data
      itself.

    Examples:
        ```python
        class OneAtATime:
            def run(self, model, rows, concurrency):
                for row in rows:
                    try:
                        reply = model.invoke(row.question, **row.options)
                    except Exception as error:
                        yield [(row, read_error(error))]
                    else:
                        yield [(row, read_reply(reply))]
        ```
    """

    def run(self, model: BulkModel, rows: OpenRows, concurrency: int) -> Generator[Outcomes]:
        """Send `rows` and yield their outcomes in any order.

        Args:
            model: The model that gets the rows.
            rows: The rows to send. Send each row once. An engine that uses neither `rows.wait` nor
                `rows.is_stopped` can use the type `Iterator[Row]`.
            concurrency: Maximum number of calls in flight.

        Yields:
            Rows with their outcomes.
        """
        ...


class AsyncioEngine:
    """Sends the rows with async calls on an event loop of this thread."""

    def run(self, model: BulkModel, rows: Iterator[Row], concurrency: int) -> Generator[Outcomes]:
        """Send `rows` with at most `concurrency` calls in flight, and yield their outcomes as they come."""
        loop = asyncio.new_event_loop()
        running: set[asyncio.Task[tuple[Row, Outcome]]] = set()
        try:
            while True:
                running |= {loop.create_task(_ask(model, row)) for row in islice(rows, concurrency - len(running))}
                if not running:
                    return
                done, running = loop.run_until_complete(asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED))
                yield [task.result() for task in done]
        finally:
            _close(loop, running)


async def _ask(model: BulkModel, row: Row) -> tuple[Row, Outcome]:
    try:
        return row, read_reply(await model.ainvoke(row.question, **row.options))
    except Exception as error:
        return row, read_error(error)


def _close(loop: asyncio.AbstractEventLoop, running: set[asyncio.Task[tuple[Row, Outcome]]]) -> None:
    """Cancel the calls in flight, close their connections, and close the event loop."""
    for task in running:
        task.cancel()
    if running:
        loop.run_until_complete(asyncio.wait(running))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
