"""The interface for sources of bearer tokens, which `_auth` implements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping


@dataclass(frozen=True, slots=True)
class AuthInfo:
    """The kind of credentials, and where they were found. This object never contains a secret."""

    kind: Literal["api_key", "callable", "google_credentials", "application_default", "none"]
    source: str


class TokenSource(Protocol):
    """A source of bearer tokens. The transport requests a token before every request.

    Each argument `deadline` is a time of the monotonic clock. A method that still waits at that time raises
    `RequestTimeoutError`.
    """

    @property
    def info(self) -> AuthInfo:
        """The kind and the source of the credentials."""
        ...

    @property
    def account(self) -> Hashable:
        """A digest of the key or of the credentials' identity. Models with different digests share no connection."""
        ...

    def token(self, deadline: float | None = None) -> str:
        """Return a valid token, or an empty string to omit `Authorization`. Raise `CredentialsError` on failure."""
        ...

    async def atoken(self, deadline: float | None = None) -> str:
        """Async version of `token`."""
        ...

    def reject(self, token: str) -> bool:
        """Discard `token` after a 401. Return whether `token()` may return a different token."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Return further headers, such as the header with the quota project."""
        ...

    def apply(self, token: str) -> Mapping[str, str]:
        """Return all authentication headers, with lower-case names. `token` is the result of `token()`."""
        ...

    def project(self, deadline: float | None = None) -> str | None:
        """Return the project of the credentials, or `None`. google-auth may have to look up the project."""
        ...

    async def aproject(self, deadline: float | None = None) -> str | None:
        """Async version of `project`."""
        ...
