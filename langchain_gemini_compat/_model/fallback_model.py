"""What `with_fallbacks` returns: LangChain's runnable with a `preview` method."""

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

    With other types than LangChain's own, pydantic would not take a chat model as the field `runnable`.
    """

    langchain_name: ClassVar[str] = RunnableWithFallbacks.__name__
    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True)

    def preview(self, messages: LanguageModelInput, **kwargs: Any) -> tuple[JsonObject, list[Note]]:
        """Return the request that the first model would send, as `ChatGeminiCompat.preview` does."""
        return preview_runnable(self, messages, kwargs)

    if not TYPE_CHECKING:
        # Hidden from type checkers, which would allow reading any attribute.
        def __getattr__(self, name: str) -> Any:
            """Return a method that acts on all models if it returns a runnable, and else an attribute of the first."""
            try:
                return super().__getattr__(name)
            except (NameError, TypeError):
                # LangChain reads the type hints of the method. Those of its own `generate` name modules that are
                # imported for type checkers only. Before Python 3.11, it takes a hint such as `dict[str, str]` for a
                # class.
                return getattr(self.runnable, name)
