"""Types of the constructors' arguments, for type checkers and editors.

At run time, the constructors also accept values that these types do not list, because a server may accept them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from pydantic import BaseModel, SecretStr
from typing_extensions import TypedDict

from langchain_gemini_compat._transport.timeouts import Timeouts

if TYPE_CHECKING:
    from enum import Enum

ReasoningEffort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
MediaResolution: TypeAlias = Literal[
    "MEDIA_RESOLUTION_UNSPECIFIED", "MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH"
]
#: `standard`, `flex` and `priority` are Google's values. Only OpenAI has the other values.
ServiceTier: TypeAlias = Literal["standard", "flex", "priority", "auto", "default", "scale"]
Modality: TypeAlias = Literal["text", "image", "audio", "TEXT", "IMAGE", "AUDIO"]
InvalidToolCalls: TypeAlias = Literal["raise", "keep"]
MimeType: TypeAlias = Literal["text/plain", "application/json"]

ApiKey: TypeAlias = str | SecretStr | Callable[[], str] | Callable[[], Awaitable[str]]
Stop: TypeAlias = str | list[str] | tuple[str, ...]
Headers: TypeAlias = Mapping[str, str | bytes | int | float | SecretStr]
SafetySettings: TypeAlias = Sequence[Mapping[str, object] | BaseModel] | Mapping[Any, object]


class HttpTimeout(Protocol):
    """The `Timeout` of httpx, httpx2 or openai."""

    @property
    def connect(self) -> object:
        """Maximum time for opening the connection."""

    @property
    def read(self) -> object:
        """Maximum time during which the server sends nothing."""


Timeout: TypeAlias = float | timedelta | tuple[float | None, ...] | list[float | None] | Timeouts | HttpTimeout


class ThinkingConfig(TypedDict, total=False):
    """The keys of Google's `ThinkingConfig`, in snake case or camel case."""

    thinking_level: ReasoningEffort | Enum
    thinking_budget: int
    include_thoughts: bool
    thinkingLevel: ReasoningEffort | Enum
    thinkingBudget: int
    includeThoughts: bool


class ClientOptions(Protocol):
    """The `ClientOptions` of google-api-core."""

    @property
    def api_endpoint(self) -> object:
        """Address of the server."""


class SyncClient(Protocol):
    """The `Client` of httpx or httpx2."""

    @property
    def build_request(self) -> Callable[..., object]:
        """Return a request."""
        ...

    @property
    def send(self) -> Callable[..., object]:
        """Send a request."""
        ...

    @property
    def close(self) -> Callable[[], object]:
        """Close the connections."""
        ...


class AsyncClient(Protocol):
    """The `AsyncClient` of httpx or httpx2."""

    @property
    def build_request(self) -> Callable[..., object]:
        """Return a request."""
        ...

    @property
    def send(self) -> Callable[..., Awaitable[object]]:
        """Send a request."""
        ...

    @property
    def aclose(self) -> Callable[[], Awaitable[object]]:
        """Close the connections."""
        ...
