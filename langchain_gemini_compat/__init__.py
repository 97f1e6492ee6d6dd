"""LangChain chat model and embeddings for Gemini behind Google's OpenAI-compatible API."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from langchain_gemini_compat._transport.timeouts import Timeouts
from langchain_gemini_compat.chat_models import ChatGeminiCompat
from langchain_gemini_compat.google_genai import to_google_genai

if TYPE_CHECKING:
    from langchain_gemini_compat.embeddings import GeminiCompatEmbeddings

__all__ = ["ChatGeminiCompat", "GeminiCompatEmbeddings", "Timeouts", "to_google_genai"]


def __getattr__(name: str) -> object:
    """Import the embeddings when they are first used."""
    if name != "GeminiCompatEmbeddings":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module("langchain_gemini_compat.embeddings"), name)
    globals()[name] = value
    return value
