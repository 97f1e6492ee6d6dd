"""Changes a request after the server refused an optional part of it. Each part is changed at most once.

- `try_change` changes the payload after an error. The call then sends the changed payload.
- `confirm` remembers the refusals after the server has answered. Later requests have the changes from the start.

The refusals are also remembered if the changed request fails because of a part that was not changed yet. This error
shows that the server accepted the changes.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from langchain_gemini_compat._lazy import LazyModule
from langchain_gemini_compat._request.known_refusals import (
    CHAT_PATH,
    REFUSING_STATUSES,
    join_tier,
    mark_announced,
    remember_refusal,
    split_tier,
)
from langchain_gemini_compat.errors import GeminiCompatWarning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._errors.base import GeminiCompatError
    from langchain_gemini_compat._request import refusals
    from langchain_gemini_compat._request.refused_parts import Path, Refusal
    from langchain_gemini_compat._transport.retry import Tries
    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat._wire.notes import Note
else:
    # `refusals` is imported at the first error, because its regular expressions are needed only for errors.
    refusals = LazyModule("langchain_gemini_compat._request.refusals")


class Repair:
    """The payload of a call, in which each part is changed at most once.

    Args:
        payload: The body of the request.
        endpoint: The surface, host and model.
        path: The path of the API below the base URL.
        strict: Whether to change nothing, so that the server's error is raised.
        headers: The headers of this request only.
    """

    def __init__(
        self,
        payload: JsonObject,
        endpoint: Endpoint,
        path: str = CHAT_PATH,
        *,
        strict: bool,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.payload, self.headers = payload, headers or {}
        #: Notes that describe the changes so far.
        self.notes: list[Note] = []
        self._endpoint, self._path = endpoint, path
        self._strict = strict
        #: The paths that were changed in the payload, and the refusals that led to these changes.
        self._parts: set[Path] = set()
        self._refusals: list[Refusal] = []

    def try_change(self, error: GeminiCompatError, tries: Tries) -> bool:
        """Remove or adjust the part of the request that `error` refuses. Return whether to send the request again.

        Sending it again counts as a retry.
        """
        if self._strict or getattr(error, "status_code", None) not in REFUSING_STATUSES:
            return False
        whole = join_tier(self.payload, self.headers)
        refusal = refusals.find_refused_parameter(error, whole)
        changed = refusal.apply(whole) if refusal else None
        if refusal is None or changed is None or not self._parts.isdisjoint(refusal.parts):
            return False
        # The error is not about the parts that were already changed. So the server has accepted these changes.
        self._remember()
        if not tries.try_at_once():
            return False
        payload, note = changed
        self.payload, self.headers = split_tier(payload, self.payload, self.headers)
        tries.request_headers = self.headers
        self.notes.append(note)
        self._parts |= refusal.parts
        self._refusals.append(refusal)
        # Warn before the changed request is sent. If the warning is raised as an error, no answer has been paid for
        # yet.
        self._warn(refusal, note)
        return True

    def confirm(self) -> None:
        """Remember the refusals that led to changes. Call this after the server has answered."""
        self._remember()
        self._refusals.clear()

    def add_context(self, error: GeminiCompatError) -> None:
        """Append the changes of the failed request to the text of `error`, if there were any."""
        if not self._refusals:
            return
        self._refusals.clear()
        which = (
            "a second request, in which a part was" if len(self.notes) == 1 else "a later request, in which parts were"
        )
        text = f"{error} This is the error of {which} changed: {' '.join(note.message for note in self.notes)}"
        error.args = (text, *error.args[1:])
        # The errors of openai also have the text in their attribute `message`.
        vars(error).update({"message": text} if "message" in vars(error) else {})

    def _remember(self) -> None:
        for refusal in self._refusals:
            if not refusal.is_conditional:
                remember_refusal(self._endpoint, self._path, refusal)

    def _warn(self, refusal: Refusal, note: Note) -> None:
        """Warn about the change, but only once for the same refusal of the same model."""
        if not mark_announced(self._endpoint, self._path, refusal):
            return
        later = "" if refusal.is_conditional else " Later requests of this process are changed in the same way."
        text = (
            f"{self._endpoint.name} on {self._endpoint.surface}: {note.message}{later} With `strict=True`, the "
            "server's error is raised instead."
        )
        warnings.warn(text, GeminiCompatWarning, stacklevel=4)
