"""Notes about changes of a request, which `preview()` lists."""

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
    """One change of a request.

    The kinds are:

    - `dropped`, `adjusted`: a parameter was left out, or sent with another value.
    - `repaired`: a message was changed.
    - `lossy_schema`: a schema of a tool or response was sent without some of its restrictions.
    - `stand_in`: a placeholder was sent in place of a missing thought signature.
    - `tool_result`: part of a tool result cannot be sent on this surface. `strict` does not make it an error.
    - `unsent`: the name of an assistant message was not sent. `strict` does not make it an error.
    - `tight_limit`: nothing was changed, but thinking may use up `max_tokens`.
    - `header`: a parameter was sent as a header of the request. `strict` does not make it an error.
    - `refused`: the server refused a part of this or an earlier request, so that part was left out or changed.
    - `misspelled`: nothing was changed, but the name of a body key resembles that of an option.
    """

    kind: NoteKind
    message: str
    #: The index, from 0, of the caller's message that the note is about; `None` if the note is not about a message.
    index: int | None = None
