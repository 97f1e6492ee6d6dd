"""What was changed between what the caller gave and what goes out; `preview()` lists it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

NoteKind: TypeAlias = Literal[
    "dropped", "adjusted", "repaired", "lossy_schema", "stand_in", "tight_limit", "tool_result", "unsent"
]


@dataclass(frozen=True, slots=True)
class Note:
    """One change. `dropped` and `adjusted` are about parameters, `repaired` about messages,
    `lossy_schema` about tools and response schemas, `stand_in` about thought signatures, `tool_result` about what a
    tool returned and this surface has no form for, which no `strict` turns into an error, as it does
    not turn `unsent`, the name of an assistant message; `tight_limit` changes
    nothing and warns of a `max_tokens` that thinking may use up. `index` is the place, from 0, of the caller's
    message that it is about, where it is about one.
    """

    kind: NoteKind
    message: str
    index: int | None = None
