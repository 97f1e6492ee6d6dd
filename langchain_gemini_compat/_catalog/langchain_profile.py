"""Facts about a model family to LangChain's `ModelProfile`, by which agents choose how to work with a model.

Its one rule: no key that langchain-core 1.6 does not know (it warns of those), and none whose fact is not known.

`create_agent` takes `structured_output` for leave to ask for JSON natively. Beside tools it also wants `gemini-3` in
the name of a Gemini; others, `gemini-flash-latest` and Gemini 4 among them, get the schema as a tool, which all take.
Summaries start by `max_input_tokens`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from langchain_core.language_models import ModelProfile

    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._catalog.surfaces import Endpoint


def build_profile(family: ModelFamily, _endpoint: Endpoint) -> ModelProfile | None:
    """The profile of `family`, the same at every endpoint; `None` for models of which nothing is known."""
    if not family.generation:
        return None
    # The caller's to change, the list in it too.
    profile = _facts(family).copy()
    levels = profile.get("reasoning_effort_levels")
    if isinstance(levels, list):
        profile["reasoning_effort_levels"] = levels.copy()
    return cast("ModelProfile", profile)


@cache
def _facts(family: ModelFamily) -> dict[str, object]:
    return {
        "text_inputs": True,
        **{f"{kind}_inputs": kind in family.inputs for kind in ("image", "audio", "video", "pdf")},
        "image_url_inputs": "image" in family.inputs,
        # LangChain asks whether a `ToolMessage` may hold media. If a result takes none, they follow in a user message.
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


def _limits(family: ModelFamily) -> dict[str, object]:
    limits = {"max_input_tokens": family.max_input_tokens, "max_output_tokens": family.max_output_tokens}
    return {key: limit for key, limit in limits.items() if limit is not None}


def _reasoning(family: ModelFamily) -> dict[str, object]:
    if family.thinking == "none":
        return {"reasoning_output": False}
    words = ["none", *family.levels] if family.may_stop_thinking else [*family.levels]
    known: dict[str, object] = {"reasoning_output": True, "reasoning_effort_levels": words}
    if family.default_thinking in words:
        known["reasoning_effort_default"] = family.default_thinking
    return known
