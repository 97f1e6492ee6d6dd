"""The progress and the summary of `bulk`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from langchain_gemini_compat.cli._terminal import draw_bar

if TYPE_CHECKING:
    from langchain_gemini_compat.bulk import Progress
    from langchain_gemini_compat.bulk._progress import Counts
    from langchain_gemini_compat.cli._terminal import Screen

_SECONDS_ON_TERMINAL = 0.1
_SECONDS_IN_PIPE = 30.0
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


class ProgressLine:
    """Shows the progress: a bar on a terminal, elsewhere a line every 30 seconds."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._pause = _SECONDS_ON_TERMINAL if screen.live else _SECONDS_IN_PIPE
        self._shown_at = time.monotonic() - (self._pause if screen.live else 0)
        #: The last progress, or `None` if the run did not start.
        self.last: Progress | None = None

    def start(self) -> None:
        """Show on a terminal that the input is being read. This takes about a minute for 50,000 rows."""
        if self._screen.live:
            self._screen.status("Reading the input …")

    def show(self, progress: Progress) -> None:
        """Show the progress at most every 0.1 seconds on a terminal, and at most every 30 seconds elsewhere."""
        self.last = progress
        now = time.monotonic()
        if now - self._shown_at < self._pause:
            return
        self._shown_at = now
        text = describe_progress(progress)
        if self._screen.live:
            self._screen.status(f"{draw_bar(progress.answered + progress.failed, progress.rows)} {text}")
        else:
            self._screen.line(text)

    def end(self) -> None:
        """Remove the progress bar from the terminal."""
        if self._screen.live:
            self._screen.status("")


def describe_progress(progress: Progress) -> str:
    """Return the progress as one line."""
    done = progress.answered + progress.failed
    parts = [f"{done:,} of {progress.rows:,}"]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.rows_per_second is not None:
        parts.append(f"{progress.rows_per_second:.1f}/s")
    if progress.seconds_left is not None:
        parts.append(f"{_describe_seconds(progress.seconds_left)} left")
    return ", ".join([*parts, *_describe_usage(progress)])


def describe_counts(counts: Counts) -> str:
    """Return the counts of a run as one line."""
    parts = [f"{counts.answered:,} of {counts.rows:,} rows answered"]
    if counts.failed:
        parts.append(f"{counts.failed:,} failed")
    if counts.missing:
        parts.append(f"{counts.missing:,} still to send")
    return ", ".join([*parts, *_describe_usage(counts)]) + "."


def _describe_usage(counts: Counts) -> list[str]:
    """Return the tokens, and the price if the prices of all replies are known."""
    if not counts.input_tokens and not counts.output_tokens:
        return []
    tokens = f"{_shorten(counts.input_tokens)} tokens in, {_shorten(counts.output_tokens)} out"
    return [tokens] if counts.unpriced else [tokens, f"about {counts.price:.2f} USD"]


def _shorten(count: int) -> str:
    """Return a number as a short text with a unit.

    >>> [_shorten(count) for count in (950, 12_345, 1_234_567, 4_000_000_000)]
    ['950', '12.3k', '1.23M', '4,000M']
    """
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if count >= size:
            value = count / size
            return f"{value:,.{max(0, 3 - len(str(int(value))))}f}{unit}"
    return str(count)


def _describe_seconds(seconds: float) -> str:
    """Return a duration as text with at most two units.

    >>> [_describe_seconds(seconds) for seconds in (8.2, 90, 4_000, 200_000)]
    ['8 s', '1 min 30 s', '1 h 6 min', '2 d 7 h']
    """
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"
