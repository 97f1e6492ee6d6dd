"""The table of model families: the facts that a request or a LangChain profile needs.

A fact without a source is `None`, or the value that changes requests least. An unknown model gets a permissive row.
Sources, read in November 2026:

- Limits, modalities, levels, defaults, locations: Google's model cards and guides,
  https://ai.google.dev/gemini-api/docs/models and
  https://docs.cloud.google.com/gemini-enterprise-agent-platform/models. For image models also https://models.dev.
- Ranges of thinking budgets: https://ai.google.dev/gemini-api/docs/thinking. Gemini 3 accepts a budget "for
  compatibility".
- No level `minimal` on 3.7 Flash and 3.8 Flash: their cards, and https://github.com/BerriAI/litellm/issues/37314.
- Text beside tool calls is refused on Vertex AI: https://github.com/NousResearch/hermes-agent/issues/69231.
- Sampling parameters ignored and penalties refused: the Vertex AI cards of 3.6 Flash and 3.5 Flash-Lite.
- No temperature on 4 Argon: https://models.dev.
- No structured output beside tools before Gemini 3: https://github.com/googleapis/python-genai/issues/706.
- Shutdown dates: https://ai.google.dev/gemini-api/docs/deprecations and the cards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

_ALL_LEVELS = ("minimal", "low", "medium", "high")
_NO_MINIMAL = ("low", "medium", "high")
_ALL_INPUTS = ("text", "image", "audio", "video", "pdf")
_NO_PDF = ("text", "image", "audio", "video")
_IMAGE_INPUTS = ("text", "image")
#: Locations in which Vertex AI serves a model. `regions` stands for all single regions, such as `us-central1`.
_GLOBAL = ("global",)
_MULTI = ("global", "us", "eu")
_REGIONS = ("global", "us", "eu", "regions")
_GEMINI_3 = "gemini-3"
_GEMINI_2_5 = "gemini-2.5"


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """The facts about one family of models. Limits are in tokens."""

    #: The beginning of the names of its models.
    name: str
    #: The Gemini generation whose rules apply; `gemini-3` for Gemini 4 and later. Empty for models other than Gemini.
    generation: str
    #: How thinking is set: by a budget of tokens (Gemini 2.5), by a level (Gemini 3 and later), or not at all.
    thinking: Literal["budget", "level", "none"] = "level"
    levels: tuple[str, ...] = _ALL_LEVELS
    #: How much the model thinks by default: a level, or `dynamic` if it chooses a budget itself.
    default_thinking: str | None = None
    #: Lowest and highest thinking budget in tokens; `None` if no source says that the model accepts a budget.
    budgets: tuple[int, int] | None = (1, 65_536)
    #: Whether a budget of 0 and the effort `none` switch thinking off.
    may_stop_thinking: bool = False
    #: Whether the model answers 400 to a function call of the current turn without its thought signature.
    signatures_demanded: bool = True
    #: Whether Vertex AI accepts an assistant message with both text and tool calls.
    text_beside_calls: bool = True
    max_input_tokens: int | None = 1_048_576
    max_output_tokens: int | None = 65_536
    inputs: tuple[str, ...] = _ALL_INPUTS
    image_output: bool = False
    calls_tools: bool = True
    structured_output: bool = True
    #: Whether `temperature` and `top_p` have an effect.
    honours_sampling: bool = True
    #: Whether `presence_penalty` and `frequency_penalty` are accepted. If not, the model answers 400.
    takes_penalties: bool = True
    #: Locations on Vertex AI; `None` if unknown. AI Studio has no locations.
    locations: tuple[str, ...] | None = None
    #: When Google shuts the models down, and which model answers instead; empty if no date is known.
    end: str = ""
    #: Whether the row describes known models. `False` for the rows of all other models.
    known: bool = True

    @property
    def is_gemini(self) -> bool:
        """Whether the model is a Gemini."""
        return bool(self.generation)

    @property
    def takes_json_beside_functions(self) -> bool:
        """Whether the model answers in JSON while functions are declared.

        Models before Gemini 3 answer 400 (https://github.com/googleapis/python-genai/issues/867).
        """
        return self.generation in ("", _GEMINI_3)

    @property
    def takes_media_in_results(self) -> bool:
        """Whether the model reads media inside the result of a function."""
        return self.generation == _GEMINI_3

    def accepts_signatures_of(self, other: ModelFamily) -> bool:
        """Whether the model accepts thought signatures that a model of `other` issued, on the same surface."""
        return self.generation == other.generation


FAMILIES: tuple[ModelFamily, ...] = (
    ModelFamily(
        "gemini-4-argon",
        _GEMINI_3,
        levels=_NO_MINIMAL,
        default_thinking="medium",
        budgets=None,
        honours_sampling=False,
        locations=_MULTI,
    ),
    ModelFamily("gemini-4-carbon", _GEMINI_3, levels=_NO_MINIMAL, default_thinking="medium", budgets=None),
    ModelFamily("gemini-4", _GEMINI_3, levels=_NO_MINIMAL, budgets=None),
    ModelFamily(
        "gemini-nano-banana",
        _GEMINI_3,
        levels=("minimal", "medium", "high"),
        default_thinking="medium",
        budgets=None,
        max_input_tokens=None,
        max_output_tokens=None,
        inputs=_IMAGE_INPUTS,
        image_output=True,
        calls_tools=False,
        structured_output=False,
    ),
    ModelFamily("gemini-3.8-flash", _GEMINI_3, levels=_NO_MINIMAL, default_thinking="medium", locations=_MULTI),
    ModelFamily(
        "gemini-3.7-flash",
        _GEMINI_3,
        levels=_NO_MINIMAL,
        default_thinking="medium",
        locations=_MULTI,
        end="deprecated; on AI Studio `gemini-3.8-flash` answers",
    ),
    ModelFamily(
        "gemini-3.6-flash",
        _GEMINI_3,
        default_thinking="medium",
        text_beside_calls=False,
        honours_sampling=False,
        takes_penalties=False,
    ),
    ModelFamily(
        "gemini-3.5-flash-lite",
        _GEMINI_3,
        default_thinking="minimal",
        text_beside_calls=False,
        honours_sampling=False,
        takes_penalties=False,
        locations=_MULTI,
    ),
    ModelFamily(
        "gemini-3.5-flash",
        _GEMINI_3,
        default_thinking="medium",
        locations=_REGIONS,
        end="deprecated; on AI Studio `gemini-3.6-flash` answers; Vertex AI retires it on 2027-05-19",
    ),
    ModelFamily(
        "gemini-3.1-flash-lite-image",
        _GEMINI_3,
        budgets=None,
        max_input_tokens=65_536,
        max_output_tokens=4_096,
        inputs=_IMAGE_INPUTS,
        image_output=True,
        structured_output=False,
    ),
    ModelFamily(
        "gemini-3.1-flash-image",
        _GEMINI_3,
        levels=("minimal", "high"),
        default_thinking="minimal",
        budgets=None,
        max_input_tokens=65_536,
        max_output_tokens=32_768,
        inputs=_IMAGE_INPUTS,
        image_output=True,
        calls_tools=False,
        structured_output=False,
    ),
    ModelFamily(
        "gemini-3.1-flash-lite",
        _GEMINI_3,
        default_thinking="minimal",
        locations=_MULTI,
        end="retires on 2027-05-07",
    ),
    ModelFamily(
        "gemini-3.1-pro",
        _GEMINI_3,
        levels=_NO_MINIMAL,
        default_thinking="high",
        locations=_GLOBAL,
    ),
    ModelFamily("gemini-3-flash", _GEMINI_3, default_thinking="high", locations=_GLOBAL),
    ModelFamily(
        "gemini-3-pro-image",
        _GEMINI_3,
        levels=("low", "high"),
        budgets=None,
        max_input_tokens=65_536,
        max_output_tokens=32_768,
        inputs=_IMAGE_INPUTS,
        image_output=True,
        calls_tools=False,
        structured_output=False,
    ),
    ModelFamily(
        "gemini-3-pro",
        _GEMINI_3,
        levels=("low", "high"),
        default_thinking="high",
        end="ended on 2026-03-09",
    ),
    ModelFamily(
        "gemini-2.5-flash-image",
        _GEMINI_2_5,
        thinking="none",
        signatures_demanded=False,
        max_input_tokens=32_768,
        max_output_tokens=32_768,
        inputs=_IMAGE_INPUTS,
        image_output=True,
        calls_tools=False,
        structured_output=False,
        end="AI Studio: 2026-10-02",
    ),
    ModelFamily(
        "gemini-2.5-pro",
        _GEMINI_2_5,
        thinking="budget",
        default_thinking="dynamic",
        budgets=(128, 32_768),
        signatures_demanded=False,
        end="Vertex AI: 2026-10-20; AI Studio: 2026-12-01, then `gemini-3.8-flash` answers",
    ),
    ModelFamily(
        "gemini-2.5-flash-lite",
        _GEMINI_2_5,
        thinking="budget",
        budgets=(512, 24_576),
        may_stop_thinking=True,
        signatures_demanded=False,
        locations=_REGIONS,
        end="Vertex AI: 2026-10-20",
    ),
    ModelFamily(
        "gemini-2.5",
        _GEMINI_2_5,
        thinking="budget",
        default_thinking="dynamic",
        budgets=(1, 24_576),
        may_stop_thinking=True,
        signatures_demanded=False,
        end="Vertex AI: 2026-10-20; AI Studio: 2026-12-01, then `gemini-3.5-flash-lite` answers",
    ),
    ModelFamily(
        "gemini-2.0",
        "gemini-2.0",
        thinking="none",
        signatures_demanded=False,
        max_output_tokens=8_192,
        inputs=_NO_PDF,
        end="ended on 2026-06-01",
    ),
    ModelFamily(
        "gemini-1.5",
        "gemini-1.5",
        thinking="none",
        signatures_demanded=False,
        max_output_tokens=8_192,
        inputs=_NO_PDF,
    ),
)

#: The row of later versions and of aliases such as `gemini-flash-latest`, with the facts common to newer text models.
LATER_GEMINI = ModelFamily("gemini", _GEMINI_3, levels=_NO_MINIMAL, budgets=None, known=False)
#: The row of models other than Gemini.
_OTHER = ModelFamily(
    "", "", signatures_demanded=False, budgets=None, max_input_tokens=None, max_output_tokens=None, known=False
)


def bare_model_name(model: str) -> str:
    """Return `model` without Google's prefixes.

    >>> bare_model_name("publishers/google/models/gemini-3.8-flash"), bare_model_name("meta/llama-4")
    ('gemini-3.8-flash', 'meta/llama-4')
    """
    for prefix in ("publishers/google/models/", "models/", "google/"):
        if model.startswith(prefix):
            return bare_model_name(model[len(prefix) :])
    return model


@lru_cache(maxsize=256)
def family_of(model: str) -> ModelFamily:
    """Return the row whose name is the longest prefix of `model`. Prefixes of providers are ignored.

    >>> family_of("google/gemini-3.1-pro-preview").name, family_of("gemini-flash-latest").name
    ('gemini-3.1-pro', 'gemini')
    """
    bare = bare_model_name(model).rpartition("/")[2].lower()
    fitting = [family for family in (*FAMILIES, LATER_GEMINI, _OTHER) if bare.startswith(family.name)]
    return max(fitting, key=lambda family: len(family.name))
