"""Bearer tokens from keys, callables and Google credentials: refreshes, deadlines and error messages."""

import asyncio
import contextvars
import json
import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
import traceback
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import google.auth.credentials
import pytest
from google.auth import compute_engine, identity_pool, impersonated_credentials
from google.auth._cloud_sdk import CLOUD_SDK_CLIENT_ID
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials as UserCredentials
from pydantic import SecretStr
from token_server import serve_tokens

from langchain_gemini_compat._auth import google as _auth
from langchain_gemini_compat._auth.google import build_token_source
from langchain_gemini_compat.errors import CredentialsError, RequestTimeoutError

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
LOGIN = "`gcloud auth application-default login`"
CANARY = "canary-" + "0123456789abcdef" * 4


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def pass_time(self, **kwargs):
        self.now += timedelta(**kwargs)


class Counting(google.auth.credentials.Credentials):
    """Credentials that count their refreshes. The first refreshes raise the exceptions in `failures`.

    A refresh takes `seconds`, and its token is valid for `life`.
    """

    def __init__(self, clock, seconds=0.0, failures=(), life=None):
        super().__init__()
        self.clock, self.seconds, self.failures = clock, seconds, list(failures)
        self.life = life or timedelta(hours=1)
        self.refreshes, self.threads = 0, set()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def refresh(self, request):
        self.threads.add(threading.current_thread())
        time.sleep(self.seconds)
        assert self.may_go_on.wait(30)
        if self.failures:
            raise self.failures.pop(0)
        self.refreshes += 1
        self.token = f"token-{self.refreshes}"
        self.expiry = self.clock().replace(tzinfo=None) + self.life


class Answers:
    """A transport for google-auth with one answer (status and body) for each host. It records the URLs."""

    def __init__(self, **answers):
        self.answers, self.sent, self.answer = answers, [], None

    def __call__(self, url, method="GET", body=None, headers=None, timeout=None, **kwargs):
        self.sent.append(url)
        host = urllib.parse.urlsplit(url).netloc.partition(".")[0]
        answer = self.answers[host]
        if isinstance(answer, Exception):
            raise answer
        status, content = answer
        data = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.answer = type("Response", (), {"status": status, "data": data, "headers": {}})()
        return self.answer


@pytest.fixture
def servers(monkeypatch):
    """Return a function that replaces google-auth's network by an `Answers` with the given answers."""

    def play(**answers):
        network = Answers(**answers)
        monkeypatch.setattr(_auth, "_build_request", lambda: network)
        return network

    return play


@pytest.fixture
def credentials_file(monkeypatch, tmp_path):
    """Write a login file, set GOOGLE_APPLICATION_CREDENTIALS to it, and hide other logins of this machine."""

    def write(content):
        path = tmp_path / "login.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        for name in ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_QUOTA_PROJECT"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
        monkeypatch.setenv("PATH", "")
        return path

    return write


def source(credentials, clock=None, quota_project_id=None):
    return build_token_source(
        api_key=None,
        credentials=credentials,
        quota_project_id=quota_project_id,
        source="",
        clock=clock or Clock(),
    )


def key_source(api_key, quota_project_id=None):
    return build_token_source(
        api_key=api_key, credentials=None, quota_project_id=quota_project_id, source="argument `api_key`"
    )


def message(tokens):
    with pytest.raises(CredentialsError) as caught:
        tokens.token()
    return str(caught.value)


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def in_threads(number, call):
    """Return the results of `call` in `number` threads that start together."""
    gate = threading.Barrier(number)

    def run(_):
        gate.wait(60)
        return call()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def user(**kwargs):
    means = {"refresh_token": CANARY, "client_id": "id", "client_secret": CANARY + "secret"}
    return UserCredentials(None, **{"token_uri": "https://oauth2.googleapis.com/token", **means, **kwargs})


class FakeSigner(google.auth.crypt.Signer):
    key_id = "1"

    def sign(self, text):
        return b"signature"


def robot():
    return service_account.Credentials(
        FakeSigner(), "robot@p.iam.gserviceaccount.com", "https://oauth2.googleapis.com/"
    )


def pool(path):
    """Return credentials of workload identity federation with a subject token in a file."""
    return identity_pool.Credentials(
        audience="//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        subject_token_type="urn:ietf:params:oauth:token-type:jwt",
        token_url="https://sts.googleapis.com/v1/token",
        credential_source={"file": str(path)},
    )


async def test_thousand_tasks_and_fifty_threads_cause_one_refresh_a_lifetime():
    """Each hour, one refresh serves all callers. No refresh runs on the thread of the event loop."""
    clock = Clock()
    credentials = Counting(clock, seconds=0.02)
    tokens = source(credentials, clock)
    for hour in range(1, 5):
        in_loop = asyncio.gather(*(tokens.atoken() for _ in range(1000)))
        in_others = asyncio.to_thread(in_threads, 50, tokens.token)
        assert {*(await in_loop), *(await in_others)} == {f"token-{hour}"}
        clock.pass_time(minutes=59, seconds=30)
    assert credentials.refreshes == 4
    assert threading.main_thread() not in credentials.threads


async def test_steady_traffic_never_meets_an_expired_token():
    """Calls every two minutes for three hours cause one refresh an hour, before the token expires."""
    clock = Clock()
    credentials = Counting(clock)
    tokens = source(credentials, clock)
    for _ in range(90):
        await asyncio.gather(*(tokens.atoken() for _ in range(20)))
        wait_for(lambda: tokens._state.running is None)
        assert credentials.expiry.replace(tzinfo=timezone.utc) - clock() > timedelta(minutes=4)
        clock.pass_time(minutes=2)
    assert credentials.refreshes == 4


def test_refresh_before_expiry_does_not_block_callers():
    """Four minutes before expiry, callers get the old token while the refresh runs."""
    clock = Clock()
    credentials = Counting(clock)
    tokens = source(credentials, clock)
    assert tokens.token() == "token-1"
    credentials.may_go_on.clear()
    clock.pass_time(minutes=56)
    assert {tokens.token() for _ in range(50)} == {"token-1"}
    credentials.may_go_on.set()
    wait_for(lambda: tokens.token() == "token-2")
    assert credentials.refreshes == 2


def test_token_far_from_its_expiry_is_not_replaced():
    clock = Clock()
    tokens = source(Counting(clock), clock)
    tokens.token()
    clock.pass_time(minutes=54)
    tokens.token()
    assert tokens._state.running is None


def test_token_about_to_expire_is_not_used():
    """With less than a minute left, callers wait for the new token."""
    clock = Clock()
    tokens = source(Counting(clock, seconds=0.02), clock)
    tokens.token()
    clock.pass_time(minutes=59, seconds=30)
    assert tokens.token() == "token-2"


def test_short_lived_token_is_not_refreshed_at_every_call():
    """A metadata server returns its cached token, here with four minutes left."""
    clock = Clock()
    credentials = Counting(clock, life=timedelta(minutes=4))
    tokens = source(credentials, clock)
    for _ in range(20):
        tokens.token()
        wait_for(lambda: tokens._state.running is None)
        clock.pass_time(seconds=5)
    assert credentials.refreshes == 1
    clock.pass_time(minutes=1)
    tokens.token()
    wait_for(lambda: credentials.refreshes == 2)


@pytest.mark.parametrize(
    ("deadlines", "expected"),
    [((50.0,), 50.0), ((50.0, 70.0, 60.0), 70.0), ((50.0, None), float("inf")), ((None,), float("inf"))],
)
async def test_refresh_may_last_until_the_deadline_of_the_last_waiting_caller(deadlines, expected):
    """If one of the waiting callers has no deadline, the refresh has none."""
    credentials = Counting(Clock())
    credentials.may_go_on.clear()
    tokens = source(credentials)
    begin = time.monotonic()
    waiting = [tokens.atoken(None if one is None else begin + one) for one in deadlines]
    tasks = [asyncio.create_task(one) for one in waiting]
    await asyncio.sleep(0)
    assert tokens._state.latest_deadline == begin + expected
    credentials.may_go_on.set()
    assert await asyncio.gather(*tasks) == ["token-1"] * len(tasks)


def test_early_refresh_has_no_deadline():
    """The caller does not wait for the new token, so the caller's deadline does not end the refresh."""
    clock = Clock()
    credentials = Counting(clock)
    tokens = source(credentials, clock)
    tokens.token()
    clock.pass_time(minutes=58)
    credentials.may_go_on.clear()
    assert tokens.token(time.monotonic() + 5) == "token-1"
    assert tokens._state.latest_deadline == float("inf")
    credentials.may_go_on.set()
    wait_for(lambda: credentials.refreshes == 2)


async def test_event_loop_runs_on_while_a_token_is_fetched():
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await source(Counting(Clock(), seconds=0.2)).atoken()
    ticking.cancel()
    assert ticks >= 5


async def test_cancelled_waiter_leaves_the_refresh_to_the_others():
    credentials = Counting(Clock())
    credentials.may_go_on.clear()
    tokens = source(credentials)
    first, second = asyncio.create_task(tokens.atoken()), asyncio.create_task(tokens.atoken())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    credentials.may_go_on.set()
    assert await second == "token-1"
    assert first.cancelled()
    assert credentials.refreshes == 1


@pytest.mark.parametrize("failures", [[], [TransportError("no route")]])
def test_event_loop_may_end_during_a_refresh(caplog, failures):
    """The only waiting call times out, and its loop closes. No error is logged, and the next call works."""
    credentials = Counting(Clock(), failures=failures)
    credentials.may_go_on.clear()
    tokens = source(credentials)
    with pytest.raises(asyncio.TimeoutError), caplog.at_level(logging.DEBUG):
        asyncio.run(asyncio.wait_for(tokens.atoken(), 0.02))
    wait_for(lambda: credentials.threads)
    with caplog.at_level(logging.DEBUG):
        credentials.may_go_on.set()
        for thread in set(credentials.threads):
            thread.join(60)
    assert tokens.token() == "token-1"
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_event_loops_of_several_threads_share_a_refresh():
    credentials = Counting(Clock(), seconds=0.1)
    tokens = source(credentials)
    assert in_threads(5, lambda: asyncio.run(tokens.atoken())) == ["token-1"] * 5
    assert credentials.refreshes == 1


def test_many_rejections_of_one_token_cause_one_refresh():
    """Twenty threads reject the same token at once. A later rejection of this old token causes no further refresh."""
    credentials = Counting(Clock(), seconds=0.02)
    tokens = source(credentials)
    old = tokens.token()
    assert in_threads(20, lambda: (tokens.reject(old), tokens.token())) == [(True, "token-2")] * 20
    assert tokens.reject(old)
    assert tokens.token() == "token-2"
    assert credentials.refreshes == 2


def test_rejected_key_is_final_and_rejected_callable_is_not():
    assert not key_source(SecretStr("k")).reject("k")
    assert key_source(lambda: "k").reject("k")


def test_bare_token_is_used_until_it_expires():
    clock = Clock()
    bare = UserCredentials("bare", expiry=clock().replace(tzinfo=None) + timedelta(minutes=3))
    tokens = source(bare, clock)
    assert tokens.token() == "bare"
    clock.pass_time(minutes=2, seconds=30)
    assert tokens.token() == "bare"
    assert not tokens.reject("bare")
    clock.pass_time(minutes=1)
    assert "there is no refresh token to renew it" in message(tokens)
    endless = source(UserCredentials("endless"))
    assert (endless.token(), endless.reject("endless"), endless.token()) == ("endless", False, "endless")


def test_anonymous_credentials_send_no_token():
    assert source(google.auth.credentials.AnonymousCredentials()).token() == ""


def test_existing_token_of_credentials_is_used_until_it_expires():
    clock = Clock()
    credentials = Counting(clock)
    credentials.token, credentials.expiry = "brought", clock().replace(tzinfo=None) + timedelta(minutes=30)
    tokens = source(credentials, clock)
    assert (tokens.token(), credentials.refreshes) == ("brought", 0)
    tokens.reject("brought")
    assert tokens.token() == "token-1"


def test_refresh_handler_is_called_after_a_rejection():
    """Credentials with a handler can be renewed without a refresh token."""
    answers = iter(["first", "second"])
    far = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(days=9000)
    tokens = source(UserCredentials("old", refresh_handler=lambda request, scopes: (next(answers), far)))
    token = tokens.token()
    assert tokens.reject(token)
    assert tokens.token() != token


def test_failed_refresh_reaches_every_waiter_and_the_next_call_tries_again():
    """Each waiting call raises a separate exception object, because each `raise` extends the object's traceback."""
    credentials = Counting(Clock(), seconds=0.5, failures=[TransportError("no route")])
    tokens = source(credentials)

    def ask():
        try:
            return tokens.token()
        except CredentialsError as err:
            return err

    caught = in_threads(5, ask)
    assert all("network" in str(err) for err in caught)
    assert len({id(err) for err in caught}) == 5
    assert all(err.__cause__ is None and err.__context__ is None for err in caught)
    assert tokens.token() == "token-1"


async def test_failed_refresh_reaches_async_waiters_too():
    tokens = source(Counting(Clock(), seconds=0.02, failures=[TransportError("no route")]))
    results = await asyncio.gather(*(tokens.atoken() for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [CredentialsError] * 5
    assert await tokens.atoken() == "token-1"


def test_failed_early_refresh_is_silent_while_the_token_is_valid():
    clock = Clock()
    credentials = Counting(clock)
    tokens = source(credentials, clock)
    tokens.token()
    credentials.failures = [TransportError("no route")]
    clock.pass_time(minutes=56)
    assert tokens.token() == "token-1"
    wait_for(lambda: not credentials.failures)
    wait_for(lambda: tokens.token() == "token-2")


def test_refresh_that_exits_does_not_block_callers():
    """The refresh raises `SystemExit`, which is not an `Exception`. The waiting callers get an error nevertheless."""
    tokens = source(Counting(Clock(), failures=[SystemExit("stop")]))
    assert "stop" in message(tokens)
    assert tokens.token() == "token-1"


def test_missing_thread_for_a_refresh_is_an_error(monkeypatch):
    tokens = source(Counting(Clock()))

    def refuse(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert "can't start new thread" in message(tokens)
    assert tokens.token() == "token-1"


def test_refresh_without_token_is_an_error():
    """The refresh returns no token. The call fails, and neither sends its request without a token nor tries again."""

    class Empty(Counting):
        def refresh(self, request):
            self.token = None

    said, is_retryable = failure_of(source(Empty(Clock())))
    assert "returned no token" in said
    assert not is_retryable


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("held", [False, True], ids=["refresh under way", "lock held as well"])
def test_forked_process_does_not_wait_for_its_parents_refresh(held):
    """A forked child has no thread that refreshes the token or releases the lock, so it must not wait for them."""
    code = f"""
import os, signal, threading, time
import google.auth.credentials
from langchain_gemini_compat._auth.google import build_token_source

class Slow(google.auth.credentials.Credentials):
    seconds, begun = 30, threading.Event()
    def refresh(self, request):
        self.begun.set()
        time.sleep(self.seconds)
        self.token = "token"

credentials = Slow()
tokens = build_token_source(api_key=None, credentials=credentials, quota_project_id=None, source="")
threading.Thread(target=tokens.token, daemon=True).start()
assert credentials.begun.wait(30)
if {held}:
    tokens._state.lock.acquire()
pid = os.fork()
if pid == 0:
    signal.alarm(20)
    credentials.seconds = 0
    token = tokens.token()
    tokens.reject(token)
    print(tokens.token(), flush=True)
    os._exit(0)
print(os.waitpid(pid, 0)[1], flush=True)
os._exit(0)
"""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.split() == ["token", "0"], run.stderr


def test_sync_callable_runs_off_the_event_loop():
    """A sync callable may block. It is called for each request."""
    asked = []

    def ask():
        asked.append(threading.current_thread())
        return f"k{len(asked)}"

    tokens = key_source(ask)
    assert (asyncio.run(tokens.atoken()), tokens.token()) == ("k1", "k2")
    assert asked[0] is not threading.main_thread()


def test_async_callables_of_all_shapes_are_awaited():
    """The callable is a function, or an object whose call returns an awaitable."""

    async def ask():
        return "k"

    class Asking:
        async def __call__(self):
            return "k"

    assert [asyncio.run(key_source(each).atoken()) for each in (ask, Asking())] == ["k", "k"]
    assert "async callable" in message(key_source(ask))


@pytest.mark.parametrize(("answer", "said"), [(None, "NoneType"), ("", "an empty string"), (b"k", "bytes")])
def test_callable_without_token_is_an_error(answer, said):
    tokens = key_source(lambda: answer)
    assert said in message(tokens)
    with pytest.raises(CredentialsError, match=said):
        asyncio.run(tokens.atoken())


def test_line_break_after_a_key_is_removed():
    """Keys are often read from files. A key with other control characters is refused, and not shown."""
    assert key_source(SecretStr("key\n")).token() == key_source(lambda: "key\n").token() == "key"
    for broken in ("canary\nkey", "canary\u2026key"):
        said = message(key_source(SecretStr(broken)))
        assert "argument `api_key`" in said
        assert "canary" not in said


def test_info_names_kind_and_source():
    given = [key_source(SecretStr("k")), key_source(lambda: "k"), source(Counting(Clock())), source(None)]
    local = build_token_source(api_key=None, credentials=None, quota_project_id=None, source="", anonymous=True)
    assert [(tokens.info.kind, tokens.info.source) for tokens in [*given, local]] == [
        ("api_key", "argument `api_key`"),
        ("callable", "argument `api_key`"),
        ("google_credentials", "argument `credentials`"),
        ("application_default", "application default credentials"),
        ("none", "no credential given"),
    ]
    assert local.token() == ""


def test_default_credentials_are_looked_up_at_the_first_token(monkeypatch):
    """The lookup happens once, off the thread of the event loop, with the scope of Google Cloud."""
    clock, calls = Clock(), []

    def default(*, scopes, request, quota_project_id):
        calls.append((scopes, quota_project_id, threading.current_thread() is threading.main_thread()))
        return Counting(clock), "their-project"

    monkeypatch.setattr("google.auth.default", default)
    tokens = source(None, clock, "billing")
    assert calls == []
    assert asyncio.run(tokens.aproject()) == "their-project"
    tokens.token()
    assert calls == [(["https://www.googleapis.com/auth/cloud-platform"], "billing", False)]


def test_failed_lookup_is_repeated(monkeypatch):
    """The user may have logged in meanwhile."""
    answers = iter([DefaultCredentialsError("Your default credentials were not found."), None])

    def default(**_):
        err = next(answers)
        if err:
            raise err
        return Counting(Clock()), None

    monkeypatch.setattr("google.auth.default", default)
    tokens = source(None)
    said = message(tokens)
    assert said.startswith("No Google credentials were found.")
    assert LOGIN in said
    assert tokens.token() == "token-1"


def test_file_of_the_environment_is_used(credentials_file, servers):
    """The file is read at the first call, with its quota project."""
    login = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
    credentials_file({**login, "quota_project_id": "theirs"})
    servers(oauth2=(200, {"access_token": "fetched", "expires_in": 3600}))
    tokens = source(None)
    assert tokens.headers() == {}
    assert tokens.token() == "fetched"
    assert tokens.headers() == {"x-goog-user-project": "theirs"}


def test_quota_project_of_the_environment_is_used(credentials_file, servers, monkeypatch):
    """GOOGLE_CLOUD_QUOTA_PROJECT overrides the file, and an argument overrides both."""
    credentials_file({"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"})
    monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "environment")
    servers(oauth2=(200, {"access_token": "fetched", "expires_in": 3600}))
    tokens, explicit = source(None), source(None, quota_project_id="mine")
    tokens.token()
    explicit.token()
    assert tokens.headers() == {"x-goog-user-project": "environment"}
    assert explicit.headers() == {"x-goog-user-project": "mine"}


@pytest.mark.parametrize("content", ["{", '{"type": "nonsense"}'])
def test_broken_file_of_the_environment_is_named(credentials_file, content):
    """The error message differs from the message for missing credentials."""
    path = credentials_file(content)
    said = message(source(None))
    assert path.name in said
    assert "GOOGLE_APPLICATION_CREDENTIALS" in said
    assert LOGIN in said


def test_quota_project_argument_prevents_the_warning_of_google_auth(credentials_file, servers):
    """google-auth warns about gcloud logins without a quota project, and tests treat warnings as errors."""
    login = {"type": "authorized_user", "client_id": CLOUD_SDK_CLIENT_ID, "client_secret": "s", "refresh_token": "r"}
    credentials_file(login)
    servers(oauth2=(200, {"access_token": "fetched", "expires_in": 3600}))
    assert source(None, quota_project_id="mine").token() == "fetched"
    assert "`gcloud auth application-default set-quota-project PROJECT`" in message(source(None))


def test_user_credentials_carry_their_quota_project():
    """An explicit quota project overrides it."""
    credentials = UserCredentials("token", quota_project_id="theirs")
    assert source(credentials).headers() == {"x-goog-user-project": "theirs"}
    assert source(credentials, quota_project_id="mine").headers() == {"x-goog-user-project": "mine"}


def test_service_accounts_and_keys_send_only_an_explicit_quota_project():
    """The project of a service account is billed by default."""
    assert source(robot()).headers() == key_source(SecretStr("k")).headers() == {}
    for tokens in (source(robot(), quota_project_id="mine"), key_source(SecretStr("k"), "mine")):
        assert tokens.headers() == {"x-goog-user-project": "mine"}


def test_given_credentials_are_scoped():
    """The package uses a copy of a service account without scopes. The copy gets the scope of Google Cloud."""
    given, seen = robot(), []

    class Seen(Answers):
        def __call__(self, url, **kwargs):
            seen.append(kwargs)
            raise TransportError("no route")

    tokens = source(given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_auth, "_build_request", Seen)
        message(tokens)
    assert tokens._credentials.scopes == ["https://www.googleapis.com/auth/cloud-platform"]
    assert given.scopes is None
    assert seen


def test_project_of_a_service_account_is_known():
    """The key file of a service account contains its project. For an API key, the project is not known."""
    credentials = Counting(Clock())
    credentials.project_id = "theirs"
    tokens = source(credentials)
    assert tokens.project() == asyncio.run(tokens.aproject()) == "theirs"
    assert key_source(SecretStr("k")).project() is asyncio.run(key_source(lambda: "k").aproject()) is None


def test_project_of_an_external_account_is_requested_off_the_loop(monkeypatch):
    """A failed request for the project raises an error of this package. The next call sends the request again."""
    monkeypatch.setattr(_auth, "_build_request", lambda: None)
    credentials, asked = Counting(Clock()), []

    def get_project_id(request):
        asked.append(threading.current_thread())
        if len(asked) == 1:
            raise TransportError("no route")
        return "theirs"

    credentials.get_project_id = get_project_id
    tokens = source(credentials)
    with pytest.raises(CredentialsError, match="network"):
        asyncio.run(tokens.aproject())
    assert asyncio.run(tokens.aproject()) == tokens.project() == "theirs"
    assert len(asked) == 2
    assert threading.main_thread() not in asked


def test_expired_login_suggests_a_login(servers):
    servers(oauth2=(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}))
    said = message(source(user(account="me@example.com")))
    assert "user credentials me@example.com (argument `credentials`)" in said
    assert "login has expired or was revoked" in said
    assert said.endswith(f"Run {LOGIN}.")


def test_reauthentication_suggests_a_login(servers):
    """Organisations may limit the length of a session."""
    body = {"error": "invalid_grant", "error_description": "reauth related error (invalid_rapt)"}
    servers(oauth2=(400, {**body, "error_subtype": "invalid_rapt"}))
    assert LOGIN in message(source(user(refresh_token="r", quota_project_id="q")))


@pytest.mark.parametrize(
    "text", ["Invalid JWT: Token must be a short-lived token, check your iat and exp values.", "Invalid JWT Signature."]
)
def test_refused_service_account_key_suggests_clock_and_key(servers, text):
    """A new login would not help, so the message does not suggest a login."""
    servers(oauth2=(400, {"error": "invalid_grant", "error_description": text}))
    said = message(source(robot()))
    assert "service account key robot@p.iam.gserviceaccount.com" in said
    assert text in said
    assert "clock" in said
    assert "`gcloud iam service-accounts keys list --iam-account=robot@p.iam.gserviceaccount.com`" in said
    assert "login" not in said


def impersonating(caller):
    return impersonated_credentials.Credentials(caller, "target@p.iam.gserviceaccount.com", ["scope"])


def test_missing_role_for_impersonation_is_named(servers):
    """The command names the account on which to grant the role."""
    denied = {"error": {"code": 403, "message": "Permission 'iam.serviceAccounts.getAccessToken' denied"}}
    servers(oauth2=(200, {"access_token": "t", "expires_in": 3600}), iamcredentials=(403, denied))
    said = message(source(impersonating(user())))
    assert "impersonated service account target@p.iam.gserviceaccount.com" in said
    assert "roles/iam.serviceAccountTokenCreator" in said
    assert "add-iam-policy-binding target@p.iam.gserviceaccount.com" in said


def test_disabled_api_behind_impersonation_is_named(servers):
    """The message does not suggest another role, since a role would not help."""
    disabled = {"error": {"code": 403, "message": "IAM Service Account Credentials API has not been used in project 1"}}
    servers(oauth2=(200, {"access_token": "t", "expires_in": 3600}), iamcredentials=(403, disabled))
    assert "`gcloud services enable iamcredentials.googleapis.com`" in message(source(impersonating(user())))


def test_expired_login_behind_impersonation_suggests_a_login(servers):
    """The credentials of the caller failed, so a role would not help."""
    servers(oauth2=(400, {"error": "invalid_grant", "error_description": "Bad Request"}))
    said = message(source(impersonating(user())))
    assert "target@p.iam.gserviceaccount.com" in said
    assert LOGIN in said
    assert "TokenCreator" not in said


def test_refused_quota_project_suggests_another_one(servers):
    """A request for impersonation has the quota project of the caller, which the server refuses here."""
    denied = {
        "error": {
            "code": 403,
            "message": "Caller does not have required permission to use project q. "
            "Grant the caller serviceusage.services.use",
            "details": [{"reason": "USER_PROJECT_DENIED"}],
        }
    }
    servers(oauth2=(200, {"access_token": "t", "expires_in": 3600}), iamcredentials=(403, denied))
    said = message(source(impersonating(user(quota_project_id="q"))))
    assert "`gcloud auth application-default set-quota-project PROJECT`" in said


def test_missing_metadata_server_is_named(servers, monkeypatch):
    """Without a metadata server, the error suggests a login, or a service account for the machine."""
    servers()

    def fail(*_, **__):
        raise TransportError(
            "Failed to retrieve http://metadata.google.internal/. Compute Engine Metadata server unavailable"
        )

    monkeypatch.setattr("google.auth.compute_engine._metadata.get", fail)
    said = message(source(compute_engine.Credentials()))
    assert "metadata server's service account (argument" in said
    assert "attach a service account" in said
    assert LOGIN in said
    assert "Check the network" not in said


def test_failed_federation_suggests_its_configuration(servers, tmp_path):
    """In one case the file with the subject token is missing. In the other, the server refuses the token."""
    path = tmp_path / "subject"
    servers(sts=(400, {"error": "invalid_request", "error_description": f"Bad subject token {CANARY}"}))
    said = message(source(pool(path)))
    assert "workload identity federation" in said
    assert "was not found" in said
    assert "`gcloud iam workload-identity-pools providers describe " in said
    path.write_text(CANARY, "utf-8")
    said = message(source(pool(path)))
    assert "Bad subject token [hidden]" in said
    assert "login" not in said


def test_unreachable_token_server_suggests_no_login(servers):
    """The error quotes the text of google-auth, which names the certificate or the proxy."""
    servers(oauth2=TransportError("CERTIFICATE_VERIFY_FAILED at proxy http://me:canary@proxy.invalid:3128/"))
    said = message(source(user()))
    assert "could not be reached" in said
    assert "CERTIFICATE_VERIFY_FAILED" in said
    assert "gcloud" not in said
    assert "canary" not in said


def test_missing_packages_are_named():
    """Some kinds of credentials need another package."""
    said = message(source(Counting(Clock(), failures=[ImportError("pyu2f is required: pip install pyu2f")])))
    assert "pyu2f" in said
    assert "requests" not in said
    said = message(source(Counting(Clock(), failures=[ImportError("No module named 'OpenSSL'")])))
    assert "Run `pip install pyopenssl`." in said


@pytest.mark.parametrize(
    "body",
    [
        CANARY,
        {"access_token": CANARY},
        {"error": "strange", "error_description": f"'client_secret': '{CANARY[:12]}'"},
        {"error": "strange", "error_description": f"refresh token {CANARY} is not known"},
        {"error": {"message": "short", "id_token": CANARY[:20]}},
    ],
)
def test_secret_in_an_answer_is_not_in_the_exception(servers, body):
    """A secret that the server's answer repeats is not in the exception's text, traceback or pickle."""
    servers(oauth2=(400, body))
    with pytest.raises(CredentialsError) as caught:
        source(user()).token()
    seen = "".join(traceback.format_exception(caught.type, caught.value, caught.tb)) + repr(pickle.dumps(caught.value))
    assert "canary" not in seen
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_short_secret_of_the_credentials_is_hidden(servers):
    """The secret looks like ordinary words. It is hidden, because it is the `client_secret` of the credentials."""
    servers(oauth2=(400, {"error": "invalid_client", "error_description": "The client hush-hush is not known."}))
    said = message(source(user(client_secret="hush-hush")))
    assert "The client [hidden] is not known." in said


def test_repr_has_no_secret():
    google_tokens, key = source(Counting(Clock())), key_source(SecretStr("canary"))
    google_tokens.token()
    assert key.token() == "canary"
    assert repr(google_tokens) == "GoogleTokens(google_credentials, argument `credentials`)"
    assert repr(key) == "StaticToken(api_key, argument `api_key`)"
    assert repr(key_source(lambda: "k")) == "CallableToken(callable, argument `api_key`)"
    held = [vars(tokens) for tokens in (google_tokens, key)]
    assert "token-1" not in repr(held)
    assert "canary" not in repr(held)


def test_credentials_error_can_be_pickled():
    with pytest.raises(CredentialsError) as caught:
        source(Counting(Clock(), failures=[RefreshError("x")])).token()
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@contextmanager
def out_of_time(seconds=0.1):
    """Yield a deadline. Check that the `with` block raises a `RequestTimeoutError` soon after this deadline."""
    start = time.monotonic()
    with pytest.raises(RequestTimeoutError) as caught:
        yield start + seconds
    assert seconds <= time.monotonic() - start < seconds + 2
    assert caught.value.limit == "total"
    assert caught.value.is_retryable


async def test_deadline_ends_the_wait_and_not_the_refresh():
    """A call stops waiting at its deadline. The refresh goes on, and calls with a later deadline get its token."""
    credentials = Counting(Clock())
    credentials.may_go_on.clear()
    tokens = source(credentials)
    patient = asyncio.gather(tokens.atoken(), tokens.atoken(time.monotonic() + 30))
    with out_of_time() as deadline:
        await tokens.atoken(deadline)
    with out_of_time() as deadline:
        await tokens.aproject(deadline)
    with out_of_time() as deadline:
        tokens.token(deadline)
    with out_of_time() as deadline:
        tokens.project(deadline)
    credentials.may_go_on.set()
    assert await patient == ["token-1", "token-1"]
    assert tokens.token(time.monotonic() - 1) == "token-1"
    assert credentials.refreshes == 1


def test_request_for_the_project_has_a_deadline():
    asked = threading.Event()

    class Asking(Counting):
        def get_project_id(self, request):
            asked.wait(30)
            return "p"

    tokens = source(Asking(Clock()))
    tokens.token()
    with out_of_time() as deadline:
        tokens.project(deadline)
    with out_of_time() as deadline:
        asyncio.run(tokens.aproject(deadline))
    asked.set()
    assert tokens.project(time.monotonic() + 30) == "p"


def test_hanging_callable_ends_at_the_deadline():
    """At the deadline, a sync callable continues to run in its thread. An async callable is cancelled."""
    may_go_on, ended = threading.Event(), []

    def ask():
        may_go_on.wait(30)
        return "k"

    async def aask():
        try:
            await asyncio.sleep(30)
        finally:
            ended.append("async")

    with out_of_time() as deadline:
        key_source(ask).token(deadline)
    with out_of_time() as deadline:
        asyncio.run(key_source(ask).atoken(deadline))

    async def ask_and_go_on():
        with out_of_time() as deadline:
            await key_source(aask).atoken(deadline)
        await asyncio.sleep(0.05)
        return list(ended)

    assert asyncio.run(ask_and_go_on()) == ["async"]
    may_go_on.set()
    assert key_source(ask).token(time.monotonic() + 30) == "k"


def test_callable_with_a_deadline_sees_the_context_of_its_caller():
    """With a deadline, the callable runs in another thread, but with the context of the caller."""
    who = contextvars.ContextVar("who")
    who.set("me")
    tokens = key_source(who.get)
    assert tokens.token(time.monotonic() + 30) == "me"
    assert asyncio.run(tokens.atoken(time.monotonic() + 30)) == "me"


class TemporaryError(Exception):
    retryable = True


def raising(error):
    """Yield calls of sync and async callables that raise `error`, with and without a deadline."""

    def ask():
        raise error

    async def aask():
        raise error

    later = time.monotonic() + 30
    yield lambda: key_source(ask).token()
    yield lambda: key_source(ask).token(later)
    for each, deadline in ((ask, None), (ask, later), (aask, None), (aask, later)):
        yield lambda each=each, deadline=deadline: asyncio.run(key_source(each).atoken(deadline))


@pytest.mark.parametrize(
    ("error", "is_retryable", "said"),
    [
        (RuntimeError("vault sealed"), False, "raised RuntimeError: vault sealed."),
        (FileNotFoundError(2, "No such file"), False, "No such file"),
        (TemporaryError(), True, "raised TemporaryError: TemporaryError. Try again"),
        (TransportError(f"no route for {CANARY}"), False, "raised TransportError: no route for [hidden]."),
        (RefreshError("later", retryable=True), True, "later"),
        (StopIteration(), False, "StopIteration"),
    ],
)
def test_failing_callable_is_a_credentials_error(error, is_retryable, said):
    """The error message names the argument `api_key`.

    The exception of the callable is the error's `__cause__`, and decides whether the error is retryable.
    """
    calls = list(raising(error))
    # Only the first four calls, which use a sync function, can raise `StopIteration`. A coroutine cannot.
    for call in calls if not isinstance(error, StopIteration) else calls[:4]:
        with pytest.raises(CredentialsError) as caught:
            call()
        assert said in str(caught.value)
        assert "argument `api_key`" in str(caught.value)
        assert caught.value.__cause__ is error
        assert caught.value.is_retryable is is_retryable


def test_error_of_this_package_from_a_callable_is_kept():
    """An error of this package is not wrapped, since its message is more exact than that of a wrapper."""
    for call in raising(CredentialsError("Ask Kim for a key.")):
        with pytest.raises(CredentialsError, match=r"^Ask Kim for a key\.$"):
            call()


def test_missing_thread_for_a_callable_is_an_error(monkeypatch):
    """A callable runs in a new thread if the call has a deadline. Here, no new thread can be started."""
    tokens = key_source(lambda: "k")

    def refuse(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(CredentialsError, match="can't start new thread"):
            tokens.token(time.monotonic() + 30)
    assert tokens.token(time.monotonic() + 30) == "k"


@pytest.fixture
def patient(monkeypatch):
    """Skip the pauses between google-auth's own three tries."""
    monkeypatch.setattr("google.auth._exponential_backoff.time", SimpleNamespace(sleep=lambda _: None))


def failure_of(tokens):
    with pytest.raises(CredentialsError) as caught:
        tokens.token()
    return str(caught.value), caught.value.is_retryable


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_temporary_failure_of_the_token_server_is_retryable(servers, patient, tmp_path, status):
    """This applies to each kind of credentials. The message does not suggest a command, which would not help."""
    (tmp_path / "token").write_text("subject")
    answer = (status, {"error": "strange", "error_description": "Not now"})
    servers(oauth2=answer, sts=answer)
    for credentials in (user(), robot(), pool(tmp_path / "token")):
        said, is_retryable = failure_of(source(credentials))
        assert "the token server failed: " in said
        assert "Not now" in said
        assert said.endswith("Try again later.")
        assert is_retryable


def test_temporary_failure_behind_impersonation_is_retryable(servers, patient):
    """The error message says "Try again", and does not suggest a role."""
    servers(oauth2=(200, {"access_token": "t", "expires_in": 3600}), iamcredentials=(503, {"error": {}}))
    said, is_retryable = failure_of(
        source(impersonated_credentials.Credentials(user(), "robot@p.iam.gserviceaccount.com", []))
    )
    assert "Try again" in said
    assert "roles/" not in said
    assert is_retryable


def test_refusal_is_not_retryable(servers):
    servers(oauth2=(400, {"error": "invalid_grant", "error_description": "Bad"}))
    assert failure_of(source(user()))[1] is False


def test_network_failure_is_retryable(monkeypatch):
    """The connection is refused, or the name cannot be resolved."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    said, is_retryable = failure_of(source(user(token_uri=f"http://127.0.0.1:{port}/")))
    assert "could not be reached" in said
    assert "try again" in said
    assert is_retryable

    def unknown(*args, **kwargs):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    said, is_retryable = failure_of(source(user()))
    assert "name resolution" in said
    assert "gcloud" not in said
    assert is_retryable


PAGE = "<!DOCTYPE html><html><title>Sign in</title></html>"


@pytest.mark.parametrize(
    ("status", "page", "said", "remedy"),
    [
        (200, PAGE, "answered 200 with an HTML page", "`token_uri`"),
        (403, PAGE, "answered 403 with an HTML page", "`token_uri`"),
        (503, PAGE, "answered 503 with an HTML page", "Try again"),
        (302, "", "answered 302 with a redirect, which is not followed", "`token_uri`"),
        (302, PAGE, "answered 302 with a redirect, which is not followed", "`token_uri`"),
    ],
)
def test_page_or_redirect_of_the_token_server_is_named(patient, status, page, said, remedy):
    """Instead of a token, a real HTTP server sends a web page, such as a login page, or a redirect."""
    with serve_tokens("t") as server:
        server.page = (status, page)
        text, is_retryable = failure_of(source(user(token_uri=server.url)))
    assert said in text
    assert remedy in text
    assert "gcloud" not in text
    assert "canary" not in text
    assert is_retryable == (status == 503)


def test_invalid_proxy_settings_are_named(monkeypatch):
    """The HTTP library's text contains parts of the password, so it is not quoted. The call is not retried."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://me:canary@proxy.example:canary")
    with pytest.raises(CredentialsError, match="HTTPS_PROXY") as caught:
        source(user()).token()
    seen = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    assert "canary" not in seen
    assert not caught.value.is_retryable
