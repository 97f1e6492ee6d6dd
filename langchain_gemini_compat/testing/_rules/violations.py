"""The value that describes a broken rule."""

from __future__ import annotations

from dataclasses import dataclass

from langchain_gemini_compat.testing._model.json_values import JsonObject
from langchain_gemini_compat.testing._rules.sources import SOURCES

#: Google's text for a 400 that does not say what is invalid.
INVALID_ARGUMENT = "Request contains an invalid argument."


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a request broke. `FakeGemini.refusals` lists all violations.

    Attributes:
        rule: The name of the rule, such as `signature-missing`.
        message: The text of the answer: Google's own text if a capture or a page has it.
        hint: What to change, in our words. The answer does not contain the hint.
        code: The HTTP status of the answer.
        status: Google's name of the status.
        details: The `details` of the error.

    Examples:
        >>> from langchain_gemini_compat.testing import FakeGemini
        >>> fake = FakeGemini()
        >>> fake.respond("POST", "/v1beta/openai/chat/completions", {"Authorization": "Bearer x"}, b'{"n": 9}').status
        404
        >>> fake.refusals[0].rule, fake.refusals[0].sources[0]
        ('model-name', 'a public capture of 2026 without a lasting address')
    """

    rule: str
    message: str
    hint: str = ""
    code: int = 400
    status: str = "INVALID_ARGUMENT"
    details: tuple[JsonObject, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Pages, reports and captures that show the rule."""
        return SOURCES.get(self.rule, ())


def unknown_field(name: str, path: str, hint: str) -> Violation:
    """Return the refusal that AI Studio gives for an unknown key.

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
