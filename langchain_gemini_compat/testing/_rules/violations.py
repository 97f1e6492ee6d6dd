"""One broken rule, as an object. Its one rule: `message` is what the server says, `hint` is ours."""

from __future__ import annotations

from dataclasses import dataclass

from langchain_gemini_compat.testing._model.json_values import JsonObject

#: What Google says when it says nothing: the whole text of many a 400.
INVALID_ARGUMENT = "Request contains an invalid argument."


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a request broke.

    `rule` names it, `message` is the text of the answer, in Google's words where a capture or page has them, and
    `hint` tells in ours what to change. `code` is the HTTP status, `status` Google's word for it.
    """

    rule: str
    message: str
    hint: str = ""
    code: int = 400
    status: str = "INVALID_ARGUMENT"
    details: tuple[JsonObject, ...] = ()


def unknown_field(name: str, path: str, hint: str) -> Violation:
    """What the strict JSON parser of AI Studio says to a key it does not know.

    Sources: https://github.com/MinLL/SkyrimNet-GamePlugin/issues/77,
    https://github.com/Alishahryar1/free-claude-code/issues/542
    """
    place = f" at '{path}'" if path else ""
    message = f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.'
    detail: JsonObject = {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": path, "description": message} if path else {"description": message}],
    }
    return Violation("unknown-field", message, hint, details=(detail,))
