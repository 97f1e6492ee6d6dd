"""Builds LangChain's `ModelProfile` from the facts about a model family.

A profile has the keys of langchain-core 1.6. Keys of later versions are added only if the caller lists them in `keys`,
because langchain-core warns about keys that it does not know. A key whose value is not known is left out.

LangChain's agents use two of the keys:

- `structured_output`: if true, `create_agent` sends the schema of the answer as `response_format`. But if the agent has
  tools and the model's name does not contain `gemini-3`, such as `gemini-flash-latest`, the schema becomes a tool.
- `max_input_tokens`: `SummarizationMiddleware` starts to summarize at a fraction of this number.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from langchain_core.language_models import ModelProfile

    from langchain_gemini_compat._catalog.models import ModelFamily


class KnownProfile(dict[str, object]):
    """A profile built from the catalog. Its attribute `facts` keeps the original values, to detect later changes."""

    def __init__(self, facts: dict[str, object]) -> None:
        """Copy `facts` and the lists among its values, because callers may change the profile."""
        super().__init__((key, value.copy() if isinstance(value, list) else value) for key, value in facts.items())
        self.facts = facts

    def __reduce__(
        self,
    ) -> tuple[type[KnownProfile], tuple[dict[str, object]], None, None, Iterator[tuple[str, object]]]:
        """Return what `copy` and `pickle` need: the original facts, and the current entries of the profile."""
        return KnownProfile, (self.facts,), None, None, iter(self.items())


def build_profile(family: ModelFamily, model: str = "", keys: Collection[str] = ()) -> ModelProfile | None:
    """Return the profile of `family`; `None` for models other than Gemini.

    Args:
        family: The model family.
        model: Name of the model. The profile has the family's title, status and dates only if `family` is named after
            this model.
        keys: The keys of profiles in the installed langchain-core. Version 1.6 has no keys for title, status and dates.
    """
    if not family.generation:
        return None
    dates = _dates(family) if family.is_name_of(model) else {}
    known = {key: fact for key, fact in dates.items() if key in keys}
    return cast("ModelProfile", KnownProfile({**known, **_facts(family)}))


def is_from_catalog(profile: object) -> bool:
    """Return whether `profile` was built from the catalog and has not been changed since then.

    When the name of the chat model changes, an unchanged profile is replaced, and a changed one is kept.
    """
    return isinstance(profile, KnownProfile) and profile == profile.facts


@cache
def _facts(family: ModelFamily) -> dict[str, object]:
    return {
        "text_inputs": True,
        **{f"{kind}_inputs": kind in family.inputs for kind in ("image", "audio", "video", "pdf")},
        "image_url_inputs": "image" in family.inputs,
        # `image_tool_message` and `pdf_tool_message` do not depend on the surface. If a surface accepts no media in
        # tool results, this package sends the media in a user message.
        "image_tool_message": family.calls_tools and "image" in family.inputs,
        "pdf_tool_message": family.calls_tools and "pdf" in family.inputs,
        "text_outputs": True,
        "image_outputs": family.image_output,
        "audio_outputs": False,
        "video_outputs": False,
        "tool_calling": family.calls_tools,
        "tool_choice": family.calls_tools,
        "tool_call_streaming": family.calls_tools,
        "structured_output": family.structured_output,
        "attachment": True,
        "temperature": family.honours_sampling,
        "open_weights": False,
        **_limits(family),
        **_reasoning(family),
    }


@cache
def _dates(family: ModelFamily) -> dict[str, object]:
    facts = {
        "name": family.title,
        "status": family.status,
        "release_date": family.release_date,
        "last_updated": family.last_updated,
    }
    return {key: fact for key, fact in facts.items() if fact is not None}


def _limits(family: ModelFamily) -> dict[str, object]:
    limits = {"max_input_tokens": family.max_input_tokens, "max_output_tokens": family.max_output_tokens}
    return {key: limit for key, limit in limits.items() if limit is not None}


def _reasoning(family: ModelFamily) -> dict[str, object]:
    if family.thinking == "none":
        return {"reasoning_output": False}
    levels = ["none", *family.levels] if family.may_stop_thinking else [*family.levels]
    facts: dict[str, object] = {"reasoning_output": True, "reasoning_effort_levels": levels}
    if family.default_thinking in levels:
        facts["reasoning_effort_default"] = family.default_thinking
    return facts
