"""Calls of the constructors of subclasses. Type checkers read this module, and nothing runs it.

Each line with an `ignore` comment has a type error.

For a subclass, checkers build the constructor from the fields, as for every pydantic class. So the constructor accepts
all fields, including those of the subclass, but no aliases. A subclass that assigns `__init__` accepts the same
arguments as the chat model.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from typing import TYPE_CHECKING, Any

from pydantic import Field

from langchain_gemini_compat import ChatGeminiCompat


class TeamModel(ChatGeminiCompat):
    """A chat model with a field of its own."""

    team: str = Field(default="blue")


class KeptNames(ChatGeminiCompat):
    """A chat model with a field of its own. Its constructor accepts all aliases."""

    team: str = Field(default="blue")

    if TYPE_CHECKING:

        def __init__(self, *, team: str = "blue", **kwargs: Any) -> None: ...


TeamModel(model="m", team="red", max_tokens=5, temperature=0, reasoning_effort="low", timeout=5, api_key=None)
KeptNames(model_name="m", team="red", max_output_tokens=5, google_api_key="...")
TeamModel(model="m", team=5)  # type: ignore[arg-type]
KeptNames(model="m", team=5)  # type: ignore[arg-type]
