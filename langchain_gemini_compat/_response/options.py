"""What the reader of a reply has to know of its request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat._wire.notes import Note


class ReplyOptions(Protocol):
    """The fields of a request that its reply is read with; `_request.build.Request` has them.

    A protocol, so that `_request` and `_response` do not import each other.
    """

    @property
    def payload(self) -> JsonObject:
        """The body that was sent; `n` says how many choices were asked for."""
        ...

    @property
    def endpoint(self) -> Endpoint:
        """The surface, host and model."""
        ...

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was changed in the request."""
        ...

    @property
    def tags(self) -> tuple[str, ...]:
        """The names of thought tags."""
        ...

    @property
    def expects_thoughts(self) -> bool:
        """Whether tags count without the server's flag."""
        ...

    @property
    def call_limit(self) -> int | None:
        """How many tool calls may reach the caller; `None` for all."""
        ...

    @property
    def seed(self) -> str:
        """What ids are made of where the server gives none."""
        ...

    @property
    def schemas(self) -> Mapping[str, JsonObject]:
        """The parameters of each tool, by its name on the wire."""
        ...

    @property
    def names(self) -> Mapping[str, str]:
        """The caller's name of a tool, by its name on the wire, if it was changed."""
        ...

    @property
    def tool_names(self) -> frozenset[str] | None:
        """The wire names of all bound tools; `None` without tools."""
        ...

    @property
    def keeps_invalid_calls(self) -> bool:
        """Whether a malformed call stays on the message instead of raising an error."""
        ...
