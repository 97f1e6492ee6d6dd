"""API keys, callables and Google credentials to bearer tokens.

Its one rule: a token is fetched ahead of its expiry, once however many threads and tasks ask, and never on an
event loop. Nothing is looked up before the first token is asked for; google-auth is imported then.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Literal, Protocol, cast

from langchain_gemini_compat._auth_errors import no_sync_result, translate_auth_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from google.auth.credentials import Credentials
    from google.auth.transport import Request
    from pydantic import SecretStr

    ApiKey = SecretStr | Callable[[], str] | Callable[[], Awaitable[str]]

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: Within this time of its expiry a token is replaced; while it is still good for `_GRACE` nobody waits for that.
_WINDOW = timedelta(minutes=5)
_GRACE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class AuthInfo:
    """As whom requests go, and which source won; never a secret."""

    kind: Literal["api_key", "callable", "google_credentials", "application_default", "none"]
    source: str


class TokenSource(Protocol):
    """What the transport asks before every request. An empty token means: send no `Authorization`."""

    @property
    def info(self) -> AuthInfo:
        """Kind and source."""
        ...

    def token(self) -> str:
        """A token that is good now; raises `CredentialsError`."""
        ...

    async def atoken(self) -> str:
        """`token`, without blocking the event loop."""
        ...

    def reject(self, token: str) -> bool:
        """The server said 401 to `token`; whether asking again can give another one."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Headers beside `Authorization`: the quota project."""
        ...

    def project(self) -> str | None:
        """The project the credentials name; may ask google-auth."""
        ...

    async def aproject(self) -> str | None:
        """`project`, without blocking the event loop."""
        ...


def build_token_source(
    *,
    api_key: ApiKey | None,
    credentials: Credentials | None,
    quota_project_id: str | None,
    source: str,
    anonymous: bool = False,
    clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> TokenSource:
    """The source for these arguments: credentials, else the key, else application default credentials.

    `source` says where the key came from. `anonymous` servers need no credential at all.
    """
    quota = {"x-goog-user-project": quota_project_id} if quota_project_id else {}
    if credentials is not None:
        return GoogleTokens(credentials, quota, clock)
    if callable(api_key):
        return CallableToken(api_key, source, quota)
    if api_key is not None:
        return StaticToken(api_key.get_secret_value(), AuthInfo("api_key", source), quota)
    if anonymous:
        return StaticToken("", AuthInfo("none", "no credential given"), quota)
    return GoogleTokens(None, quota, clock)


class StaticToken:
    """One key for ever."""

    def __init__(self, token: str, info: AuthInfo, headers: Mapping[str, str]) -> None:
        self._token = token
        self.info = info
        self._headers = headers

    def token(self) -> str:
        return self._token

    async def atoken(self) -> str:
        return self._token

    def reject(self, token: str) -> bool:
        del token
        return False

    def headers(self) -> Mapping[str, str]:
        return self._headers

    def project(self) -> str | None:
        return None

    async def aproject(self) -> str | None:
        return None


class CallableToken:
    """The caller's own function, sync or async, asked for every request."""

    def __init__(
        self, ask: Callable[[], str] | Callable[[], Awaitable[str]], source: str, headers: Mapping[str, str]
    ) -> None:
        self._ask = ask
        self._headers = headers
        self.info = AuthInfo("callable", source)

    def token(self) -> str:
        answer = self._ask()
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            raise no_sync_result()
        return answer

    async def atoken(self) -> str:
        if inspect.iscoroutinefunction(self._ask):
            return cast("str", await self._ask())
        answer = await asyncio.to_thread(self._ask)
        return answer if isinstance(answer, str) else await answer

    def reject(self, token: str) -> bool:
        del token
        return True

    def headers(self) -> Mapping[str, str]:
        return self._headers

    def project(self) -> str | None:
        return None

    async def aproject(self) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    expiry: datetime | None


class GoogleTokens:
    """Credentials of google-auth; `None` means the application default ones, found at the first call.

    One refresh at a time: whoever comes first starts it in a thread of its own, all others wait for its future.
    A waiter that is cancelled leaves the refresh alone; a refresh that fails reaches every waiter, and the next
    call tries again.
    """

    def __init__(
        self, credentials: Credentials | None, headers: Mapping[str, str], clock: Callable[[], datetime]
    ) -> None:
        self._given = credentials
        self._credentials: Credentials | None = None
        self._explicit_headers = headers
        self._clock = clock
        self._project: str | None = None
        self._token: _Token | None = None
        self._reset_lock()
        self.info = (
            AuthInfo("application_default", "application default credentials")
            if credentials is None
            else AuthInfo("google_credentials", "argument `credentials`")
        )

    def __repr__(self) -> str:
        return f"GoogleTokens({self.info.kind}, {self.info.source})"

    def token(self) -> str:
        found = self._find()
        return found if isinstance(found, str) else found.result()

    async def atoken(self) -> str:
        found = self._find()
        # Shielded: this waiter may be cancelled, the refresh is everybody's.
        return found if isinstance(found, str) else await asyncio.shield(asyncio.wrap_future(found))

    def reject(self, token: str) -> bool:
        with self._lock:
            if self._token is not None and self._token.value == token:
                self._token = None
        return True

    def headers(self) -> Mapping[str, str]:
        quota = getattr(self._credentials, "quota_project_id", None)
        if self._explicit_headers or not isinstance(quota, str) or not quota:
            return self._explicit_headers
        return {"x-goog-user-project": quota}

    def project(self) -> str | None:
        self.token()
        return self._project

    async def aproject(self) -> str | None:
        await self.atoken()
        return self._project

    def _reset_lock(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._running: Future[str] | None = None

    def _find(self) -> str | Future[str]:
        """A token that is good, or the future of the refresh that is under way."""
        if self._pid != os.getpid():
            # A fork may have caught the lock held and the refresh half done: neither is ours.
            self._reset_lock()
        with self._lock:
            token, now = self._token, self._clock()
            left = None if token is None or token.expiry is None else token.expiry - now
            if token is not None and (left is None or left > _WINDOW):
                return token.value
            if self._running is None:
                self._running = Future()
                threading.Thread(target=self._run_refresh, args=(self._running,), daemon=True).start()
            if token is not None and left is not None and left > _GRACE:
                return token.value
            return self._running

    def _run_refresh(self, future: Future[str]) -> None:
        try:
            token = self._refresh()
        except Exception as err:  # whatever google-auth raises, the waiters have to hear of it
            with self._lock:
                self._running = None
            future.set_exception(translate_auth_error(err, self._credentials or self._given))
            # A refresh ahead of time may have nobody waiting for it.
            future.exception()
            return
        with self._lock:
            self._token, self._running = token, None
        future.set_result(token.value)

    def _refresh(self) -> _Token:
        brought = self._credentials is None
        if self._credentials is None:
            self._credentials, self._project = _load(self._given)
        credentials = self._credentials
        # A token that the credentials brought along is used while it lasts; after that, or a 401, a new one.
        if not (brought and self._lasts(credentials)) and not _is_static(credentials):
            credentials.refresh(_build_request())
        return _Token(cast("str", credentials.token or ""), _expiry(credentials))

    def _lasts(self, credentials: Credentials) -> bool:
        expiry = _expiry(credentials)
        return bool(credentials.token) and expiry is not None and expiry - self._clock() > _WINDOW


def _expiry(credentials: Credentials) -> datetime | None:
    """google-auth keeps a naive time in UTC."""
    expiry = cast("datetime | None", credentials.expiry)
    return None if expiry is None else expiry.replace(tzinfo=timezone.utc)


def _load(given: Credentials | None) -> tuple[Credentials, str | None]:
    import google.auth
    from google.auth.credentials import with_scopes_if_required

    if given is None:
        return google.auth.default(scopes=[SCOPE])
    scoped = cast("Credentials", with_scopes_if_required(given, [SCOPE]))
    return scoped, cast("str | None", getattr(given, "project_id", None))


def _is_static(credentials: Credentials) -> bool:
    """A bare token of the caller's, without the means to refresh it."""
    from google.auth.credentials import AnonymousCredentials

    if isinstance(credentials, AnonymousCredentials):
        return True
    return bool(credentials.token) and getattr(credentials, "refresh_token", "") is None and credentials.expiry is None


def _build_request() -> Request:
    """google-auth's way to the network: `requests` where it is installed, else urllib3."""
    try:
        from google.auth.transport.requests import Request as RequestsRequest
    except ImportError:
        import urllib3
        from google.auth.transport.urllib3 import Request as Urllib3Request

        return cast("Request", Urllib3Request(urllib3.PoolManager()))
    return cast("Request", RequestsRequest())
