"""API keys, callables and Google credentials to bearer tokens.

Its one rule: a token is fetched ahead of its expiry, once however many threads and tasks ask, and never on an
event loop. Nothing is looked up before the first token is asked for; google-auth is imported then.
"""

from __future__ import annotations

import asyncio
import math
import os
from datetime import datetime, timedelta, timezone
from threading import Thread
from typing import TYPE_CHECKING, TypeAlias, cast
from weakref import WeakSet, WeakValueDictionary

from langchain_gemini_compat._auth.failures import Failure, build_error, build_timeout_error, describe_failure
from langchain_gemini_compat._auth.google_errors import CredentialKind, find_kind
from langchain_gemini_compat._auth.keys import (
    CallableToken,
    StaticToken,
    arun_until,
    await_until,
    clean_header,
    run_until,
    wait_until,
)
from langchain_gemini_compat._auth.shared_tokens import Known, Refresh, Token, find_known, share
from langchain_gemini_compat._catalog.surfaces import check_segment
from langchain_gemini_compat._transport.tokens import AuthInfo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    import httpx2
    from google.auth.credentials import Credentials
    from pydantic import SecretStr

    from langchain_gemini_compat._auth.google_transport import TokenRequest
    from langchain_gemini_compat._transport.tokens import TokenSource

    ApiKey = SecretStr | Callable[[], str] | Callable[[], Awaitable[str]]

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: Within this time of its expiry a token is replaced; while it is still good for `_GRACE` nobody waits for that.
_WINDOW = timedelta(minutes=5)
_GRACE = timedelta(seconds=60)


def build_token_source(
    *,
    api_key: ApiKey | None,
    credentials: Credentials | None,
    quota_project_id: str | None,
    source: str,
    anonymous: bool = False,
    clock: Callable[[], datetime] | None = None,
    http_client: httpx2.Client | None = None,
) -> TokenSource:
    """Return the token source for these arguments: credentials, else the key, else application default credentials.

    `source` says where the key came from. `anonymous` servers need no credential. Token requests use the caller's
    `http_client`. Equal arguments give the same source, unless a `clock` is passed.
    """
    quota_project_id = clean_header(quota_project_id or "", "quota project") or None
    if credentials is not None or (api_key is None and not anonymous):
        return _share_source(credentials, quota_project_id, http_client, clock)
    quota = {"x-goog-user-project": quota_project_id} if quota_project_id else {}
    if callable(api_key):
        return CallableToken(api_key, AuthInfo("callable", source), quota)
    if api_key is not None:
        return StaticToken(api_key, AuthInfo("api_key", source), quota)
    return StaticToken(None, AuthInfo("none", "no credential given"), quota)


def _share_source(
    credentials: Credentials | None,
    quota_project_id: str | None,
    client: httpx2.Client | None,
    clock: Callable[[], datetime] | None,
) -> GoogleTokens:
    """Return this process's shared source for one credential that is used in one way."""
    if clock is not None:
        return GoogleTokens(credentials, quota_project_id, Known(), client, clock)
    known, key = find_known(credentials, quota_project_id, client)
    return share(
        _shared,
        # The source keeps all of them alive, so that no number is used again meanwhile.
        (*key, id(known), quota_project_id, id(client)),
        lambda: GoogleTokens(credentials, quota_project_id, known, client, _now),
    )


def _now() -> datetime:
    return datetime.now(timezone.utc)


#: A token, or what kept us from it.
_Outcome: TypeAlias = Token | Failure


class GoogleTokens:
    """Credentials of google-auth; `None` means the application default ones, found at the first call.

    One refresh at a time: whoever comes first starts it in a thread of its own, all others wait for its future.
    A waiter that is cancelled leaves the refresh alone; a refresh that fails reaches every waiter, and the next
    call tries again.
    """

    def __init__(
        self,
        credentials: Credentials | None,
        quota_project_id: str | None,
        known: Known,
        client: httpx2.Client | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._given = credentials
        self._quota_project_id = quota_project_id
        self._known = known
        self._client = client
        self._clock = clock
        #: What the refresh that is under way asked.
        self._network: TokenRequest | None = None
        self.info = (
            AuthInfo("application_default", "application default credentials")
            if credentials is None
            else AuthInfo("google_credentials", "argument `credentials`")
        )
        _SOURCES.add(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.info.kind}, {self.info.source})"

    def forget_refresh(self) -> None:
        """Start anew in a forked process."""
        self._known.forget_refresh()

    @property
    def _credentials(self) -> Credentials | None:
        """The credentials with scopes; `None` before the first token."""
        return self._known.loaded or (self._given if self._known.is_loaded else None)

    def token(self, deadline: float | None = None) -> str:
        found = self._find(deadline)
        while isinstance(found, Refresh):
            outcome = wait_until(found, deadline, self.info.source)
            found = self._find(deadline) if self._may_do_better(found, outcome) else outcome
        return self._read(found)

    async def atoken(self, deadline: float | None = None) -> str:
        found = self._find(deadline)
        while isinstance(found, Refresh):
            outcome = await await_until(asyncio.wrap_future(found), deadline, self.info.source)
            found = self._find(deadline) if self._may_do_better(found, outcome) else outcome
        return self._read(found)

    def _may_do_better(self, refresh: Refresh, outcome: _Outcome) -> bool:
        """Whether the refresh failed through another model's client, which may have another proxy or be closed."""
        return isinstance(outcome, Failure) and not outcome.is_timeout and refresh.client is not self._client

    def _read(self, outcome: _Outcome) -> str:
        if isinstance(outcome, Token):
            return outcome.value
        if outcome.is_timeout:
            raise build_timeout_error(self.info.source)
        raise build_error(outcome.text, is_retryable=outcome.is_retryable)

    def reject(self, token: str) -> bool:
        known = self._known
        with self._known.lock:
            if known.token is not None and known.token.value == token:
                known.token = None
        return not known.is_fixed or self._is_changed()

    def headers(self) -> Mapping[str, str]:
        quota: object = self._quota_project_id
        quota = quota or getattr(self._credentials or self._given, "quota_project_id", None)
        return {"x-goog-user-project": clean_header(quota, "quota project of the credentials")} if quota else {}

    def apply(self, token: str) -> Mapping[str, str]:
        credentials = self._credentials
        if credentials is None or not _applies_itself(credentials):
            return {**self.headers(), **({"authorization": f"Bearer {token}"} if token else {})}
        applied: dict[str, str] = {}
        try:
            credentials.apply(applied)
        except Exception as err:
            failure = self._describe(err, None)
        else:
            # google-auth's base class does not strip white space from the token.
            bearer = {f"Bearer {credentials.token}": f"Bearer {token}"}
            own = {name.lower(): bearer.get(value, value) for name, value in applied.items()}
            return {**{name: clean_header(value, f"header {name!r}") for name, value in own.items()}, **self.headers()}
        raise build_error(failure.text, is_retryable=failure.is_retryable)

    def project(self, deadline: float | None = None) -> str | None:
        self.token(deadline)
        return _check_project(self._known.project or run_until(self._ask_project, deadline, self.info.source))

    async def aproject(self, deadline: float | None = None) -> str | None:
        await self.atoken(deadline)
        return _check_project(self._known.project or await arun_until(self._ask_project, deadline, self.info.source))

    def _find(self, deadline: float | None) -> _Outcome | Refresh:
        """A token that is good, or the refresh that is under way."""
        with self._known.lock:
            if not self._known.running and self._is_changed():
                self._known.token = None
            token, now = self._known.token, self._clock()
            if token is not None and (token.renew_at is None or now < token.renew_at):
                return token
            may_wait = token is None or token.expiry is None or token.expiry - now <= _GRACE
            end = math.inf if deadline is None or not may_wait else deadline
            self._known.until = max(self._known.until, end) if self._known.running else end
            running = self._known.running or self._start_refresh()
            return running if may_wait or token is None else token

    def _is_changed(self) -> bool:
        """Whether somebody else gave the credentials another token since they were last read."""
        credentials = self._credentials
        return credentials is not None and _state(credentials) != self._known.seen

    def _start_refresh(self) -> Refresh:
        future = Refresh(self._client)
        try:
            Thread(target=self._run_refresh, args=(future,), name="gemini-compat-token", daemon=True).start()
        except RuntimeError as err:
            text = f"No token for {self.info.source}: {err}. Too many threads are running."
            future.set_result(Failure(text, is_retryable=True))
        else:
            self._known.running = future
        return future

    def _run_refresh(self, future: Refresh) -> None:
        text = f"No token for {self.info.source}: the refresh was interrupted. Try again."
        outcome: _Outcome = Failure(text, is_retryable=True)
        self._network = None
        try:
            outcome = self._refresh()
        except BaseException as err:  # whatever google-auth raises, the waiters have to hear of it
            outcome = self._describe(err, self._network)
        finally:
            with self._known.lock:
                if isinstance(outcome, Token):
                    self._known.token = outcome
                self._known.running = None
            future.set_result(outcome)

    def _refresh(self) -> Token:
        known, is_first = self._known, not self._known.is_loaded
        credentials = self._load() if is_first else self._credentials
        if credentials is None:
            raise build_error(f"No token for {self.info.source}: there are no credentials.")
        # A token that the credentials bring along is used while it lasts; after that, or a 401, a new one.
        before, known.seen = known.seen, _state(credentials)
        known.is_fixed = _is_fixed(credentials)
        is_replaced = not is_first and known.seen != before
        expiry = _expiry(credentials)
        if not (is_first or is_replaced or known.is_fixed) or not self._is_usable(credentials, is_replaced=is_replaced):
            expiry = self._renew(credentials)
        value = cast("str | None", credentials.token)
        if not value and not known.is_fixed:
            raise build_error(f"No token for {self.info.source}: a refresh of the credentials gave none.")
        return self._build_token(clean_header(value or "", f"token of {self.info.source}"), expiry)

    def _renew(self, credentials: Credentials) -> datetime | None:
        """Refresh the credentials, and return the expiry of the new token."""
        before = _expiry(credentials)
        network = self._network = self._open_network(credentials)
        try:
            credentials.refresh(network)
        finally:
            self._known.seen = _state(credentials)
        expiry = _expiry(credentials)
        # A caller's own `refresh` may set no expiry.
        is_left = expiry is not None and expiry == before and expiry <= self._clock()
        return None if is_left else expiry

    def _load(self) -> Credentials:
        """Return the credentials with scopes. Looking up default credentials may send requests."""
        import google.auth
        from google.auth.credentials import with_scopes_if_required

        known = self._known
        if self._given is None:
            network = self._network = self._open_network(None)
            # google-auth warns of user credentials without a quota project, so pass ours.
            credentials, known.project = google.auth.default(
                scopes=[SCOPE], request=network, quota_project_id=self._quota_project_id
            )
        else:
            credentials = cast("Credentials", with_scopes_if_required(self._given, [SCOPE]))
            known.project = cast("str | None", getattr(self._given, "project_id", None))
        known.loaded = None if credentials is self._given else credentials
        known.is_loaded = True
        return credentials

    def _open_network(self, credentials: Credentials | None) -> TokenRequest:
        from langchain_gemini_compat._auth.google_transport import TokenRequest, use_with_gdch

        network: object = cast("object", _build_request())
        if isinstance(network, TokenRequest):
            network.client, network.until = self._client, lambda: self._known.until
            if find_kind(credentials) is CredentialKind.DISTRIBUTED_CLOUD:
                return use_with_gdch(network)
        return cast("TokenRequest", network)

    def _build_token(self, value: str, expiry: datetime | None) -> Token:
        if expiry is None or self._known.is_fixed:
            return Token(value, expiry, expiry)
        # Metadata servers hand out what they have in store, with less than five minutes left: half of that is
        # the window then, or every request would ask for the same token again.
        return Token(value, expiry, expiry - min(_WINDOW, max(expiry - self._clock(), timedelta(0)) / 2))

    def _is_usable(self, credentials: Credentials, *, is_replaced: bool) -> bool:
        """Whether the token of the credentials needs no refresh. `is_replaced`: somebody else has just set it."""
        expiry, is_fixed = _expiry(credentials), self._known.is_fixed
        if expiry is None:
            return is_fixed or (is_replaced and bool(credentials.token))
        left = expiry - self._clock()
        return bool(credentials.token) and left > (timedelta(0) if is_fixed else _WINDOW)

    def _ask_project(self) -> str | None:
        """Credentials of an external account learn their project from the server."""
        ask = getattr(self._credentials, "get_project_id", None)
        if not callable(ask):
            return None
        self._known.until = math.inf
        network = self._open_network(self._credentials)
        try:
            self._known.project = cast("str | None", ask(network))
        except Exception as err:
            failure = self._describe(err, network)
        else:
            return self._known.project
        raise build_error(failure.text, is_retryable=failure.is_retryable)

    def _describe(self, err: BaseException, network: TokenRequest | None) -> Failure:
        answer = network.answer if network else None
        return describe_failure(err, self._credentials or self._given, self.info.source, answer)


_SOURCES: WeakSet[GoogleTokens] = WeakSet()
_shared: WeakValueDictionary[tuple[object, ...], GoogleTokens] = WeakValueDictionary()


def _forget_refreshes() -> None:
    for source in list(_SOURCES):
        source.forget_refresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_refreshes)


def _state(credentials: Credentials) -> tuple[object, object]:
    """Token and expiry, to notice that somebody else changed them."""
    return getattr(credentials, "token", None), getattr(credentials, "expiry", None)


def _expiry(credentials: Credentials) -> datetime | None:
    """google-auth keeps a naive time in UTC; callers may set one with a time zone."""
    expiry = cast("datetime | None", credentials.expiry)
    if expiry is None:
        return None
    return expiry.replace(tzinfo=timezone.utc) if expiry.tzinfo is None else expiry.astimezone(timezone.utc)


def _check_project(project: str | None) -> str | None:
    """Return the project of the credentials, checked like the argument, since it becomes part of the URL."""
    if not project:
        return None
    try:
        check_segment("project", project)
    except ValueError:
        pass
    else:
        return project
    raise build_error("The project ID in the credentials is not valid. Pass `project=…`.")


def _applies_itself(credentials: Credentials) -> bool:
    """Whether the credentials write other headers than google-auth's base class, which writes the bearer token."""
    from google.auth.credentials import Credentials as Base

    return type(credentials).apply is not Base.apply


def _is_fixed(credentials: Credentials) -> bool:
    """A bare token of the caller's, or none at all, without the means to fetch another one."""
    from google.auth import api_key
    from google.auth.credentials import AnonymousCredentials

    if isinstance(credentials, (AnonymousCredentials, api_key.Credentials)):
        return True
    from google.oauth2.credentials import Credentials as UserCredentials

    means = (getattr(credentials, "refresh_token", ""), getattr(credentials, "refresh_handler", None))
    is_user = isinstance(credentials, UserCredentials) and type(credentials).refresh is UserCredentials.refresh
    return is_user and bool(credentials.token) and means == (None, None)


def _build_request() -> TokenRequest:
    """google-auth's way to the network."""
    from langchain_gemini_compat._auth.google_transport import TokenRequest

    return TokenRequest()
