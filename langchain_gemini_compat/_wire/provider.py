"""The name this package goes by in LangChain's metadata; `model_provider` and `ls_provider` have to be equal."""

from __future__ import annotations

PROVIDER = "gemini_compat"
