"""The name of this package in LangChain's metadata. `model_provider` and `ls_provider` must be equal."""

from __future__ import annotations

PROVIDER = "gemini_compat"
