"""LangChain's runnable of `with_fallbacks`, with the method `preview`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.language_models.base import LanguageModelInput
from langchain_core.runnables.fallbacks import RunnableWithFallbacks
from langchain_core.runnables.utils import Input, Output
from pydantic import ConfigDict

from langchain_gemini_compat._model.bound_model import TracedAsLangChain, preview_runnable
from langchain_gemini_compat._wire.json_types import JsonObject
from langchain_gemini_compat._wire.notes import Note


class FallbackModel(TracedAsLangChain, RunnableWithFallbacks[Input, Output]):
    """A chat model with fallbacks.

    `Input` and `Output` are LangChain's own type variables. With new type variables, pydantic would refuse a chat model
    as the value of the field `runnable`.
    """

    langchain_name: ClassVar[str] = RunnableWithFallbacks.__name__
    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True)

    def preview(self, messages: LanguageModelInput, **kwargs: Any) -> tuple[JsonObject, list[Note]]:
        """Return the request that the first model would send, as `ChatGeminiCompat.preview` does."""
        return preview_runnable(self, messages, kwargs)

    if not TYPE_CHECKING:
        # Hide `__getattr__` from type checkers: with it, they would accept every attribute, even a misspelled one.
        def __getattr__(self, name: str) -> Any:
            """Return an attribute of the first model. Methods that return a runnable are applied to all models."""
            try:
                return super().__getattr__(name)
            except (NameError, TypeError):
                # LangChain could not read the type hints of a method, so return the first model's method unchanged.
                # - `NameError`: the hints of LangChain's `generate` name modules that only type checkers import.
                # - `TypeError`: before Python 3.11, LangChain mistakes a hint such as `dict[str, str]` for a class.
                return getattr(self.runnable, name)
