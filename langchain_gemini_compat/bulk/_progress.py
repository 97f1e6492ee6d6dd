"""Counts the outcomes of a run, and estimates how long the remaining rows take."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_gemini_compat.bulk._outcomes import Outcome

#: Number of samples from which the current rate is computed. Each list of outcomes adds one sample.
_SAMPLES = 200


@dataclass(slots=True)
class Counts:
    """Counts of rows and tokens. The counts include earlier runs with the same output.

    Attributes:
        rows: Rows of the input.
        answered: Rows with an answer.
        failed: Rows with an error that the next run does not send again.
        input_tokens: Input tokens of all replies.
        output_tokens: Output tokens of all replies, including thoughts.
        price: Estimated price of the replies whose price is known, in US dollars.
        unpriced: Number of replies whose price is not known.
    """

    rows: int
    answered: int
    failed: int
    input_tokens: int
    output_tokens: int
    price: float
    unpriced: int

    @property
    def missing(self) -> int:
        """Rows that are neither answered nor failed."""
        return self.rows - self.answered - self.failed


@dataclass(slots=True)
class Progress(Counts):
    """The progress of a run, which `run_bulk` passes to `report`.

    Attributes:
        rows_per_second: The current rate, or `None` if it is not known yet.
        seconds_left: The estimated time for the missing rows, or `None` if it is not known yet.
    """

    rows_per_second: float | None
    seconds_left: float | None


class Tally:
    """Keeps the counts of a run up to date."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)
        self._done = 0
        self._sample()

    def add(self, outcomes: list[Outcome]) -> None:
        """Add the outcomes of the given rows to the counts."""
        counts = self.counts
        for outcome in outcomes:
            counts.answered += outcome.error_type is None
            counts.failed += outcome.is_failed
            if outcome.usage:
                counts.input_tokens += outcome.usage["input_tokens"]
                counts.output_tokens += outcome.usage["output_tokens"]
                counts.price += outcome.price or 0
                counts.unpriced += outcome.price is None
        self._done += len(outcomes)
        self._sample()

    def describe(self) -> Progress:
        """Return the counts with the current rate and the remaining time."""
        (began, before), (now, after) = self._samples[0], self._samples[-1]
        rate = (after - before) / (now - began) if now > began else None
        left = self.counts.missing / rate if rate else None
        return Progress(**asdict(self.counts), rows_per_second=rate, seconds_left=left)

    def _sample(self) -> None:
        self._samples.append((time.monotonic(), self._done))
