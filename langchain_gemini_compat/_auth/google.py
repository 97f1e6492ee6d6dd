"""Token sources for Google credentials, and the function that selects a token source.

A token is renewed before it expires. Each refresh runs in its own thread, and only one refresh runs at a time. The
first request for a token imports google-auth and looks up the credentials.
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
from langchain_gemini_compat._auth.shared_tokens import CredentialState, Refresh, Token, share_source, share_state
from langchain_gemini_compat._catalog.surfaces import check_segment
from langchain_gemini_compat._errors.pending import deferring_errors
from langchain_gemini_compat._transport.tokens import AuthInfo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping

    import httpx2
    from google.auth.credentials import Credentials
    from pydantic import SecretStr

    from langchain_gemini_compat._auth.google_transport import TokenRequest
    from langchain_gemini_compat._transport.tokens import TokenSource

    ApiKey = SecretStr | Callable[[], str] | Callable[[], Awaitable[str]]

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: When less than `_WINDOW` remains until a token's expiry, the token is renewed while calls still use it. When less
#: than `_GRACE` remains, calls wait for the new token.
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
    """Return the token source for a connection.

    The source uses `credentials` if given, else `api_key`, else the application default credentials. Calls with the
    same Google credentials and options return the same object, unless a `clock` is passed.

    Args:
        api_key: A key, or a sync or async function that returns a token.
        credentials: Credentials of google-auth.
        quota_project_id: The project that is billed, sent as `x-goog-user-project`.
        source: The origin of the key, for error messages.
        anonymous: Whether the server accepts calls without a credential. If so, default credentials are not looked up.
        clock: Returns the current time, for tests.
        http_client: The client of the caller. Token requests use its proxy and its certificates.
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
    """Return the token source that all calls with these arguments share. If `clock` is given, return a new source."""
    if clock is not None:
        return GoogleTokens(credentials, quota_project_id, CredentialState(), client, clock)
    state, key = share_state(credentials, quota_project_id, client)
    return share_source(
        _shared_sources,
        # An `id` is unique only while its object exists. The shared token source holds `state` and `client`, so they
        # exist as long as the source.
        (*key, id(state), quota_project_id, id(client)),
        lambda: GoogleTokens(credentials, quota_project_id, state, client, _now),
    )


def _now() -> datetime:
    return datetime.now(timezone.utc)


#: The result of a refresh: the token, or the failure.
_Outcome: TypeAlias = Token | Failure


class GoogleTokens:
    """Bearer tokens from credentials of google-auth.

    Without `credentials`, the application default credentials are used.

    The first caller that needs a new token starts a refresh in a thread, and all callers wait for its future. A
    cancelled caller does not cancel the refresh. If the refresh fails, each waiting caller gets an error, and the next
    call starts another refresh.
    """

    def __init__(
        self,
        credentials: Credentials | None,
        quota_project_id: str | None,
        state: CredentialState,
        client: httpx2.Client | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._given = credentials
        self._quota_project_id = quota_project_id
        self._state = state
        self._client = client
        self._clock = clock
        #: Sends the HTTP requests of the running refresh.
        self._network: TokenRequest | None = None
        self.info = (
            AuthInfo("application_default", "application default credentials")
            if credentials is None
            else AuthInfo("google_credentials", "argument `credentials`")
        )
        _all_sources.add(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.info.kind}, {self.info.source})"

    def forget_refresh(self) -> None:
        """Drop the lock and the running refresh. A forked process calls this, since threads do not survive a fork."""
        self._state.forget_refresh()

    @property
    def account(self) -> Hashable:
        """An object that identifies the credentials. Models with the same credentials share this object."""
        return self._state.account

    @property
    def _credentials(self) -> Credentials | None:
        """The credentials with scopes, or `None` before the first token is requested."""
        return self._state.loaded or (self._given if self._state.is_loaded else None)

    def token(self, deadline: float | None = None) -> str:
        found = self._ensure_token(deadline)
        while isinstance(found, Refresh):
            outcome = wait_until(found, deadline, self.info.source)
            found = self._ensure_token(deadline) if self._should_retry(found, outcome) else outcome
        return self._raise_or_return(found)

    async def atoken(self, deadline: float | None = None) -> str:
        found = self._ensure_token(deadline)
        while isinstance(found, Refresh):
            outcome = await await_until(asyncio.wrap_future(found), deadline, self.info.source)
            found = self._ensure_token(deadline) if self._should_retry(found, outcome) else outcome
        return self._raise_or_return(found)

    def _should_retry(self, refresh: Refresh, outcome: _Outcome) -> bool:
        """Return whether to refresh again with this model's HTTP client, because another model's client failed."""
        return isinstance(outcome, Failure) and not outcome.is_timeout and refresh.client is not self._client

    def _raise_or_return(self, outcome: _Outcome) -> str:
        if isinstance(outcome, Token):
            return outcome.value
        if outcome.is_timeout:
            raise build_timeout_error(self.info.source)
        raise outcome.make_error()

    def reject(self, token: str) -> bool:
        state = self._state
        with self._state.lock:
            if state.token is not None and state.token.value == token:
                state.token = None
        return not state.is_static or self._is_changed()

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
            # google-auth does not strip white space from the token, so put the clean token into the header.
            bearer = {f"Bearer {credentials.token}": f"Bearer {token}"}
            own = {name.lower(): bearer.get(value, value) for name, value in applied.items()}
            return {**{name: clean_header(value, f"header {name!r}") for name, value in own.items()}, **self.headers()}
        raise failure.make_error()

    def project(self, deadline: float | None = None) -> str | None:
        self.token(deadline)
        return _check_project(self._state.project or run_until(self._fetch_project, deadline, self.info.source))

    async def aproject(self, deadline: float | None = None) -> str | None:
        await self.atoken(deadline)
        return _check_project(self._state.project or await arun_until(self._fetch_project, deadline, self.info.source))

    def _ensure_token(self, deadline: float | None) -> _Outcome | Refresh:
        """Return a valid token, or a running refresh to wait for. Start a refresh if the token will soon expire."""
        with self._state.lock:
            if not self._state.running and self._is_changed():
                self._state.token = None
            token, now = self._state.token, self._clock()
            if token is not None and (token.renew_at is None or now < token.renew_at):
                return token
            may_wait = token is None or token.expiry is None or token.expiry - now <= _GRACE
            end = math.inf if deadline is None or not may_wait else deadline
            self._state.latest_deadline = max(self._state.latest_deadline, end) if self._state.running else end
            running = self._state.running or self._start_refresh()
            return running if may_wait or token is None else token

    def _is_changed(self) -> bool:
        """Return whether other code has replaced the credentials' token since this class last read it."""
        credentials = self._credentials
        return credentials is not None and _snapshot(credentials) != self._state.last_snapshot

    def _start_refresh(self) -> Refresh:
        future = Refresh(self._client)
        try:
            Thread(target=self._run_refresh, args=(future,), name="gemini-compat-token", daemon=True).start()
        except RuntimeError as err:
            text = f"No token for {self.info.source}: {err}. Too many threads are running."
            future.set_result(Failure(text, is_retryable=True))
        else:
            self._state.running = future
        return future

    def _run_refresh(self, future: Refresh) -> None:
        text = f"No token for {self.info.source}: the refresh was interrupted. Try again."
        outcome: _Outcome = Failure(text, is_retryable=True)
        self._network = None
        try:
            with deferring_errors():
                outcome = self._refresh()
        except BaseException as err:  # without a result of `future`, the callers that wait for it would hang
            outcome = self._describe(err, self._network)
        finally:
            with self._state.lock:
                if isinstance(outcome, Token):
                    self._state.token = outcome
                self._state.running = None
            future.set_result(outcome)

    def _refresh(self) -> Token:
        state, is_first = self._state, not self._state.is_loaded
        credentials = self._load() if is_first else self._credentials
        if credentials is None:
            raise build_error(f"No token for {self.info.source}: there are no credentials. Pass `credentials`.")
        # A token that the credentials already have is used until it expires or the server answers 401.
        before, state.last_snapshot = state.last_snapshot, _snapshot(credentials)
        state.is_static = _is_static(credentials)
        is_replaced = not is_first and state.last_snapshot != before
        expiry = _expiry(credentials)
        may_keep = is_first or is_replaced or state.is_static
        if not may_keep or not self._is_usable(credentials, is_replaced=is_replaced):
            expiry = self._renew(credentials)
        value = cast("str | None", credentials.token)
        if not value and not state.is_static:
            raise build_error(f"No token for {self.info.source}: `refresh` returned no token. Check that method.")
        return self._build_token(clean_header(value or "", f"token of {self.info.source}"), expiry)

    def _renew(self, credentials: Credentials) -> datetime | None:
        """Refresh the credentials and return the expiry of the new token."""
        before = _expiry(credentials)
        network = self._network = self._build_network(credentials)
        try:
            credentials.refresh(network)
        finally:
            self._state.last_snapshot = _snapshot(credentials)
        expiry = _expiry(credentials)
        # Credentials of a caller's own class may set a new token without a new expiry. If the expiry is unchanged and
        # has passed, the new token counts as a token with an unknown expiry.
        is_left = expiry is not None and expiry == before and expiry <= self._clock()
        return None if is_left else expiry

    def _load(self) -> Credentials:
        """Load and return the credentials with scopes. The lookup of default credentials may send requests."""
        import google.auth
        from google.auth.credentials import with_scopes_if_required

        state = self._state
        if self._given is None:
            network = self._network = self._build_network(None)
            # Pass the quota project, since google-auth warns about user credentials without one.
            credentials, state.project = google.auth.default(
                scopes=[SCOPE], request=network, quota_project_id=self._quota_project_id
            )
        else:
            credentials = cast("Credentials", with_scopes_if_required(self._given, [SCOPE]))
            state.project = cast("str | None", getattr(self._given, "project_id", None))
        state.loaded = None if credentials is self._given else credentials
        state.is_loaded = True
        return credentials

    def _build_network(self, credentials: Credentials | None) -> TokenRequest:
        from langchain_gemini_compat._auth.google_transport import TokenRequest, use_with_gdch

        network: object = cast("object", _build_request())
        if isinstance(network, TokenRequest):
            network.client, network.latest_deadline = self._client, lambda: self._state.latest_deadline
            if find_kind(credentials) is CredentialKind.DISTRIBUTED_CLOUD:
                return use_with_gdch(network)
        return cast("TokenRequest", network)

    def _build_token(self, value: str, expiry: datetime | None) -> Token:
        if expiry is None or self._state.is_static:
            return Token(value, expiry, expiry)
        # A metadata server returns its cached token again, even if little of the token's life remains. If such a token
        # were renewed at once, each request would start a refresh that gets the same token. So a token is kept for at
        # least half of its remaining time.
        return Token(value, expiry, expiry - min(_WINDOW, max(expiry - self._clock(), timedelta(0)) / 2))

    def _is_usable(self, credentials: Credentials, *, is_replaced: bool) -> bool:
        """Return whether the credentials' token can be used without a refresh.

        `is_replaced` says whether the token was set by other code, such as the caller's.
        """
        expiry, is_static = _expiry(credentials), self._state.is_static
        if expiry is None:
            return is_static or (is_replaced and bool(credentials.token))
        left = expiry - self._clock()
        return bool(credentials.token) and left > (timedelta(0) if is_static else _WINDOW)

    def _fetch_project(self) -> str | None:
        """Request the project of an external account and return it. Return `None` for other credentials."""
        request_project = getattr(self._credentials, "get_project_id", None)
        if not callable(request_project):
            return None
        self._state.latest_deadline = math.inf
        network = self._build_network(self._credentials)
        try:
            self._state.project = cast("str | None", request_project(network))
        except Exception as err:
            failure = self._describe(err, network)
        else:
            return self._state.project
        raise failure.make_error()

    def _describe(self, err: BaseException, network: TokenRequest | None) -> Failure:
        answer = network.answer if network else None
        return describe_failure(err, self._credentials or self._given, self.info.source, answer)


_all_sources: WeakSet[GoogleTokens] = WeakSet()
_shared_sources: WeakValueDictionary[tuple[object, ...], GoogleTokens] = WeakValueDictionary()


def _forget_refreshes() -> None:
    for source in list(_all_sources):
        source.forget_refresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_refreshes)


def _snapshot(credentials: Credentials) -> tuple[object, object]:
    """Return the token and expiry of `credentials`, to find out later whether the token was replaced."""
    return getattr(credentials, "token", None), getattr(credentials, "expiry", None)


def _expiry(credentials: Credentials) -> datetime | None:
    """Return the expiry in UTC with a time zone. google-auth sets naive UTC times; callers may set other zones."""
    expiry = cast("datetime | None", credentials.expiry)
    if expiry is None:
        return None
    return expiry.replace(tzinfo=timezone.utc) if expiry.tzinfo is None else expiry.astimezone(timezone.utc)


def _check_project(project: str | None) -> str | None:
    """Return `project`, or raise an error for an invalid project ID, since the ID becomes part of the URL."""
    if not project:
        return None
    try:
        check_segment("project", project)
    except ValueError:
        pass
    else:
        return project
    raise build_error("The project ID of the credentials is not valid. Pass `project=…`.")


def _applies_itself(credentials: Credentials) -> bool:
    """Return whether the credentials' class overrides `apply`, to send other headers than a bearer token."""
    from google.auth.credentials import Credentials as Base

    return type(credentials).apply is not Base.apply


def _is_static(credentials: Credentials) -> bool:
    """Return whether the credentials cannot get another token. Bare tokens and API keys are such credentials."""
    from google.auth import api_key
    from google.auth.credentials import AnonymousCredentials

    if isinstance(credentials, (AnonymousCredentials, api_key.Credentials)):
        return True
    from google.oauth2.credentials import Credentials as UserCredentials

    means = (getattr(credentials, "refresh_token", ""), getattr(credentials, "refresh_handler", None))
    is_user = isinstance(credentials, UserCredentials) and type(credentials).refresh is UserCredentials.refresh
    return is_user and bool(credentials.token) and means == (None, None)


def _build_request() -> TokenRequest:
    """Return the transport to pass to google-auth. Tests replace this function."""
    from langchain_gemini_compat._auth.google_transport import TokenRequest

    return TokenRequest()
