"""Number the messages of a request as the server does. System messages are not counted."""

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
    """One message that is not a system message.

    Attributes:
        index: The index of the message in `messages`, from 0.
        position: The number of the message in Google's errors, from 1. Consecutive tool results have the same number.
        kind: The sender: `user`, `call` (the assistant with tool calls), `model` (the assistant without calls) or
            `result` (a tool).
        message: The message as it was sent.
    """

    index: int
    position: int
    kind: Literal["user", "call", "model", "result"]
    message: JsonObject

    @property
    def calls(self) -> list[JsonObject]:
        """The tool calls of the message."""
        return as_objects(self.message.get("tool_calls"))


def number_turns(messages: Sequence[JsonObject]) -> list[Turn]:
    """Return the turns of `messages`, in order."""
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
    """Yield the turns after the newest user message. The server checks no signatures of earlier turns.

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
