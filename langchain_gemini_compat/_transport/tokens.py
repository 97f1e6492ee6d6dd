"""The interface of sources of bearer tokens. `_auth` implements it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class AuthInfo:
    """The kind of credentials, and the source that they were found in. It never holds a secret."""

    kind: Literal["api_key", "callable", "google_credentials", "application_default", "none"]
    source: str


class TokenSource(Protocol):
    """A source of bearer tokens, which the transport calls before every request.

    A `deadline` is by the monotonic clock. A wait that passes it raises `RequestTimeoutError`.
    """

    @property
    def info(self) -> AuthInfo:
        """The kind and the source of the credentials."""
        ...

    def token(self, deadline: float | None = None) -> str:
        """Return a valid token, or an empty one to send no `Authorization`. Raise `CredentialsError`."""
        ...

    async def atoken(self, deadline: float | None = None) -> str:
        """`token`, without blocking the event loop."""
        ...

    def reject(self, token: str) -> bool:
        """Discard `token` after a 401. Return whether `token()` may return another one."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Return further headers, such as that of the quota project."""
        ...

    def apply(self, token: str) -> Mapping[str, str]:
        """Return all authentication headers, with lower-case names. `token` is the result of `token()`."""
        ...

    def project(self, deadline: float | None = None) -> str | None:
        """Return the project of the credentials, or `None`. This may look it up with google-auth."""
        ...

    async def aproject(self, deadline: float | None = None) -> str | None:
        """`project`, without blocking the event loop."""
        ...
