"""The thinking knobs to the one form that surface and model take.

Its one rule: the nearest setting that the model has, never a 400, and a note where that is another than was asked
for. Sources: Google's OpenAI-compatibility pages (with an effort Vertex returns no thoughts, and takes only one of
effort and `thinking_config`), its page on thinking, and refusals of `minimal` and `none` in public issues.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._notes import Note
from langchain_gemini_compat.errors import UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_gemini_compat._families import ModelFamily
    from langchain_gemini_compat._surfaces import Endpoint
    from langchain_gemini_compat._wire import JsonObject, JsonValue

#: Vertex returns thoughts untagged unless it is given a marker; this one is what AI Studio uses by itself.
VERTEX_MARKER = "thought"
#: Token budgets that Google gives for OpenAI's words on models that count (Google's compatibility page).
EFFORT_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
#: OpenAI's words, least first.
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
#: The words that Vertex documents for `reasoning_effort`.
_VERTEX_EFFORTS = ("low", "medium", "high")
_KNOBS = ("reasoning_effort", "thinking_level", "thinking_budget")


@dataclass(slots=True)
class ThinkingFields:
    """Keys for the body, and keys for `extra_body.google`."""

    body: JsonObject = field(default_factory=dict)
    google: JsonObject = field(default_factory=dict)


def encode_thinking(
    options: Mapping[str, object], endpoint: Endpoint, family: ModelFamily, notes: list[Note]
) -> ThinkingFields:
    """The knobs in `options` for this model; raises `UnsupportedParameterError` where two of them contradict."""
    asked = {name: options[name] for name in (*_KNOBS, "include_thoughts") if options.get(name) is not None}
    knobs = [name for name in _KNOBS if name in asked]
    if len(knobs) > 1:
        raise UnsupportedParameterError(f"`{knobs[0]}` and `{knobs[1]}` say the same thing twice: give one.")
    fields = ThinkingFields()
    if not endpoint.speaks_gemini:
        _add_as_given(asked, fields)
    elif family.thinking == "none":
        notes.extend(Note("dropped", f"`{name}` was left out: {family.name} does not think.") for name in asked)
    else:
        _Fitter(endpoint, family, notes).fit(asked, fields)
    marker = cast("JsonValue", options.get("thought_tag_marker"))
    wants_thoughts = bool(asked.get("include_thoughts")) and family.thinking != "none"
    if marker is None and wants_thoughts and endpoint.surface == "vertex" and endpoint.speaks_gemini:
        marker = VERTEX_MARKER
    if marker is not None:
        fields.google["thought_tag_marker"] = marker
    return fields


def _add_as_given(asked: Mapping[str, object], fields: ThinkingFields) -> None:
    config = {name: cast("JsonValue", value) for name, value in asked.items() if name != "reasoning_effort"}
    if "reasoning_effort" in asked:
        fields.body["reasoning_effort"] = cast("JsonValue", asked["reasoning_effort"])
    if config:
        fields.google["thinking_config"] = config


@dataclass(slots=True)
class _Fitter:
    endpoint: Endpoint
    family: ModelFamily
    notes: list[Note]

    def fit(self, asked: Mapping[str, object], fields: ThinkingFields) -> None:
        thoughts = asked.get("include_thoughts")
        config: JsonObject = {}
        if "reasoning_effort" in asked:
            effort = self._fit_word("reasoning_effort", asked["reasoning_effort"])
            if thoughts or (self.endpoint.surface == "vertex" and effort not in _VERTEX_EFFORTS):
                config = self._as_config(effort)
            else:
                # Beside an effort Vertex takes no `thinking_config`; no thoughts is what it does anyway.
                fields.body["reasoning_effort"], thoughts = effort, None
        elif "thinking_level" in asked:
            config = self._as_config(self._fit_word("thinking_level", asked["thinking_level"]))
            if "thinking_budget" in config:
                budget = config["thinking_budget"]
                self._adjusted(f"`thinking_level` became a thinking budget of {budget}: {self.family.name} counts.")
        elif "thinking_budget" in asked:
            config = {"thinking_budget": self._fit_budget(cast("int", asked["thinking_budget"]))}
        if thoughts is not None:
            config["include_thoughts"] = bool(thoughts)
        if config:
            fields.google["thinking_config"] = config

    def _fit_word(self, name: str, given: object) -> str:
        """The word itself, or the nearest below it that the model has, or the least it has."""
        word = str(getattr(given, "value", given)).lower()
        if not self.family.generation:
            return word
        if word not in _EFFORTS:
            raise UnsupportedParameterError(f"`{name}` is one of {', '.join(_EFFORTS)}, not {given!r}.")
        levels = self._words()
        if word in levels:
            return word
        rank = _EFFORTS.index(word)
        fitted = next((level for level in reversed(levels) if _EFFORTS.index(level) < rank), levels[0])
        self._adjusted(f"`{name}` {word!r} became {fitted!r}: {self.family.name} has {', '.join(levels)}.")
        return fitted

    def _words(self) -> tuple[str, ...]:
        may_stop = self.family.thinking == "budget" and self.family.may_stop_thinking
        return ("none", *self.family.levels) if may_stop else self.family.levels

    def _as_config(self, word: str) -> JsonObject:
        if self.family.thinking == "budget":
            return {"thinking_budget": EFFORT_BUDGETS.get(word, EFFORT_BUDGETS["medium"])}
        return {"thinking_level": word}

    def _fit_budget(self, budget: int) -> int:
        """-1 lets the model choose, 0 stops thinking where that is possible."""
        least, most = self.family.budgets
        if budget == -1 or (budget == 0 and self.family.may_stop_thinking) or least <= budget <= most:
            return budget
        fitted = min(max(budget, least), most)
        self._adjusted(f"`thinking_budget` {budget} became {fitted}: {self.family.name} takes {least} to {most}.")
        return fitted

    def _adjusted(self, message: str) -> None:
        self.notes.append(Note("adjusted", message))
