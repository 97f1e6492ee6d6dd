"""The shared state of the message encoders: the endpoint, the notes and the tool calls so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_gemini_compat._wire.notes import Note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._request.tool_names import ToolNames
    from langchain_gemini_compat._wire.notes import NoteKind


@dataclass(frozen=True, slots=True)
class SentCall:
    """A tool call that is sent, with its wire id and the caller's name of the tool."""

    wire_id: str
    name: str


class CallHistory:
    """The tool calls of all messages encoded so far, by the caller's ids.

    Several calls may share an id, within a message and across messages.
    """

    def __init__(self) -> None:
        self._open: dict[str, list[SentCall]] = {}
        self._wire_ids: set[str] = set()
        self._left_out: set[str] = set()
        self._count = 0

    def number_call(self) -> int:
        """Count a new call, and return the number of calls before it."""
        self._count += 1
        return self._count - 1

    def add(self, calls: Mapping[str, Sequence[SentCall]]) -> None:
        """Add the calls of one message. They replace earlier calls with the same ids."""
        for call_id, sent in calls.items():
            self._left_out.discard(call_id)
            self._open[call_id] = [*sent]
            for call in sent:
                self._wire_ids.add(call.wire_id)

    def leave_out(self, call_id: str | None) -> None:
        """Record that a call is not sent, so that its result is not sent either."""
        if call_id:
            self._left_out.add(call_id)
            self._open.pop(call_id, None)

    def is_left_out(self, call_id: str) -> bool:
        """Return whether the newest call with this id is left out of the request."""
        return call_id in self._left_out

    def is_sent(self, wire_id: str) -> bool:
        """Return whether a call with this wire id was sent."""
        return wire_id in self._wire_ids

    def take_call(self, call_id: str) -> SentCall | None:
        """Return the tool call with this id that the next result answers; `None` if no call has the id.

        If several calls have the id, the results answer the calls in order. Further results answer the last call.
        """
        calls = self._open.get(call_id)
        if not calls:
            return None
        return calls.pop(0) if len(calls) > 1 else calls[0]

    def id_of_function(self, name: str) -> str:
        """Return the caller's id of the first call of a function; an empty string if the function was not called."""
        return next((call_id for call_id, calls in self._open.items() if calls[0].name == name), "")


@dataclass(slots=True)
class EncodingContext:
    """The state that the encoders of all messages of a request share.

    It contains their inputs and what they have recorded so far. Only `index` is set anew for each message.
    """

    endpoint: Endpoint
    family: ModelFamily
    names: ToolNames
    notes: list[Note]
    calls: CallHistory = field(default_factory=CallHistory)
    #: The keys of the notes that `note_once` has already added.
    noted: set[str] = field(default_factory=set)
    #: The index of the message that is being encoded, from 0.
    index: int = 0

    def note(self, text: str, kind: NoteKind = "repaired") -> None:
        """Add a note about the message."""
        self.notes.append(Note(kind, text, self.index))

    def note_once(self, key: str, text: str, kind: NoteKind = "repaired") -> None:
        """Add a note about the message, unless the request already has a note with this key."""
        if key not in self.noted:
            self.noted.add(key)
            self.note(text, kind)
