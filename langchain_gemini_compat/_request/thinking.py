"""The thinking knobs to the one form that surface and model take.

Its one rule: the nearest setting that the model has, never a 400, and one note where that is another than was asked
for. What is no setting at all is an error before anything is sent. Models that are no Gemini get what was given.
Sources: Google's OpenAI-compatibility pages (with an effort Vertex returns no thoughts, and takes only one of
effort and `thinking_config`), https://ai.google.dev/gemini-api/docs/thinking, and refusals of `minimal` and `none`
in public issues.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._wire.json_types import object_at
from langchain_gemini_compat._wire.notes import Note
from langchain_gemini_compat.errors import UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._request.options import Options
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Vertex returns thoughts untagged unless it is given a marker; this one is what AI Studio uses by itself.
VERTEX_MARKER = "thought"
#: Token budgets that Google gives for OpenAI's words on models that count (Google's compatibility page).
EFFORT_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
#: What a model thinks that chooses for itself: "up to 8,192 tokens" (Google's page on thinking).
_DYNAMIC_BUDGET = 8192
#: OpenAI's words, least first.
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
#: The names under which a caller may say how much to think.
THINKING_OPTIONS = ("reasoning_effort", "thinking_level", "thinking_budget")


@dataclass(slots=True)
class ThinkingFields:
    """Keys for the body, and keys for `extra_body.google`."""

    body: JsonObject = field(default_factory=dict)
    google: JsonObject = field(default_factory=dict)
    #: Tokens of thinking that an answer has to reckon with; 0 where there are few, or nothing is known.
    likely_tokens: int = 0


def encode_thinking(options: Options, endpoint: Endpoint, family: ModelFamily, notes: list[Note]) -> ThinkingFields:
    """The knobs in `options` for this model.

    Raises `UnsupportedParameterError` where two of them contradict each other, and for Gemini where one is no word,
    no number of tokens from -1 on, or no truth value.
    """
    asked = _read_asked(options)
    knobs = [name for name in THINKING_OPTIONS if name in asked]
    if len(knobs) > 1:
        raise UnsupportedParameterError(f"`{knobs[0]}` and `{knobs[1]}` say the same thing twice: give one.")
    extra = object_at(options.extra_body or {}, "google")
    twice = object_at(extra, "thinking_config").keys() & {"thinking_level", "thinking_budget"}
    if knobs and twice:
        where = f"`extra_body.google.thinking_config.{min(twice)}`"
        raise UnsupportedParameterError(f"`{knobs[0]}` and {where} say the same thing twice: give one.")
    fields = ThinkingFields()
    if not endpoint.speaks_gemini or not family.is_gemini:
        _add_as_given(asked, endpoint, fields, notes)
    else:
        checked = _check(asked)
        if family.thinking == "none":
            notes.extend(_drop(name, f"{family.name} does not think") for name in _knobs_for_thinking(checked))
        else:
            _Fitter(endpoint, family, notes).fit(checked, fields)
    _add_marker(options, endpoint, family, fields)
    return fields


def _read_asked(options: Options) -> dict[str, object]:
    """Return the thinking options that are set, with the values of enum members."""
    given = {
        "reasoning_effort": options.reasoning_effort,
        "thinking_level": options.thinking_level,
        "thinking_budget": options.thinking_budget,
        "include_thoughts": options.include_thoughts,
    }
    plain = {name: value.value if isinstance(value, Enum) else value for name, value in given.items()}
    return {name: value for name, value in plain.items() if given[name] is not None}


def warn_of_tight_limit(max_tokens: object, fields: ThinkingFields, family: ModelFamily) -> str | None:
    """What to say where thinking may use up `max_tokens`, and the cure; `None` where there is room.

    Thinking is spent from `max_tokens` on both surfaces. Reports of answers that were empty or cut off:
    https://github.com/googleapis/python-genai/issues/811 (256 tokens), issue 2062 there (1,024),
    https://github.com/vectorize-io/hindsight/issues/3365 (1,500),
    https://github.com/langchain-ai/langchain-google/issues/1020 (3,072),
    https://github.com/llmsresearch/paperbanana/issues/54 (4,096). Each lies within half of what Google allots to
    the level, so that half is what we reckon with; a budget that was given counts in full.
    """
    likely = fields.likely_tokens
    if not isinstance(max_tokens, int) or not likely or max_tokens > likely:
        return None
    least = "none" if family.may_stop_thinking else family.levels[0]
    cure = f', or think less (`reasoning_effort="{least}"`)' if _reckon(least, family) < likely else ""
    return (
        f"`max_tokens` {max_tokens} may leave no answer: thinking is spent from it, and {family.name} may well think "
        f"for {likely} tokens here. Raise `max_tokens` or leave it out{cure}."
    )


def _reckon(word: str | None, family: ModelFamily) -> int:
    """Half of what Google allots; `minimal` is next to nothing on models with levels."""
    if word is None or (word == "minimal" and family.thinking == "level"):
        return 0
    return EFFORT_BUDGETS.get(word, _DYNAMIC_BUDGET) // 2


def _check(asked: Mapping[str, object]) -> dict[str, str | int | bool]:
    """The knobs in their own types, words in small letters."""
    return {name: _CHECKS[name](name, value) for name, value in asked.items()}


def _check_word(name: str, value: object) -> str:
    if not isinstance(value, str) or value.lower() not in _EFFORTS:
        raise UnsupportedParameterError(f"`{name}` is one of {', '.join(_EFFORTS)}, not {value!r}.")
    return value.lower()


def _check_budget(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < -1:
        raise UnsupportedParameterError(
            f"`{name}` is a number of tokens, 0 for no thinking or -1 for the model's own choice, not {value!r}."
        )
    return value


def _check_flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UnsupportedParameterError(f"`{name}` is `True` or `False`, not {value!r}.")
    return value


_CHECKS: Mapping[str, Callable[[str, object], str | int | bool]] = {
    "reasoning_effort": _check_word,
    "thinking_level": _check_word,
    "thinking_budget": _check_budget,
    "include_thoughts": _check_flag,
}


def _knobs_for_thinking(asked: Mapping[str, object]) -> list[str]:
    return [name for name, value in asked.items() if value not in ("none", 0, False)]


def _add_as_given(asked: Mapping[str, object], endpoint: Endpoint, fields: ThinkingFields, notes: list[Note]) -> None:
    config = {name: cast("JsonValue", value) for name, value in asked.items() if name != "reasoning_effort"}
    if "reasoning_effort" in asked:
        fields.body["reasoning_effort"] = cast("JsonValue", asked["reasoning_effort"])
        if not endpoint.takes_thinking_config_beside_effort and config.pop("include_thoughts", None):
            notes.append(_drop("include_thoughts", "beside an effort Vertex takes no `thinking_config`"))
    if config:
        fields.google["thinking_config"] = config


def _add_marker(options: Options, endpoint: Endpoint, family: ModelFamily, fields: ThinkingFields) -> None:
    marker = options.thought_tag_marker
    config = fields.google.get("thinking_config")
    wants_thoughts = isinstance(config, dict) and bool(config.get("include_thoughts"))
    if marker is None and wants_thoughts and endpoint.needs_thought_marker and family.is_gemini:
        marker = VERTEX_MARKER
    if marker is not None:
        fields.google["thought_tag_marker"] = marker


def _drop(name: str, why: str) -> Note:
    return Note("dropped", f"`{name}` was left out: {why}.")


@dataclass(slots=True)
class _Fitter:
    endpoint: Endpoint
    family: ModelFamily
    notes: list[Note]

    def fit(self, asked: Mapping[str, str | int | bool], fields: ThinkingFields) -> None:
        thoughts = cast("bool | None", asked.get("include_thoughts"))
        config: JsonObject = {}
        fields.likely_tokens = _reckon(self.family.default_thinking, self.family)
        if "reasoning_effort" in asked:
            effort = self._fit_effort(str(asked["reasoning_effort"]))
            fields.likely_tokens = _reckon(effort, self.family)
            if thoughts or not self.endpoint.takes_effort(effort):
                config = self._as_config(effort)
            else:
                # Beside an effort Vertex takes no `thinking_config`; no thoughts is what it does anyway.
                fields.body["reasoning_effort"], thoughts = effort, None
        elif "thinking_level" in asked:
            level = str(asked["thinking_level"])
            config, fields.likely_tokens = self._fit_level(level), _reckon(self._nearest(level), self.family)
        elif "thinking_budget" in asked:
            config = self._fit_budget(cast("int", asked["thinking_budget"]), fields)
        if thoughts and config.get("thinking_budget") == 0:
            self.notes.append(_drop("include_thoughts", "thinking is off"))
        elif thoughts is not None:
            config["include_thoughts"] = thoughts
        if config:
            fields.google["thinking_config"] = config

    def _fit_effort(self, word: str) -> str:
        nearest = self._nearest(word)
        if nearest != word:
            self._adjusted(f"`reasoning_effort` {word!r} became {nearest!r}: {self._name_words()}.")
        return nearest

    def _fit_level(self, word: str) -> JsonObject:
        nearest = self._nearest(word)
        config = self._as_config(nearest)
        if "thinking_budget" in config:
            budget = config["thinking_budget"]
            self._adjusted(
                f"`thinking_level` {word!r} became a thinking budget of {budget}: {self.family.name} counts tokens."
            )
        elif nearest != word:
            self._adjusted(f"`thinking_level` {word!r} became {nearest!r}: {self._name_words()}.")
        return config

    def _fit_budget(self, budget: int, fields: ThinkingFields) -> JsonObject:
        """-1 lets the model choose, 0 stops thinking where that is possible."""
        if budget == -1:
            # What a model with levels does unasked.
            return {"thinking_budget": -1} if self.family.budgets else {}
        if self.family.budgets is None or (budget == 0 and self.family.thinking == "level"):
            level = self._nearest(_word_for(budget))
            fields.likely_tokens = _reckon(level, self.family)
            self._adjusted(f"`thinking_budget` {budget} became the level {level!r}: {self._name_words()}.")
            return {"thinking_level": level}
        least, most = self.family.budgets
        may_be_0 = budget == 0 and self.family.may_stop_thinking
        fitted = 0 if may_be_0 else min(max(budget, least), most)
        if fitted != budget:
            self._adjusted(f"`thinking_budget` {budget} became {fitted}: {self.family.name} takes {least} to {most}.")
        fields.likely_tokens = fitted
        return {"thinking_budget": fitted}

    def _nearest(self, word: str) -> str:
        """The word itself, or the nearest below it that the model has, or the least it has."""
        words = self._words()
        rank = _EFFORTS.index(word)
        return next((level for level in reversed(words) if _EFFORTS.index(level) <= rank), words[0])

    def _words(self) -> tuple[str, ...]:
        return ("none", *self.family.levels) if self.family.may_stop_thinking else self.family.levels

    def _name_words(self) -> str:
        return f"{self.family.name} has {', '.join(self._words())}"

    def _as_config(self, word: str) -> JsonObject:
        if self.family.thinking == "budget":
            return {"thinking_budget": EFFORT_BUDGETS[word]}
        return {"thinking_level": word}

    def _adjusted(self, message: str) -> None:
        self.notes.append(Note("adjusted", message))


def _word_for(budget: int) -> str:
    """The least of Google's words that allots as much.

    >>> [_word_for(budget) for budget in (0, 1, 1024, 1025, 8192, 8193)]
    ['none', 'low', 'low', 'medium', 'medium', 'high']
    """
    words = ("none", "low", "medium")
    return next((word for word in words if budget <= EFFORT_BUDGETS[word]), "high")
