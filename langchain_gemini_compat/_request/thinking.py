"""Converts the thinking options to the fields that the surface and the model accept.

A valid setting that the model does not accept is replaced by the nearest one that it accepts, with a note. The server
would answer 400 to the original setting. An invalid setting raises an error before the request is sent. Models other
than Gemini get the options unchanged.

Sources:

- Google's OpenAI-compatibility pages: Vertex accepts a `reasoning_effort` or a `thinking_config`, but not both. With a
  `reasoning_effort`, Vertex returns no thoughts.
- https://ai.google.dev/gemini-api/docs/thinking
- Public issues in which servers refuse `minimal` and `none`.

`_catalog.surfaces` lists what each surface accepts, with the sources.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._wire.json_types import object_at
from langchain_gemini_compat._wire.notes import Note
from langchain_gemini_compat.errors import UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._request.options import Options
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: The tag name that a request sets on Vertex, which otherwise writes no tags around thoughts. On AI Studio, the tags
#: have this name by default.
VERTEX_MARKER = "thought"
#: Maps OpenAI's efforts to token budgets, for models with thinking budgets (Google's compatibility page).
EFFORT_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
#: Assumed budget if the model chooses the budget itself: Google's page on thinking says "up to 8,192 tokens".
_DYNAMIC_BUDGET = 8192
#: OpenAI's efforts in increasing order.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
#: The options that set the amount of thinking. A request may set at most one of these options.
THINKING_OPTIONS = ("reasoning_effort", "thinking_level", "thinking_budget")


@dataclass(frozen=True, slots=True)
class ThinkingFields:
    """The thinking fields of a request: those at the root of the body, and those of `extra_body.google`."""

    body: JsonObject = field(default_factory=dict)
    google: JsonObject = field(default_factory=dict)
    #: Expected number of tokens for thinking; 0 if the number is small or unknown.
    likely_tokens: int = 0


def encode_thinking(options: Options, endpoint: Endpoint, family: ModelFamily, notes: list[Note]) -> ThinkingFields:
    """Return the fields for the thinking options on this model.

    Raises:
        UnsupportedParameterError: Two options set the amount of thinking, or an option is invalid for Gemini.
    """
    asked = _read_asked(options)
    given = [name for name in THINKING_OPTIONS if name in asked]
    if len(given) > 1:
        raise UnsupportedParameterError(f"`{given[0]}` and `{given[1]}` set the same thing. Set only one of them.")
    extra = object_at(options.extra_body or {}, "google")
    twice = object_at(extra, "thinking_config").keys() & {"thinking_level", "thinking_budget"}
    if given and twice:
        where = f"`extra_body.google.thinking_config.{min(twice)}`"
        raise UnsupportedParameterError(f"`{given[0]}` and {where} set the same thing. Set only one of them.")
    fields = _encode(asked, endpoint, family, notes)
    marker = _marker_for(options, endpoint, family, fields)
    return fields if marker is None else replace(fields, google={**fields.google, "thought_tag_marker": marker})


def _encode(asked: Mapping[str, object], endpoint: Endpoint, family: ModelFamily, notes: list[Note]) -> ThinkingFields:
    """Return all thinking fields except `thought_tag_marker`."""
    if not endpoint.speaks_gemini or not family.is_gemini:
        return _encode_as_given(_drop_refused_effort(asked, endpoint, family, notes), endpoint, notes)
    checked = _check(asked)
    if family.thinking != "none":
        return _Fitter(endpoint, family, notes).fit(checked)
    names = [name for name, value in checked.items() if value not in ("none", 0, False)]
    notes.extend(_drop(name, f"{family.name} does not think") for name in names)
    return ThinkingFields()


def _read_asked(options: Options) -> dict[str, object]:
    """Return the thinking options that are set. Enum members are replaced by their values."""
    given = {
        "reasoning_effort": options.reasoning_effort,
        "thinking_level": options.thinking_level,
        "thinking_budget": options.thinking_budget,
        "include_thoughts": options.include_thoughts,
    }
    plain = {name: value.value if isinstance(value, Enum) else value for name, value in given.items()}
    return {name: value for name, value in plain.items() if given[name] is not None}


def warn_of_tight_limit(max_tokens: object, fields: ThinkingFields, family: ModelFamily) -> str | None:
    """Return a warning with a remedy if thinking may use up `max_tokens`; else `None`.

    Thinking counts toward `max_tokens` on AI Studio and on Vertex AI. These issues report answers that were empty or
    cut off. The number in parentheses is the `max_tokens` of the request:
    https://github.com/googleapis/python-genai/issues/811 (256 tokens),
    https://github.com/googleapis/python-genai/issues/2062 (1,024),
    https://github.com/vectorize-io/hindsight/issues/3365 (1,500),
    https://github.com/langchain-ai/langchain-google/issues/1020 (3,072),
    https://github.com/llmsresearch/paperbanana/issues/54 (4,096). In each report, `max_tokens` is at most half of
    the token budget that Google documents for the thinking level. So thinking is assumed to use half of that budget.
    If the caller sets a budget, thinking is assumed to use all of it.
    """
    likely = fields.likely_tokens
    if not isinstance(max_tokens, int) or not likely or max_tokens > likely:
        return None
    least = "none" if family.may_stop_thinking else family.levels[0]
    cure = f', or think less (`reasoning_effort="{least}"`)' if _likely_tokens(least, family) < likely else ""
    return (
        f"`max_tokens` {max_tokens} may leave no room for an answer: thinking counts toward it, and {family.name} is "
        f"likely to think for {likely} tokens. Increase `max_tokens` or leave it out{cure}."
    )


def _likely_tokens(word: str | None, family: ModelFamily) -> int:
    """Return the expected number of thinking tokens for the effort `word`.

    It is half of the token budget that Google documents for the effort. For `minimal`, it is 0 on models with thinking
    levels, which then think very little.
    """
    if word is None or (word == "minimal" and family.thinking == "level"):
        return 0
    # No source gives a budget for `xhigh`. The budget of `high` is used, because `xhigh` allows at least as much
    # thinking as `high`.
    return EFFORT_BUDGETS.get("high" if word == "xhigh" else word, _DYNAMIC_BUDGET) // 2


def _check(asked: Mapping[str, object]) -> dict[str, str | int | bool]:
    """Return the validated options, with efforts and levels in lowercase."""
    return {name: _CHECKS[name](name, value) for name, value in asked.items()}


def _check_effort(name: str, value: object) -> str:
    if not isinstance(value, str) or value.lower() not in EFFORTS:
        raise UnsupportedParameterError(f"`{name}` is {value!r}. Set it to one of {', '.join(EFFORTS)}.")
    return value.lower()


def _check_budget(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < -1:
        raise UnsupportedParameterError(
            f"`{name}` is {value!r}. Set it to a number of tokens, 0 for no thinking, or -1 to let the model choose."
        )
    return value


def _check_flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UnsupportedParameterError(f"`{name}` is {value!r}. Set it to `True` or `False`.")
    return value


_CHECKS: Mapping[str, Callable[[str, object], str | int | bool]] = {
    "reasoning_effort": _check_effort,
    "thinking_level": _check_effort,
    "thinking_budget": _check_budget,
    "include_thoughts": _check_flag,
}


def _drop_refused_effort(
    asked: Mapping[str, object], endpoint: Endpoint, family: ModelFamily, notes: list[Note]
) -> Mapping[str, object]:
    """Return the options. If the endpoint refuses efforts for this model, leave out `reasoning_effort`."""
    if "reasoning_effort" not in asked or endpoint.takes_efforts(family):
        return asked
    notes.append(_drop("reasoning_effort", f"{endpoint.surface} refuses it for {endpoint.model}"))
    return {name: value for name, value in asked.items() if name != "reasoning_effort"}


def _encode_as_given(asked: Mapping[str, object], endpoint: Endpoint, notes: list[Note]) -> ThinkingFields:
    config = {name: cast("JsonValue", value) for name, value in asked.items() if name != "reasoning_effort"}
    body: JsonObject = {}
    if "reasoning_effort" in asked:
        body["reasoning_effort"] = cast("JsonValue", asked["reasoning_effort"])
        if not endpoint.takes_thinking_config_beside_effort and config.pop("include_thoughts", None):
            notes.append(_drop("include_thoughts", "Vertex does not accept it together with `reasoning_effort`"))
    return ThinkingFields(body, {"thinking_config": config} if config else {})


def _marker_for(options: Options, endpoint: Endpoint, family: ModelFamily, fields: ThinkingFields) -> JsonValue:
    config = fields.google.get("thinking_config")
    wants_thoughts = isinstance(config, dict) and bool(config.get("include_thoughts"))
    needs_marker = wants_thoughts and endpoint.needs_thought_marker and family.is_gemini
    return VERTEX_MARKER if options.thought_tag_marker is None and needs_marker else options.thought_tag_marker


def _drop(name: str, why: str) -> Note:
    return Note("dropped", f"`{name}` was left out: {why}.")


@dataclass(slots=True)
class _Fitter:
    """Adjusts valid thinking options to what a Gemini model accepts, and adds a note for each adjustment."""

    endpoint: Endpoint
    family: ModelFamily
    notes: list[Note]

    def fit(self, asked: Mapping[str, str | int | bool]) -> ThinkingFields:
        """Return the thinking fields of the request for the thinking options in `asked`."""
        thoughts = cast("bool | None", asked.get("include_thoughts"))
        body: JsonObject = {}
        config: JsonObject = {}
        likely = _likely_tokens(self.family.default_thinking, self.family)
        if "reasoning_effort" in asked:
            effort = self._fit_effort(str(asked["reasoning_effort"]))
            likely = _likely_tokens(effort, self.family)
            if thoughts or not self.endpoint.takes_effort(effort, self.family):
                config = self._as_config(effort)
            else:
                # Vertex refuses a `thinking_config` beside an effort. Without a `thinking_config`, Vertex returns no
                # thoughts.
                body["reasoning_effort"], thoughts = effort, None
        elif "thinking_level" in asked:
            level = str(asked["thinking_level"])
            config, likely = self._fit_level(level), _likely_tokens(self._nearest(level), self.family)
        elif "thinking_budget" in asked:
            config, fitted = self._fit_budget(cast("int", asked["thinking_budget"]))
            likely = likely if fitted is None else fitted
        if thoughts and config.get("thinking_budget") == 0:
            self.notes.append(_drop("include_thoughts", "thinking is off"))
        elif thoughts is not None:
            config["include_thoughts"] = thoughts
        return ThinkingFields(body, {"thinking_config": config} if config else {}, likely)

    def _fit_effort(self, word: str) -> str:
        nearest = self._nearest(word)
        if nearest != word:
            self._note_adjusted(f"`reasoning_effort` {word!r} became {nearest!r}: {self._describe_levels()}.")
        return nearest

    def _fit_level(self, word: str) -> JsonObject:
        nearest = self._nearest(word)
        config = self._as_config(nearest)
        if "thinking_budget" in config:
            why = "has budgets instead of levels" if self.family.thinking == "budget" else "has no such level"
            self._note_adjusted(
                f"`thinking_level` {word!r} became a thinking budget of {config['thinking_budget']}: "
                f"{self.family.name} {why}."
            )
        elif nearest != word:
            self._note_adjusted(f"`thinking_level` {word!r} became {nearest!r}: {self._describe_levels()}.")
        return config

    def _fit_budget(self, budget: int) -> tuple[JsonObject, int | None]:
        """Return the `thinking_config` for a budget, and the number of tokens that thinking is expected to use.

        The number is `None` for a budget of -1, with which the model chooses the amount of thinking. A budget of 0
        disables thinking on models that allow it.
        """
        if budget == -1:
            # For a model without thinking budgets, the field is left out. The model then chooses the amount itself.
            return ({"thinking_budget": -1} if self.family.budgets else {}), None
        if budget == 0 and self._may_stop:
            return {"thinking_budget": 0}, 0
        if self.family.budgets is None or (budget == 0 and self.family.thinking == "level"):
            level = self._nearest(_effort_for(budget))
            self._note_adjusted(f"`thinking_budget` {budget} became the level {level!r}: {self._describe_levels()}.")
            return {"thinking_level": level}, _likely_tokens(level, self.family)
        least, most = self.family.budgets
        fitted = min(max(budget, least), most)
        if fitted != budget:
            self._note_adjusted(
                f"`thinking_budget` {budget} became {fitted}: {self.family.name} accepts {least} to {most}."
            )
        return {"thinking_budget": fitted}, fitted

    def _nearest(self, word: str) -> str:
        """Return the model's highest level that is not above `word`; its lowest level if all levels are above `word`.

        `none` stays `none` if the model allows switching thinking off.
        """
        if word == "none" and self._may_stop:
            return word
        return nearest_effort(word, self.family.levels)

    def _describe_levels(self) -> str:
        levels = ("none", *self.family.levels) if self._may_stop else self.family.levels
        return f"{self.family.name} accepts {', '.join(levels)}"

    @property
    def _may_stop(self) -> bool:
        return self.endpoint.may_stop_thinking(self.family)

    def _as_config(self, word: str) -> JsonObject:
        if self.family.thinking == "budget" or word == "none":
            return {"thinking_budget": EFFORT_BUDGETS[word]}
        return {"thinking_level": word}

    def _note_adjusted(self, message: str) -> None:
        self.notes.append(Note("adjusted", message))


def nearest_effort(word: str, levels: Sequence[str]) -> str:
    """Return the highest level that is not above the effort `word`; the lowest level if all levels are above `word`.

    `levels` must be in increasing order.

    >>> nearest_effort("xhigh", ("low", "high")), nearest_effort("none", ("low", "high"))
    ('high', 'low')
    """
    rank = EFFORTS.index(word)
    return next((level for level in reversed(levels) if EFFORTS.index(level) <= rank), levels[0])


def _effort_for(budget: int) -> str:
    """Return the lowest effort whose budget is at least `budget`; `high` if there is no such effort.

    >>> [_effort_for(budget) for budget in (0, 1, 1024, 1025, 8192, 8193)]
    ['none', 'low', 'low', 'medium', 'medium', 'high']
    """
    words = ("none", "low", "medium")
    return next((word for word in words if budget <= EFFORT_BUDGETS[word]), "high")
