"""Decides when a run stops early, because the missing rows would fail too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_gemini_compat.bulk._outcomes import Outcome
    from langchain_gemini_compat.bulk._rows import Row

#: A run stops after this number of consecutive errors of the account, the server or the network. The limit is
#: `2 * concurrency` if that is higher.
_MOST_IN_A_ROW = 50


class StopRule:
    """Decides from the outcomes of the rows when a run stops.

    General errors are errors of the account, the server or the network. They do not depend on the row.

    Attributes:
        reason: Why the run stops, or `None` while it goes on.
    """

    def __init__(self, concurrency: int) -> None:
        self.reason: str | None = None
        self._most = max(_MOST_IN_A_ROW, 2 * concurrency)
        self._in_a_row: list[str] = []
        self._of_account = 0
        self._last_of_account = ""

    def watch(self, row: Row, outcome: Outcome) -> None:
        """Set `reason` if the daily quota is used up, or if many outcomes in a row are general errors."""
        if outcome.error_type is None or outcome.error_scope == "row":
            if len(self._in_a_row) < self._most:
                self._in_a_row.clear()
            return
        self._in_a_row.append(row.key)
        if outcome.error_scope == "account":
            self._of_account += 1
            self._last_of_account = f"{outcome.error_type}: {outcome.error_message}"
        if outcome.error_scope == "quota":
            self.reason = self.reason or f"The run stopped because a quota is exhausted. {outcome.error_message}"
        if len(self._in_a_row) >= self._most:
            last = f"{outcome.error_type}: {outcome.error_message}"
            self.reason = (
                self.reason or f"The run stopped after {len(self._in_a_row)} errors in a row. The last is {last}"
            )

    def end(self) -> None:
        """Set `reason` if some rows have no answer because of errors of the account."""
        if self._of_account:
            rows = "1 row was" if self._of_account == 1 else f"{self._of_account:,} rows were"
            self.reason = self.reason or f"{rows} not answered. The last error is {self._last_of_account}"

    def list_rows_of_outage(self) -> list[str]:
        """Return the keys of the rows whose consecutive errors stopped the run, or an empty list if there are none."""
        return self._in_a_row if len(self._in_a_row) >= self._most else []
