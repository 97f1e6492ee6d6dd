"""The engine for Dask: several processes on this machine, or a cluster. `distributed` is imported when a run starts."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from langchain_gemini_compat._lazy import LazyModule
from langchain_gemini_compat.bulk._engine import Outcomes
from langchain_gemini_compat.bulk._rows import BulkModel, Row

if TYPE_CHECKING:
    import distributed
else:
    distributed = LazyModule("distributed")

_LOCAL = "local:"


class DaskEngine:
    """Sends the rows with Dask, from several processes of this machine or from a cluster.

    Dask replaces worker processes that die, and gives their rows to other workers. So a row in flight may be sent
    twice, but the output has each row once. The workers need this package. Dask sends them a pickle of the model. **The
    pickle contains the API key.**

    Args:
        cluster: `"local:4"` starts four worker processes for the run. Other strings are addresses of a scheduler, such
            as `"tcp://10.0.0.1:8786"`. A `distributed.Client` is also accepted, and stays open.

    Raises:
        ValueError: At construction, for `"local:"` without a number of processes.
        ImportError: At construction, if `distributed` is not installed.
        OSError: At the run, if no scheduler answers.

    Examples:
        ```python
        run_bulk(model, "prompts.jsonl", "answers.jsonl", concurrency=64, engine=DaskEngine("local:4"))
        ```
    """

    def __init__(self, cluster: distributed.Client | str) -> None:
        if find_spec("distributed") is None:
            raise ImportError("Dask needs the package `distributed`. Run `pip install distributed`.")
        self._cluster = cluster
        self._processes = _read_processes(cluster) if isinstance(cluster, str) else 0

    def run(self, model: BulkModel, rows: Iterator[Row], concurrency: int) -> Generator[Outcomes]:
        """Send `rows` from the workers, with at most `concurrency` calls in flight, and yield their outcomes."""
        from langchain_gemini_compat.bulk import _dask_client as dask

        if not isinstance(self._cluster, str):
            yield from dask.ask_rows(self._cluster, model, rows, concurrency)
        elif self._processes:
            with dask.open_local(self._processes, concurrency) as client:
                yield from dask.ask_rows(client, model, rows, concurrency)
        else:
            with dask.open_remote(self._cluster) as client:
                yield from dask.ask_rows(client, model, rows, concurrency)


def _read_processes(cluster: str) -> int:
    """Return the number of worker processes in `cluster`, such as 4 for `"local:4"`. For an address, return 0.

    Raises:
        ValueError: If the number is missing or less than 1.
    """
    if not cluster.startswith(_LOCAL):
        return 0
    number = cluster.removeprefix(_LOCAL)
    if not number.isdecimal() or int(number) < 1:
        raise ValueError(f"`{cluster}` has no valid number of processes. Write `local:4` for four processes.")
    return int(number)
