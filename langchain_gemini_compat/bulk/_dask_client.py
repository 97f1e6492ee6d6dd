"""Sends rows to the workers of Dask. This module imports `distributed`."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from math import ceil
from typing import cast
from uuid import uuid4

from distributed import Client, Future, LocalCluster, WorkerPlugin, as_completed, get_worker
from distributed import TimeoutError as DaskTimeoutError

from langchain_gemini_compat.bulk._engine import Outcomes
from langchain_gemini_compat.bulk._outcomes import Outcome, read_error, read_reply
from langchain_gemini_compat.bulk._rows import BulkModel, Row

#: Maximum seconds until the first worker of a cluster has started.
_WORKER_SECONDS = 300


class _ModelOnWorker(WorkerPlugin):
    """A Dask plugin that carries the model to the workers.

    Dask sends the plugin once to each worker process, including processes that start later.
    """

    def __init__(self, name: str, model: BulkModel) -> None:
        self.name = name
        self.model = model


@contextmanager
def open_local(processes: int, concurrency: int) -> Generator[Client]:
    """Start worker processes on this machine, and stop them when the `with` block ends.

    Together, the processes have at least `concurrency` threads, because each call in flight needs a thread.
    """
    threads = ceil(concurrency / processes)
    cluster = LocalCluster(n_workers=processes, threads_per_worker=threads, dashboard_address=":0")
    with cluster, Client(cluster) as client:
        yield client


@contextmanager
def open_remote(address: str) -> Generator[Client]:
    """Connect to the Dask scheduler at `address`. Disconnect when the `with` block ends."""
    with Client(address) as client:
        yield client


def ask_rows(client: Client, model: BulkModel, rows: Iterator[Row], concurrency: int) -> Generator[Outcomes]:
    """Send `rows` from the workers of `client`. At most `concurrency` rows are on the cluster at a time."""
    # The random name separates this run from other runs on the same cluster.
    name = f"bulk-{uuid4().hex}"
    client.register_plugin(_ModelOnWorker(name, model))
    _wait_for_worker(client)
    on_cluster: dict[str, tuple[Row, Future[Outcome]]] = {}

    def submit(count: int) -> list[Future[Outcome]]:
        chosen = list(islice(rows, count))
        futures = client.map(_ask, chosen, key=[f"{name}-{row.key}" for row in chosen], name=name) if chosen else []
        on_cluster.update({str(future.key): (row, future) for row, future in zip(chosen, futures, strict=True)})
        return futures

    try:
        running = as_completed(submit(concurrency), with_results=True, raise_errors=False)
        for batch in running.batches():
            outcomes: Outcomes = []
            for future, result in batch:
                outcomes.append((on_cluster.pop(future.key)[0], _read_result(result)))
                # If the result stayed on the worker and the worker died, Dask would send the row again.
                future.release()
            yield outcomes
            running.update(submit(len(batch)))
    finally:
        # After Ctrl-C in a terminal, the local workers have ended too, and the clean-up fails. Its error must not hide
        # the `KeyboardInterrupt`.
        with suppress(Exception):
            client.cancel([future for _, future in on_cluster.values()])
            client.unregister_worker_plugin(name)


def _wait_for_worker(client: Client) -> None:
    """Wait until the cluster has a worker.

    Raises:
        TimeoutError: If no worker has started after five minutes.
    """
    try:
        client.wait_for_workers(1, timeout=_WORKER_SECONDS)
    except DaskTimeoutError:
        raise TimeoutError(
            f"The Dask cluster has had no worker for {_WORKER_SECONDS} s, so no row was sent. Start workers for its "
            "scheduler, for example with `dask worker ADDRESS`, and run again."
        ) from None


def _ask(row: Row, name: str) -> Outcome:
    """Send a row to the model. Runs in a thread of a worker."""
    plugin = cast("_ModelOnWorker", get_worker().plugins[name])
    try:
        return read_reply(plugin.model.invoke(row.question, **row.options))
    except Exception as error:
        return read_error(error)


def _read_result(result: object) -> Outcome:
    """Return the outcome of a row. If workers died while they processed the row, the outcome has Dask's exception.

    Raises:
        ConnectionError: If Dask has cancelled the row, for example because the cluster was restarted.
    """
    if isinstance(result, Outcome):
        return result
    if isinstance(result, BaseException):
        raise ConnectionError("The Dask cluster cancelled the rows, for example by a restart. Run again to go on.")
    return read_error(cast("tuple[object, Exception]", result)[1])
