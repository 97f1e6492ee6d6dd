"""Facts about a model family to LangChain's `ModelProfile`, by which agents choose how to work with a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from langchain_core.language_models import ModelProfile

    from langchain_gemini_compat._families import ModelFamily
    from langchain_gemini_compat._surfaces import Endpoint


def build_profile(family: ModelFamily, endpoint: Endpoint) -> ModelProfile | None:
    """The profile of `family` as `endpoint` serves it; `None` for models of which nothing is known."""
    if not family.generation:
        return None
    gemini_3 = family.generation == "gemini-3"
    profile: dict[str, object] = {
        "text_inputs": True,
        "image_inputs": True,
        "image_url_inputs": True,
        "audio_inputs": True,
        "video_inputs": True,
        "pdf_inputs": True,
        "image_tool_message": gemini_3 and endpoint.surface == "vertex",
        "text_outputs": True,
        "image_outputs": family.image_output,
        "audio_outputs": False,
        "video_outputs": False,
        "reasoning_output": family.thinking != "none",
        "tool_calling": True,
        "tool_choice": True,
        "structured_output": True,
    }
    if family.max_input_tokens is not None:
        profile |= {"max_input_tokens": family.max_input_tokens, "max_output_tokens": family.max_output_tokens}
    return cast("ModelProfile", profile)
