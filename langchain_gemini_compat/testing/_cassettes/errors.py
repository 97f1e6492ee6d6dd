"""The error of a replay."""

from __future__ import annotations

from langchain_gemini_compat.testing._server.difference import Difference


class ReplayError(AssertionError):
    """The cassette cannot answer a request. The chat model neither retries nor wraps this error.

    Args:
        message: What happened, the likely cause, and what to do.
        difference: The first difference to the nearest recorded request, or `None`.

    Attributes:
        difference: The first difference to the nearest recorded request, or `None`.

    Examples:
        >>> ReplayError("No exchange matches.").difference is None
        True
    """

    def __init__(self, message: str, difference: Difference | None = None) -> None:
        super().__init__(message)
        self.difference = difference
