"""Prints the results of a run, as a table and as JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from textwrap import shorten
from typing import TYPE_CHECKING, get_args
from urllib.parse import urlsplit

from langchain_gemini_compat.cli._parser import PROGRAM
from langchain_gemini_compat.cli._verify.runner import Status

if TYPE_CHECKING:
    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat.cli._terminal import Screen
    from langchain_gemini_compat.cli._verify.estimate import Estimate
    from langchain_gemini_compat.cli._verify.lab import Lab
    from langchain_gemini_compat.cli._verify.runner import Result

COLUMNS = ("", "probe", "claim", "expected", "seen")
#: Maximum number of characters in the column `seen`. The JSON report contains the whole text. If a result is not as
#: expected, the whole text is also printed below the table.
_SEEN_WIDTH = 60
#: Matches names and numbers of Google Cloud projects in Google's error messages.
_PROJECT = re.compile(
    r"(projects/|\bproject(?:[ _-]?(?:number|id))?[\"']?[ :=]+[\"'`]|\bnumber[ :=]+(?=\d{6}))[^/\s\"'`]+"
)


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a run, with the model and the server that were checked."""

    surface: str
    model: str
    host: str
    date: str
    estimate: Estimate
    results: Sequence[Result]

    @property
    def is_well(self) -> bool:
        """Whether the result of every probe is as expected."""
        return all(result.status == "ok" for result in self.results)

    def as_json(self) -> JsonObject:
        """Return the report as `--json` writes it."""
        price = self.estimate.price
        return {
            "ok": self.is_well,
            "surface": self.surface,
            "model": self.model,
            "host": self.host,
            "date": self.date,
            "package": version(PROGRAM),
            "requests": self.estimate.requests,
            "estimated_price_usd": None if price is None else float(price),
            "counts": {**_count(self.results)},
            "probes": [_as_json(result) for result in self.results],
        }

    def show(self, screen: Screen) -> None:
        """Print the table, the results that are not as expected, and the number of results of each status."""
        screen.table(COLUMNS, ([result.status, *_row(result)] for result in self.results))
        wrong = [result for result in self.results if result.status == "differs"]
        if wrong:
            screen.line()
            screen.line("If the server is right, these parts of the package are wrong:", "bold")
        for result in wrong:
            screen.line(f"{result.probe.id}: {result.probe.rule}", "yellow", indent=2)
            screen.line(f"  expected: {result.expected}", indent=4)
            screen.line(f"  seen: {hide_project(result.seen)}", indent=4)
        screen.line()
        counts = ", ".join(f"{number} {status}" for status, number in _count(self.results).items())
        screen.line(f"{self.model} on {self.surface}: {counts}.", "green" if self.is_well else "red")


def build_report(lab: Lab, estimate: Estimate, results: Sequence[Result]) -> Report:
    """Return the report of a run, with the current time as its date."""
    date = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    host = urlsplit(lab.base_url).hostname or ""
    return Report(lab.surface, lab.model, host, date, estimate, results)


def hide_project(text: str) -> str:
    """Return `text` without names of projects.

    >>> hide_project("No access to projects/my-project/locations/eu.")
    'No access to projects/PROJECT_ID/locations/eu.'
    >>> hide_project("The API is off in project 'my-project' with the number 123456789012.")
    "The API is off in project 'PROJECT_ID' with the number PROJECT_ID"
    """
    return _PROJECT.sub(r"\g<1>PROJECT_ID", text)


def _count(results: Sequence[Result]) -> dict[str, int]:
    counts = Counter(result.status for result in results)
    return {status: counts[status] for status in get_args(Status) if counts[status]}


def _row(result: Result) -> tuple[str, ...]:
    seen = shorten(hide_project(result.seen), _SEEN_WIDTH, placeholder="...")
    return result.probe.id, result.probe.claim, result.expected, seen


def _as_json(result: Result) -> JsonObject:
    probe = result.probe
    return {
        "id": probe.id,
        "claim": probe.claim,
        "status": result.status,
        "expected": result.expected,
        "seen": hide_project(result.seen),
        "rule": probe.rule,
        "model": probe.model or None,
    }
