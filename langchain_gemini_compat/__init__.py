"""A LangChain chat model for Gemini behind Google's OpenAI-compatible Chat Completions API."""

from langchain_gemini_compat._timeouts import Timeouts
from langchain_gemini_compat.chat_models import ChatGeminiCompat

__all__ = ["ChatGeminiCompat", "Timeouts"]
