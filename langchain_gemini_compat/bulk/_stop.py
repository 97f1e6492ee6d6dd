"""Decides when a run stops early, because the missing rows would fail too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat.bulk._outcomes import ACCOUNT_ERRORS

if TYPE_CHECKING:
    from langchain_gemini_compat.bulk._outcomes import Outcome

#: Errors of the account, the server or the network. Other errors are those of a row.
_GENERAL_ERRORS = ACCOUNT_ERRORS | {
    "APIConnectionError",
    "InvalidReplyError",
    "RateLimitError",
    "RequestTimeoutError",
    "ServerError",
    "TruncatedStreamError",
}
#: A run stops after this number of general errors in a row, or after twice the calls in flight if these are more.
_MOST_IN_A_ROW = 50


class StopRule:
    """Watches the outcomes.

    Attributes:
        reason: Why the run stops, or `None` while it goes on.
    """

    def __init__(self, concurrency: int) -> None:
        self.reason: str | None = None
        self._most = max(_MOST_IN_A_ROW, 2 * concurrency)
        self._in_a_row = 0

    def watch(self, outcome: Outcome) -> None:
        """Set `reason` if the daily quota is used up, or if many outcomes in a row are general errors."""
        if outcome.error_type == "QuotaExhaustedError":
            self.reason = self.reason or f"The run stopped at a quota. {outcome.error_message}"
        elif outcome.error_type not in _GENERAL_ERRORS:
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self._in_a_row >= self._most:
            last = f"{outcome.error_type}: {outcome.error_message}"
            self.reason = self.reason or f"The run stopped after {self._in_a_row} errors in a row. The last is {last}"
