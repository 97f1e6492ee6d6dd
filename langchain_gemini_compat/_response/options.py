"""Declares what the decoder of a reply needs to know about its request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat._wire.notes import Note


class ReplyOptions(Protocol):
    """The fields of `_request.build.Request` that the decoder of the reply reads.

    This is a protocol, so that `_request` and `_response` do not import each other.
    """

    @property
    def payload(self) -> JsonObject:
        """The body of the request; its `n` is the number of requested choices."""
        ...

    @property
    def endpoint(self) -> Endpoint:
        """The surface, host and model."""
        ...

    @property
    def notes(self) -> tuple[Note, ...]:
        """Notes about the changes that were made to the request."""
        ...

    @property
    def tags(self) -> tuple[str, ...]:
        """The names of thought tags."""
        ...

    @property
    def expects_thoughts(self) -> bool:
        """Whether text between thought tags is a thought even if the server does not flag it."""
        ...

    @property
    def call_limit(self) -> int | None:
        """Maximum number of tool calls that the caller gets; `None` for no limit."""
        ...

    @property
    def seed(self) -> str:
        """A text from which missing call ids are derived."""
        ...

    @property
    def schemas(self) -> Mapping[str, JsonObject]:
        """The parameters of each tool, by its wire name."""
        ...

    @property
    def names(self) -> Mapping[str, str]:
        """The original name of each renamed tool, by its wire name."""
        ...

    @property
    def tool_names(self) -> frozenset[str] | None:
        """The wire names of all bound tools; `None` without tools."""
        ...

    @property
    def keeps_invalid_calls(self) -> bool:
        """Whether an invalid call stays on the message instead of raising an error."""
        ...
