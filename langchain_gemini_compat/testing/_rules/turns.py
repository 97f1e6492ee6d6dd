"""`messages` to numbered turns, as the server counts contents. Its one rule: system messages are no contents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from langchain_gemini_compat.testing._model.json_values import as_objects, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat.testing._model.json_values import JsonObject

SYSTEM_ROLES = ("system", "developer")
RESULT_ROLES = ("tool", "function")


@dataclass(frozen=True, slots=True)
class Turn:
    """One message that is a content: its place in `messages` (from 0) and its content's number (from 1).

    The results of one step are one content and share a number.
    """

    index: int
    position: int
    kind: Literal["user", "call", "model", "result"]
    message: JsonObject

    @property
    def calls(self) -> list[JsonObject]:
        """The tool calls of an assistant's turn."""
        return as_objects(self.message.get("tool_calls"))


def number_turns(messages: Sequence[JsonObject]) -> list[Turn]:
    """The turns of `messages`, in order."""
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        role = as_text(message.get("role"))
        if role in SYSTEM_ROLES:
            continue
        kind = _kind(role, message)
        shares = kind == "result" and bool(turns) and turns[-1].kind == "result"
        position = (turns[-1].position if turns else 0) + (0 if shares else 1)
        turns.append(Turn(index, position, kind, message))
    return turns


def current_turn(turns: Sequence[Turn]) -> Iterator[Turn]:
    """Those after the newest user message: the only ones whose signatures the server looks at.

    Source: https://ai.google.dev/gemini-api/docs/thought-signatures
    """
    newest = max((number for number, turn in enumerate(turns) if turn.kind == "user"), default=-1)
    yield from turns[newest + 1 :]


def _kind(role: str, message: JsonObject) -> Literal["user", "call", "model", "result"]:
    if role in RESULT_ROLES:
        return "result"
    if role != "assistant":
        return "user"
    return "call" if as_objects(message.get("tool_calls")) else "model"
