"""LangChain chat model and embeddings for Gemini behind Google's OpenAI-compatible API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat._lazy import export_lazily

if TYPE_CHECKING:
    from langchain_gemini_compat._transport.timeouts import Timeouts
    from langchain_gemini_compat.chat_models import ChatGeminiCompat
    from langchain_gemini_compat.embeddings import GeminiCompatEmbeddings
    from langchain_gemini_compat.google_genai import to_google_genai
else:
    # pytest loads this package's plugin in each run, and the plugin imports this module. So this module imports nothing
    # slow.
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "ChatGeminiCompat": "chat_models",
            "GeminiCompatEmbeddings": "embeddings",
            "Timeouts": "_transport.timeouts",
            "chat_models": "chat_models",
            "errors": "errors",
            "google_genai": "google_genai",
            "to_google_genai": "google_genai",
        },
    )

__all__ = ["ChatGeminiCompat", "GeminiCompatEmbeddings", "Timeouts", "to_google_genai"]
