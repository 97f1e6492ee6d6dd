"""Repairs a request once after the server refused an optional part of it.

After an error, the call asks `try_change` and sends the changed payload. When the server has answered, `confirm`
remembers the refusal, so that later requests have the change from the start.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from langchain_gemini_compat._lazy import LazyModule
from langchain_gemini_compat._request.known_refusals import CHAT_PATH, remember_refusal
from langchain_gemini_compat.errors import GeminiCompatWarning

if TYPE_CHECKING:
    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._errors.base import GeminiCompatError
    from langchain_gemini_compat._request import refusals
    from langchain_gemini_compat._request.refused_parts import Refusal
    from langchain_gemini_compat._transport.retry import Tries
    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat._wire.notes import Note
else:
    # The patterns of refusals are imported at the first error.
    refusals = LazyModule("langchain_gemini_compat._request.refusals")


#: Statuses of a request that the server refuses because of its content.
_REFUSALS = (400, 422)


class Repair:
    """The payload of a call, which is changed at most once.

    Args:
        payload: The body of the request.
        endpoint: The surface, host and model.
        path: The path of the API below the URL.
        strict: Whether to change nothing, so that the server's error is raised.
    """

    def __init__(self, payload: JsonObject, endpoint: Endpoint, path: str = CHAT_PATH, *, strict: bool) -> None:
        self.payload = payload
        #: What was changed; `None` before the change.
        self.note: Note | None = None
        self._endpoint, self._path = endpoint, path
        self._may_change = not strict
        self._refusal: Refusal | None = None

    def try_change(self, error: GeminiCompatError, tries: Tries) -> bool:
        """Change the payload so that it has nothing that `error` refuses. Return whether to send it.

        The change counts as a retry.
        """
        if not self._may_change or getattr(error, "status_code", None) not in _REFUSALS:
            return False
        refusal = refusals.find_refused_parameter(error, self.payload)
        changed = refusal.apply(self.payload) if refusal else None
        if changed is None or not tries.try_at_once():
            return False
        self._may_change, self._refusal = False, refusal
        self.payload, self.note = changed
        return True

    def confirm(self) -> None:
        """Remember the refusal, and warn once for each model. Call this when the server has answered."""
        refusal, self._refusal = self._refusal, None
        if refusal is None or self.note is None or not remember_refusal(self._endpoint, self._path, refusal):
            return
        text = (
            f"{self._endpoint.name} on {self._endpoint.surface}: {self.note.message} Later requests of this process "
            "are changed in the same way. With `strict=True`, the server's error is raised instead."
        )
        warnings.warn(text, GeminiCompatWarning, stacklevel=3)

    def add_context(self, error: GeminiCompatError) -> None:
        """Add to the text of `error` that the failed request had been changed."""
        if self._refusal is None or self.note is None:
            return
        self._refusal = None
        text = f"{error} This is the error of a second request, in which a part was changed: {self.note.message}"
        error.args = (text, *error.args[1:])
        # openai's errors keep the text in `message`, too.
        vars(error).update({"message": text} if "message" in vars(error) else {})
