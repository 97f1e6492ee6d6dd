"""What was changed between what the caller gave and what goes out; `preview()` lists it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

NoteKind: TypeAlias = Literal["dropped", "adjusted", "repaired", "lossy_schema", "stand_in"]


@dataclass(frozen=True, slots=True)
class Note:
    """One change. `dropped` and `adjusted` are about parameters, `repaired` about messages,
    `lossy_schema` about tools and response schemas, `stand_in` about thought signatures.
    """

    kind: NoteKind
    message: str
