"""Facts about model families: what a request or a LangChain profile needs to know about a model.

The facts and their sources are in `models.json`, which `catalog_file` reads. If no source is known for a fact, the fact
is not in the file, and the default in `ModelFamily` applies. The defaults change requests as little as possible.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from langchain_gemini_compat._catalog.catalog_file import CATALOG_VARIABLE, parse_catalog, read_catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from langchain_gemini_compat._catalog.catalog_file import End, FamilyFacts

_GEMINI_3 = "gemini-3"
#: Matches endings of a model's name that do not make it the name of another model: `-preview`, a version or a date.
_VERSION = re.compile(r"(?:-preview)?(?:-\d{3}|-\d\d-\d{4}|-\d\d-\d\d)?")
_FILE = Path(__file__).with_name("models.json")
#: The text of `models.json`. The file is read at import, because reading it during a call would block an event loop.
#: The text is parsed when the first model is looked up.
_TEXT = _FILE.read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """The facts about one family of models. Limits are in tokens."""

    #: The text with which the names of all models of the family begin.
    name: str
    #: `title`, `status`, `release_date` and `last_updated` are facts about one model of the family: the model whose
    #: name equals `name`. They go into its LangChain profile. `title` is Google's name of the model. `status` is the
    #: state of its service, such as `deprecated`.
    title: str | None = None
    status: str | None = None
    release_date: str | None = None
    last_updated: str | None = None
    #: The Gemini generation whose rules apply to the model. `gemini-3` stands for Gemini 3 and all later generations.
    #: Empty for models other than Gemini.
    generation: str = ""
    #: How a request sets the amount of thinking: `budget` in tokens (Gemini 2.5), `level` (Gemini 3 and later), or
    #: `none` for models that do not think.
    thinking: Literal["budget", "level", "none"] = "level"
    levels: tuple[str, ...] = ("minimal", "low", "medium", "high")
    #: How much the model thinks by default: a level, or `dynamic` if the model chooses a budget itself.
    default_thinking: str | None = None
    #: Lowest and highest thinking budget in tokens; `None` if no source says that the model accepts a budget.
    budgets: tuple[int, int] | None = None
    #: Whether thinking can be switched off, with a thinking budget of 0 or with `reasoning_effort="none"`.
    may_stop_thinking: bool = False
    #: Whether a thinking budget of 0 switches thinking off on Vertex AI, but is refused by AI Studio.
    may_stop_thinking_on_vertex: bool = False
    #: Whether AI Studio accepts `reasoning_effort` for the model. If not, the server answers 400 to every value.
    takes_effort_on_ai_studio: bool = True
    #: Whether the model answers 400 if a function call of the current turn has no thought signature.
    signatures_demanded: bool = False
    #: Whether Vertex AI accepts an assistant message with both text and tool calls.
    text_beside_calls: bool = True
    max_input_tokens: int | None = None
    #: Maximum number of output tokens of one call.
    max_output_tokens: int | None = None
    #: Whether `max_input_tokens` limits the sum of input, thoughts and output.
    shares_limit: bool = False
    inputs: tuple[str, ...] = ("text", "image", "audio", "video", "pdf")
    image_output: bool = False
    calls_tools: bool = True
    structured_output: bool = True
    #: Whether `temperature` and `top_p` have an effect.
    honours_sampling: bool = True
    #: Whether `presence_penalty` and `frequency_penalty` are accepted. If not, the model answers 400.
    takes_penalties: bool = True
    #: Whether `cached_content` is accepted: a context cache that the caller has created.
    takes_cached_content: bool = True
    #: MIME types of media that a tool result on Vertex AI may contain. For other types, the server probably answers
    #: 400.
    result_types: tuple[str, ...] = ("image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain")
    #: Locations of Vertex AI that serve the model, `None` if unknown. The word `regions` means all single regions, such
    #: as `us-central1`. AI Studio has no locations.
    locations: tuple[str, ...] | None = None
    #: Whether Google serves the models on its own Chat Completions endpoint; `None` if no source shows that it does.
    on_chat_completions: bool | None = None
    #: The API that serves the models, if it is not Chat Completions. Empty for chat models.
    other_api: str = ""
    #: When Vertex AI and AI Studio stop serving the models; `None` if no end is known.
    end_on_vertex: End | None = None
    end_on_ai_studio: End | None = None
    #: Whether `models.json` or the user's file has the family. `False` for `LATER_GEMINI` and `_OTHER`, which apply to
    #: all models that neither file lists.
    known: bool = True

    def is_name_of(self, model: str) -> bool:
        """Return whether `model` is the model that the family is named after, and not a variant such as `-cyber`.

        >>> [family_of(name).is_name_of(name) for name in ("gemini-3.8-flash-001", "gemini-3.8-flash-cyber")]
        [True, False]
        """
        bare = bare_model_name(model).rpartition("/")[2].lower()
        return bare.startswith(self.name) and bool(_VERSION.fullmatch(bare[len(self.name) :]))

    @property
    def is_gemini(self) -> bool:
        """Whether the model is a Gemini model."""
        return bool(self.generation)

    @property
    def takes_json_beside_functions(self) -> bool:
        """Whether the model can answer in JSON if the request declares functions.

        Models before Gemini 3 answer 400 (https://github.com/googleapis/python-genai/issues/867).
        """
        return self.generation in ("", _GEMINI_3)

    @property
    def takes_media_in_results(self) -> bool:
        """Whether the model reads media inside the result of a function."""
        return self.generation == _GEMINI_3

    def accepts_signatures_of(self, other: ModelFamily) -> bool:
        """Whether the model accepts thought signatures of models of the family `other`, on the same surface."""
        return self.generation == other.generation


#: The facts that newer text models of Gemini have in common. They apply to versions that no file lists, and to aliases
#: such as `gemini-flash-latest`.
LATER_GEMINI = ModelFamily(
    "gemini",
    generation=_GEMINI_3,
    levels=("low", "medium", "high"),
    signatures_demanded=True,
    max_input_tokens=1_048_576,
    max_output_tokens=65_536,
    known=False,
)
#: The facts for models other than Gemini.
_OTHER = ModelFamily("", known=False)


def bare_model_name(model: str) -> str:
    """Return `model` without Google's prefixes.

    >>> bare_model_name("publishers/google/models/gemini-3.8-flash"), bare_model_name("meta/llama-4")
    ('gemini-3.8-flash', 'meta/llama-4')
    """
    for prefix in ("publishers/google/models/", "models/", "google/"):
        if model.startswith(prefix):
            return bare_model_name(model[len(prefix) :])
    return model


@cache
def read_facts() -> FamilyFacts:
    """Return the facts of each known family, with their sources."""
    return parse_catalog(_TEXT, str(_FILE))


@cache
def known_families() -> tuple[ModelFamily, ...]:
    """Return the families of `models.json`, in the order of the file."""
    # The cast turns off type checks, because `catalog_file` has checked the types of the facts.
    build = cast("Callable[..., ModelFamily]", ModelFamily)
    return tuple(
        build(name, **{key: fact.value for key, fact in facts.items()}) for name, facts in read_facts().items()
    )


def family_of(model: str, catalog: str | None = None) -> ModelFamily:
    """Return the family whose name is the longest match at the start of `model`. A prefix such as `google/` is ignored.

    Args:
        model: Name of a model, with or without prefixes.
        catalog: Path of a file that corrects facts. Default: the path in `GEMINI_COMPAT_CATALOG`, if it is set.

    Raises:
        ValueError: The file of `catalog` is not valid.

    >>> family_of("google/gemini-3.1-pro-preview").name, family_of("gemini-flash-latest").name
    ('gemini-3.1-pro', 'gemini')
    """
    return _find_family(model, catalog or os.environ.get(CATALOG_VARIABLE, ""))


@lru_cache(maxsize=256)
def _find_family(model: str, catalog: str) -> ModelFamily:
    bare = bare_model_name(model).rpartition("/")[2].lower()
    return _longest(bare, _load_families(catalog))


def _longest(bare: str, families: Iterable[ModelFamily]) -> ModelFamily:
    """Return the family whose name is the longest match at the start of `bare`, a model name without prefixes."""
    return max((one for one in families if bare.startswith(one.name)), key=lambda family: len(family.name))


@lru_cache(maxsize=32)
def _load_families(catalog: str) -> tuple[ModelFamily, ...]:
    """Return all families. If the path `catalog` is not empty, apply the corrections in that file.

    Each file is read once per process.

    The file may also add a family. Facts that the file does not set for a new family are copied from the family that
    would otherwise match its models.
    """
    rows = {family.name: family for family in (*known_families(), LATER_GEMINI, _OTHER)}
    corrections = read_catalog(catalog) if catalog else {}
    change = cast("Callable[..., ModelFamily]", replace)
    # A new family copies the facts of the family whose name is the longest prefix of its own name. If the file of the
    # user adds both, the one with the shorter name must be added first.
    for name in sorted(corrections, key=len):
        base = rows.get(name) or replace(_longest(name, rows.values()), name=name, known=True)
        rows[name] = change(base, **{key: fact.value for key, fact in corrections[name].items()})
    return tuple(rows.values())
