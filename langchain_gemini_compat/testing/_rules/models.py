"""Model names to what the server demands of a request for them, in one small table of the fake's own.

Its one rule: nothing here is shared with the code under test, so that a wrong fact there is caught here.
Sources: https://ai.google.dev/gemini-api/docs/thought-signatures, https://ai.google.dev/gemini-api/docs/thinking,
Google's model cards as of autumn 2026, and public reports of 400s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_ALL_LEVELS = frozenset({"minimal", "low", "medium", "high"})
_NO_MINIMAL = frozenset({"low", "medium", "high"})
#: Longest name first where one starts with another.
_LEVELS = (
    ("gemini-3.8-flash", _NO_MINIMAL),
    ("gemini-3.7-flash", _NO_MINIMAL),
    ("gemini-3.1-pro", _NO_MINIMAL),
    ("gemini-3-pro", frozenset({"low", "high"})),
)
#: Smallest and largest thinking budget in tokens, and whether 0 switches thinking off.
_BUDGETS = (
    ("gemini-2.5-pro", (128, 32768, False)),
    ("gemini-2.5-flash-lite", (512, 24576, True)),
    ("gemini-2.5-flash", (0, 24576, True)),
)
_NO_TEXT_BESIDE_CALLS = ("gemini-3.6-flash", "gemini-3.5-flash-lite")


@dataclass(frozen=True, slots=True)
class ModelRules:
    """What a model takes; `budget` is `None` where token budgets have no stated range."""

    is_gemini: bool
    demands_signatures: bool
    takes_levels: bool
    levels: frozenset[str]
    budget: tuple[int, int, bool] | None
    text_beside_calls: bool
    penalties: bool

    def takes_effort(self, effort: str) -> bool:
        """Whether `reasoning_effort` may be this word; `none` works where a budget of 0 does."""
        if effort == "none":
            return self.budget is not None and self.budget[2]
        return effort in self.levels


def bare_name(model: str) -> str:
    """`model` without what stands before its last slash.

    >>> bare_name("google/gemini-3.8-flash")
    'gemini-3.8-flash'
    """
    return model.rpartition("/")[2].lower()


def rules_for(model: str) -> ModelRules:
    """What `model` demands; an alias such as `gemini-flash-latest` follows the newest generation.

    >>> rules_for("gemini-flash-latest").demands_signatures, rules_for("gemini-2.5-pro").demands_signatures
    (True, False)
    """
    bare = bare_name(model)
    is_gemini = bare.startswith("gemini")
    version = _VERSION.match(bare)
    modern = is_gemini and (version is None or int(version.group(1)) >= 3)
    return ModelRules(
        is_gemini=is_gemini,
        demands_signatures=modern,
        takes_levels=modern or not is_gemini,
        levels=next((levels for name, levels in _LEVELS if bare.startswith(name)), _ALL_LEVELS),
        budget=next((budget for name, budget in _BUDGETS if bare.startswith(name)), None),
        text_beside_calls=not bare.startswith(_NO_TEXT_BESIDE_CALLS),
        penalties=not bare.startswith("gemini-3.5-flash-lite"),
    )
