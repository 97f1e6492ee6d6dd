"""Notes about changes of a request. `preview()` returns these notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

NoteKind: TypeAlias = Literal[
    "dropped",
    "adjusted",
    "repaired",
    "lossy_schema",
    "stand_in",
    "tight_limit",
    "tool_result",
    "unsent",
    "misspelled",
    "header",
    "refused",
]


@dataclass(frozen=True, slots=True)
class Note:
    """A change of a request, or a warning about a request that was not changed.

    The values of `kind` are:

    - `dropped`, `adjusted`: a parameter was left out, or sent with another value.
    - `repaired`: a message was changed.
    - `lossy_schema`: a schema of a tool or response was sent without some of its restrictions.
    - `stand_in`: a placeholder was sent in place of a missing thought signature.
    - `tool_result`: part of a tool result cannot be sent on this surface. With `strict`, no error is raised.
    - `unsent`: the name of an assistant message was not sent. With `strict`, no error is raised.
    - `tight_limit`: nothing was changed, but thinking may use up `max_tokens`.
    - `header`: a parameter was sent as a header of the request. With `strict`, no error is raised.
    - `refused`: the server refused a part of this or an earlier request, so the part was left out or changed.
    - `misspelled`: nothing was changed, but the name of a body key resembles the name of an option.
    """

    kind: NoteKind
    message: str
    #: The index of the message in the caller's list, if the note is about a message. The first index is 0.
    index: int | None = None
