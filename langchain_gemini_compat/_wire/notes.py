"""What was changed between what the caller gave and what goes out; `preview()` lists it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

NoteKind: TypeAlias = Literal[
    "dropped", "adjusted", "repaired", "lossy_schema", "stand_in", "tight_limit", "tool_result", "unsent"
]


@dataclass(frozen=True, slots=True)
class Note:
    """One change of a request.

    `dropped` and `adjusted` are about parameters, `repaired` about messages, `lossy_schema` about tools and response
    schemas, `stand_in` about thought signatures. `tool_result` is about a tool's result that this surface has no form
    for, and `unsent` about the name of an assistant message; `strict` turns neither into an error. `tight_limit`
    changes nothing: it warns of a `max_tokens` that thinking may use up. `index` is the index, from 0, of the caller's
    message that the note is about, if there is one.
    """

    kind: NoteKind
    message: str
    index: int | None = None
