"""Facts about model families, in one table; an unknown model gets a permissive row.

Sources: Google's model cards and thinking pages as of autumn 2026, and refusals seen in public issues
(`minimal` on 3.7/3.8 Flash and 3.1 Pro; content beside tool calls on Vertex with 3.6 Flash and 3.5 Flash-Lite;
penalties on 3.5 Flash-Lite).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_ALL_LEVELS = ("minimal", "low", "medium", "high")


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """What a request has to know about the model it goes to; token limits in tokens."""

    name: str
    generation: str
    #: Which thinking knob the family takes: a token budget (2.5), a level (3 and later), or neither.
    thinking: Literal["budget", "level", "none"] = "level"
    levels: tuple[str, ...] = _ALL_LEVELS
    #: Least and most tokens of a thinking budget, and whether 0 is one too.
    budgets: tuple[int, int] = (0, 65_536)
    may_stop_thinking: bool = False
    #: A function call of the current turn without its signature is a 400.
    signatures_demanded: bool = True
    #: Vertex takes an assistant message with both text and tool calls.
    text_beside_calls: bool = True
    max_input_tokens: int | None = 1_048_576
    max_output_tokens: int | None = 65_536
    image_output: bool = False
    #: `presence_penalty` and `frequency_penalty` are not an error.
    takes_penalties: bool = True
    known: bool = True


_NO_MINIMAL = ("low", "medium", "high")
_GEMINI_3 = "gemini-3"
_GEMINI_2_5 = "gemini-2.5"

FAMILIES: tuple[ModelFamily, ...] = (
    ModelFamily("gemini-3.8-flash", _GEMINI_3, levels=_NO_MINIMAL),
    ModelFamily("gemini-3.7-flash", _GEMINI_3, levels=_NO_MINIMAL),
    ModelFamily("gemini-3.6-flash", _GEMINI_3, text_beside_calls=False),
    ModelFamily("gemini-3.5-flash-lite", _GEMINI_3, text_beside_calls=False, takes_penalties=False),
    ModelFamily("gemini-3.5-flash", _GEMINI_3),
    ModelFamily("gemini-3.1-flash-image", _GEMINI_3, image_output=True, max_output_tokens=32_768),
    ModelFamily("gemini-3.1-flash-lite", _GEMINI_3),
    ModelFamily("gemini-3.1-pro", _GEMINI_3, levels=_NO_MINIMAL),
    ModelFamily("gemini-3-flash", _GEMINI_3),
    ModelFamily("gemini-3-pro-image", _GEMINI_3, image_output=True, max_output_tokens=32_768),
    ModelFamily("gemini-3-pro", _GEMINI_3, levels=("low", "high")),
    ModelFamily(
        "gemini-2.5-flash-image",
        _GEMINI_2_5,
        thinking="none",
        signatures_demanded=False,
        image_output=True,
        max_input_tokens=32_768,
        max_output_tokens=32_768,
    ),
    ModelFamily("gemini-2.5-pro", _GEMINI_2_5, thinking="budget", budgets=(128, 32_768), signatures_demanded=False),
    ModelFamily(
        "gemini-2.5-flash-lite",
        _GEMINI_2_5,
        thinking="budget",
        budgets=(512, 24_576),
        may_stop_thinking=True,
        signatures_demanded=False,
    ),
    ModelFamily(
        "gemini-2.5",
        _GEMINI_2_5,
        thinking="budget",
        budgets=(0, 24_576),
        may_stop_thinking=True,
        signatures_demanded=False,
    ),
    ModelFamily("gemini-2.0", "gemini-2.0", thinking="none", signatures_demanded=False, max_output_tokens=8_192),
    ModelFamily("gemini-1.5", "gemini-1.5", thinking="none", signatures_demanded=False, max_output_tokens=8_192),
)

#: Later versions and moving aliases (`gemini-flash-latest`) follow the newest rules we know.
_LATER_GEMINI = ModelFamily("gemini", _GEMINI_3, max_input_tokens=None, max_output_tokens=None, known=False)
_OTHER = ModelFamily("", "", signatures_demanded=False, max_input_tokens=None, max_output_tokens=None, known=False)


def bare_model_name(model: str) -> str:
    """`model` without Google's prefixes.

    >>> bare_model_name("publishers/google/models/gemini-3.8-flash"), bare_model_name("meta/llama-4")
    ('gemini-3.8-flash', 'meta/llama-4')
    """
    for prefix in ("publishers/google/models/", "models/", "google/"):
        if model.startswith(prefix):
            return bare_model_name(model[len(prefix) :])
    return model


def family_of(model: str) -> ModelFamily:
    """The row for `model`, whatever its prefix or version suffix.

    >>> family_of("google/gemini-3.1-pro-preview").name, family_of("gemini-flash-latest").name
    ('gemini-3.1-pro', 'gemini')
    """
    bare = bare_model_name(model).rpartition("/")[2].lower()
    for family in FAMILIES:
        if bare.startswith(family.name):
            return family
    return _LATER_GEMINI if bare.startswith("gemini") else _OTHER
