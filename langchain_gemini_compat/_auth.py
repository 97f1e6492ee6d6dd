"""API keys, callables and Google credentials to bearer tokens.

Its one rule: a token is fetched ahead of its expiry, once however many threads and tasks ask, and never on an
event loop. Nothing is looked up before the first token is asked for; google-auth is imported then.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from threading import Lock, Thread
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast
from weakref import WeakSet

from langchain_gemini_compat._auth_errors import Failure, build_error, describe_failure
from langchain_gemini_compat._auth_keys import (
    AuthInfo,
    CallableToken,
    StaticToken,
    arun_until,
    await_until,
    run_until,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from google.auth.credentials import Credentials
    from pydantic import SecretStr

    from langchain_gemini_compat._auth_network import TokenRequest

    ApiKey = SecretStr | Callable[[], str] | Callable[[], Awaitable[str]]

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: Within this time of its expiry a token is replaced; while it is still good for `_GRACE` nobody waits for that.
_WINDOW = timedelta(minutes=5)
_GRACE = timedelta(seconds=60)


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

    def project(self, deadline: float | None = None) -> str | None:
        """The project the credentials name; may ask google-auth."""
        ...

    async def aproject(self, deadline: float | None = None) -> str | None:
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
    if credentials is not None:
        return GoogleTokens(credentials, quota_project_id, clock)
    quota = {"x-goog-user-project": quota_project_id} if quota_project_id else {}
    if callable(api_key):
        return CallableToken(api_key, AuthInfo("callable", source), quota)
    if api_key is not None:
        return StaticToken(api_key, AuthInfo("api_key", source), quota)
    if anonymous:
        return StaticToken(None, AuthInfo("none", "no credential given"), quota)
    return GoogleTokens(None, quota_project_id, clock)


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    expiry: datetime | None
    renew_at: datetime | None


#: A token, or what kept us from it. No exception: each waiter has to raise one of its own.
_Outcome: TypeAlias = _Token | Failure


class GoogleTokens:
    """Credentials of google-auth; `None` means the application default ones, found at the first call.

    One refresh at a time: whoever comes first starts it in a thread of its own, all others wait for its future.
    A waiter that is cancelled leaves the refresh alone; a refresh that fails reaches every waiter, and the next
    call tries again.
    """

    def __init__(
        self, credentials: Credentials | None, quota_project_id: str | None, clock: Callable[[], datetime]
    ) -> None:
        self._given = credentials
        self._quota_project_id = quota_project_id
        self._clock = clock
        self._credentials: Credentials | None = None
        self._is_fixed = False
        self._project: str | None = None
        self._token: _Token | None = None
        #: What the refresh that is under way asked.
        self._network: TokenRequest | None = None
        self.info = (
            AuthInfo("application_default", "application default credentials")
            if credentials is None
            else AuthInfo("google_credentials", "argument `credentials`")
        )
        self.forget_refresh()
        _SOURCES.add(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.info.kind}, {self.info.source})"

    def forget_refresh(self) -> None:
        """Start anew in a forked process: a lock may have been held and a refresh under way, neither is ours."""
        self._lock = Lock()
        self._running: Future[_Outcome] | None = None

    def token(self, deadline: float | None = None) -> str:
        found = self._find()
        return _read(wait_until(found, deadline, self.info.source) if isinstance(found, Future) else found)

    async def atoken(self, deadline: float | None = None) -> str:
        found = self._find()
        if not isinstance(found, Future):
            return _read(found)
        return _read(await await_until(asyncio.wrap_future(found), deadline, self.info.source))

    def reject(self, token: str) -> bool:
        with self._lock:
            if not self._is_fixed and self._token is not None and self._token.value == token:
                self._token = None
        return not self._is_fixed

    def headers(self) -> Mapping[str, str]:
        quota: object = self._quota_project_id
        quota = quota or getattr(self._credentials or self._given, "quota_project_id", None)
        return {"x-goog-user-project": quota} if isinstance(quota, str) and quota else {}

    def project(self, deadline: float | None = None) -> str | None:
        self.token(deadline)
        return self._project or run_until(self._ask_project, deadline, self.info.source)

    async def aproject(self, deadline: float | None = None) -> str | None:
        await self.atoken(deadline)
        return self._project or await arun_until(self._ask_project, deadline, self.info.source)

    def _find(self) -> _Token | Future[_Outcome]:
        """A token that is good, or the future of the refresh that is under way."""
        with self._lock:
            token, now = self._token, self._clock()
            if token is not None and (token.renew_at is None or now < token.renew_at):
                return token
            running = self._running or self._start_refresh()
            if token is not None and token.expiry is not None and token.expiry - now > _GRACE:
                return token
            return running

    def _start_refresh(self) -> Future[_Outcome]:
        future: Future[_Outcome] = Future()
        # From now on a cancelled waiter cannot cancel it.
        future.set_running_or_notify_cancel()
        try:
            Thread(target=self._run_refresh, args=(future,), name="gemini-compat-token", daemon=True).start()
        except RuntimeError as err:
            text = f"No token for {self.info.source}: {err}. Too many threads are running."
            future.set_result(Failure(text, is_retryable=True))
        else:
            self._running = future
        return future

    def _run_refresh(self, future: Future[_Outcome]) -> None:
        text = f"No token for {self.info.source}: the refresh broke off. Ask again."
        outcome: _Outcome = Failure(text, is_retryable=True)
        self._network = None
        try:
            outcome = self._refresh()
        except BaseException as err:  # whatever google-auth raises, the waiters have to hear of it
            outcome = self._describe(err, self._network)
        finally:
            with self._lock:
                if isinstance(outcome, _Token):
                    self._token = outcome
                self._running = None
            future.set_result(outcome)

    def _refresh(self) -> _Token:
        credentials, is_first = self._credentials, self._credentials is None
        if credentials is None:
            credentials, self._project = _load(self._given, self._quota_project_id)
            self._is_fixed = _is_fixed(credentials)
            self._credentials = credentials
        # A token that the credentials bring along is used while it lasts; after that, or a 401, a new one.
        if not (is_first or self._is_fixed) or not self._is_usable(credentials):
            self._network = _build_request()
            credentials.refresh(self._network)
        value = cast("str | None", credentials.token)
        if not value and not self._is_fixed:
            raise build_error(f"No token for {self.info.source}: a refresh of the credentials gave none.")
        return self._build_token(value or "", _expiry(credentials))

    def _build_token(self, value: str, expiry: datetime | None) -> _Token:
        if expiry is None or self._is_fixed:
            return _Token(value, expiry, expiry)
        # Metadata servers hand out what they have in store, with less than five minutes left: half of that is
        # the window then, or every request would ask for the same token again.
        return _Token(value, expiry, expiry - min(_WINDOW, max(expiry - self._clock(), timedelta(0)) / 2))

    def _is_usable(self, credentials: Credentials) -> bool:
        expiry = _expiry(credentials)
        if expiry is None:
            return self._is_fixed
        left = expiry - self._clock()
        return bool(credentials.token) and left > (timedelta(0) if self._is_fixed else _WINDOW)

    def _ask_project(self) -> str | None:
        """Credentials of an external account learn their project from the server."""
        ask = getattr(self._credentials, "get_project_id", None)
        if not callable(ask):
            return None
        network = _build_request()
        try:
            self._project = cast("str | None", ask(network))
        except Exception as err:
            failure = self._describe(err, network)
        else:
            return self._project
        raise build_error(failure.text, is_retryable=failure.is_retryable)

    def _describe(self, err: BaseException, network: TokenRequest | None) -> Failure:
        answer = network.answer if network else None
        return describe_failure(err, self._credentials or self._given, self.info.source, answer)


_SOURCES: WeakSet[GoogleTokens] = WeakSet()


def _forget_refreshes() -> None:
    for source in list(_SOURCES):
        source.forget_refresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_refreshes)


def _read(outcome: _Outcome) -> str:
    if isinstance(outcome, _Token):
        return outcome.value
    raise build_error(outcome.text, is_retryable=outcome.is_retryable)


def _expiry(credentials: Credentials) -> datetime | None:
    """google-auth keeps a naive time in UTC."""
    expiry = cast("datetime | None", credentials.expiry)
    return None if expiry is None else expiry.replace(tzinfo=timezone.utc)


def _load(given: Credentials | None, quota_project_id: str | None) -> tuple[Credentials, str | None]:
    import google.auth
    from google.auth.credentials import with_scopes_if_required

    if given is None:
        # It warns of user credentials without a quota project: it has to know of ours.
        return google.auth.default(scopes=[SCOPE], quota_project_id=quota_project_id)
    scoped = cast("Credentials", with_scopes_if_required(given, [SCOPE]))
    return scoped, cast("str | None", getattr(given, "project_id", None))


def _is_fixed(credentials: Credentials) -> bool:
    """A bare token of the caller's, or none at all, without the means to fetch another one."""
    from google.auth.credentials import AnonymousCredentials

    if isinstance(credentials, AnonymousCredentials):
        return True
    means = (getattr(credentials, "refresh_token", ""), getattr(credentials, "refresh_handler", None))
    return bool(credentials.token) and means == (None, None)


def _build_request() -> TokenRequest:
    """google-auth's way to the network."""
    from langchain_gemini_compat._auth_network import TokenRequest

    return TokenRequest()
