"""What the transport needs of a source of bearer tokens; `_auth` has the sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class AuthInfo:
    """As whom requests go, and which source won; never a secret."""

    kind: Literal["api_key", "callable", "google_credentials", "application_default", "none"]
    source: str


class TokenSource(Protocol):
    """What the transport asks before every request. An empty token means: send no `Authorization`.

    `deadline` is in seconds of the monotonic clock; who would have to wait longer gets a `RequestTimeoutError`.
    """

    @property
    def info(self) -> AuthInfo:
        """Kind and source."""
        ...

    def token(self, deadline: float | None = None) -> str:
        """A token that is good now; raises `CredentialsError`."""
        ...

    async def atoken(self, deadline: float | None = None) -> str:
        """`token`, without blocking the event loop."""
        ...

    def reject(self, token: str) -> bool:
        """The server said 401 to `token`; whether asking again can give another one."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Headers beside `Authorization`: the quota project."""
        ...

    def apply(self, token: str) -> Mapping[str, str]:
        """Return all authentication headers, with lower-case names. `token` is the result of `token()`."""
        ...

    def project(self, deadline: float | None = None) -> str | None:
        """The project the credentials name; may ask google-auth."""
        ...

    async def aproject(self, deadline: float | None = None) -> str | None:
        """`project`, without blocking the event loop."""
        ...
