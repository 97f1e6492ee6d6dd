"""Tests the process-wide token cache: which models share a token, and when the cache drops an entry."""

import asyncio
import gc
import json
import os
import pickle
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import google.auth.credentials
import google.auth.exceptions
import pytest
from certificates import PRIVATE_KEY
from google.auth.credentials import AnonymousCredentials
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials as UserCredentials
from langchain_core.runnables import ConfigurableField
from token_server import serve_tokens

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._auth import google as _auth
from langchain_gemini_compat._auth import shared_tokens as _auth_shared
from langchain_gemini_compat._auth.google import build_token_source
from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat.errors import CredentialsError
from langchain_gemini_compat.testing import FakeGemini


@pytest.fixture
def server():
    with serve_tokens("t") as serving:
        yield serving


@pytest.fixture
def login(monkeypatch, tmp_path, server):
    """A login file as `gcloud` writes it. The fixture is a function that rewrites it."""

    def write(**more):
        content = {"type": "authorized_user", "client_id": "id", "client_secret": "s", "refresh_token": "r", **more}
        path = tmp_path / "login.json"
        path.write_text(json.dumps(content))
        return path

    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(write()))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    for name in ("_GOOGLE_OAUTH2_TOKEN_ENDPOINT",):
        monkeypatch.setattr(f"google.oauth2.credentials.{name}", server.url)
    return write


def source(credentials=None, quota_project_id=None, client=None):
    return build_token_source(
        api_key=None, credentials=credentials, quota_project_id=quota_project_id, source="", http_client=client
    )


def user(server):
    return UserCredentials(None, refresh_token="r", client_id="id", client_secret="s", token_uri=server.url)


def robot(server):
    info = {"client_email": "robot@p.iam.gserviceaccount.com", "token_uri": server.url, "private_key": PRIVATE_KEY}
    return service_account.Credentials.from_service_account_info({**info, "private_key_id": "1"})


def chat(url, **arguments):
    return ChatGeminiCompat(model="gemini-3.8-flash", surface="ai_studio", base_url=url, **arguments)


@pytest.mark.parametrize("build", [user, robot])
def test_models_built_for_each_request_share_one_token(server, build):
    """All models get the same credentials object. Sync calls, async calls and configurable models share one token.

    Field case E10.
    """
    credentials = build(server)
    with FakeGemini(["Hello!"] * 9).serve() as url:
        for _ in range(3):
            assert chat(url, credentials=credentials).invoke("hi").text == "Hello!"
            gc.collect()
        assert asyncio.run(chat(url, credentials=credentials).ainvoke("hi")).text == "Hello!"
        configurable = chat(url, credentials=credentials).configurable_fields(temperature=ConfigurableField("t"))
        for temperature in (0.1, 0.2):
            configurable.invoke("hi", {"configurable": {"t": temperature}})
    assert len(server.forms) == 1


def test_default_credentials_are_looked_up_once(server, login):
    """The cache outlives the models. Field case E10."""
    for _ in range(3):
        tokens = source()
        assert tokens.token() == "t-1"
        del tokens
        gc.collect()
    assert len(server.forms) == 1


def test_changed_login_is_looked_up_again(server, login, monkeypatch, tmp_path):
    """The login is looked up again if its file, the path or the proxy settings change. Field case E10."""
    assert source().token() == "t-1"
    login(refresh_token="another one")
    assert source().token() == "t-2"
    other = tmp_path / "other.json"
    other.write_text(login().read_text())
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(other))
    assert source().token() == "t-3"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert source().token() == "t-4"
    assert source().token() == "t-4"
    assert [form["refresh_token"] for form in server.forms] == ["r", "another one", "r", "r"]


def test_quota_projects_are_not_shared(server, login):
    """Each model sends its own quota project. Field case E10."""
    assert source(None, "mine").headers() == {"x-goog-user-project": "mine"}
    for quota, header in (
        ("mine", {"x-goog-user-project": "mine"}),
        (None, {}),
        ("yours", {"x-goog-user-project": "yours"}),
    ):
        tokens = source(None, quota)
        tokens.token()
        assert tokens.headers() == header
    credentials = user(server)
    first, second = source(credentials, "mine"), source(credentials, "yours")
    assert first.token() == second.token()
    assert first.headers() != second.headers()


def test_tokens_are_not_shared_between_clients(server, login):
    """The clients may use different proxies. Field cases E10, E11."""
    library = pytest.importorskip(library_name())
    credentials = user(server)
    with library.Client() as one, library.Client() as other:
        assert source(credentials, client=one) is source(credentials, client=one)
        assert source(credentials, client=one) is not source(credentials, client=other)
        assert source(None, client=one).token() == source(None, client=one).token()
        assert source(None, client=one)._state is not source(None, client=other)._state


def test_different_credentials_share_nothing(server):
    """Credentials objects have separate tokens, even if they compare as equal or are not hashable. Field case E10."""

    class Equal(UserCredentials):
        def __eq__(self, other):
            return True

        __hash__ = None

    first, second = (
        Equal(None, refresh_token="r", client_id="id", client_secret="s", token_uri=server.url) for _ in range(2)
    )
    assert (source(first).token(), source(second).token(), source(first).token()) == ("t-1", "t-2", "t-1")


def test_many_models_at_once_cause_one_refresh(server, login):
    """The calls come from threads and event loops, each with its own model. Field case E10."""
    server.seconds = 0.3
    credentials = user(server)
    barrier = threading.Barrier(8)

    def run(number):
        barrier.wait(30)
        tokens = source(credentials if number % 2 else None)
        return tokens.token() if number % 3 else asyncio.run(tokens.atoken())

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(run, range(8)))
    assert len(set(found)) == len(server.forms) == 2


class Watched(google.auth.credentials.Credentials):
    """Credentials that count simultaneous refreshes. The first `failures` refreshes fail."""

    def __init__(self, failures=0):
        super().__init__()
        self.now, self.most, self.refreshes, self.failures = 0, 0, 0, failures

    def refresh(self, request):
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(0.2)
        self.now -= 1
        self.refreshes += 1
        if self.refreshes <= self.failures:
            raise google.auth.exceptions.TransportError("down")
        self.token, self.expiry = f"own-{self.refreshes}", later(1)


def request_tokens_at_once(credentials, clients):
    """Request a token for each client at the same time, half of them async; return tokens and errors."""
    barrier = threading.Barrier(len(clients))

    def run(number):
        tokens = source(credentials, client=clients[number])
        barrier.wait(30)
        try:
            return tokens.token() if number % 2 else asyncio.run(tokens.atoken())
        except CredentialsError as err:
            return err

    with ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(run, range(len(clients))))


def test_models_with_different_clients_cause_one_refresh():
    """Credentials of google-auth are not thread-safe, so only one refresh may run at a time. All clients use its token.

    Field cases E10, E11.
    """
    library = pytest.importorskip(library_name())
    credentials, clients = Watched(), [None, *(library.Client() for _ in range(5))]
    assert request_tokens_at_once(credentials, clients) == ["own-1"] * 6
    assert (credentials.refreshes, credentials.most) == (1, 1)
    assert source(credentials, client=clients[1]).reject("own-1")
    assert request_tokens_at_once(credentials, clients) == ["own-2"] * 6
    assert (credentials.refreshes, credentials.most) == (2, 1)


def test_failed_refresh_is_tried_with_the_next_client():
    """If a model's HTTP client cannot refresh the token, the package tries the client of another model.

    For example, the proxy of the first client may be down. Only one client refreshes at a time, and each client at most
    once.

    Field case E11.
    """
    library = pytest.importorskip(library_name())
    clients = [library.Client() for _ in range(4)]
    credentials = Watched(failures=1)
    found = request_tokens_at_once(credentials, clients)
    assert sorted(map(str, found)).count("own-2") == 3
    assert (credentials.refreshes, credentials.most) == (2, 1)
    credentials = Watched(failures=99)
    assert all(isinstance(each, CredentialsError) for each in request_tokens_at_once(credentials, clients))
    assert (credentials.refreshes <= 4, credentials.most) == (True, 1)


def test_refresh_after_a_401_serves_all(server):
    """The next call of an existing or a new model uses the new token. Field case E10."""
    credentials = user(server)
    first, second = source(credentials), source(credentials, "mine")
    old = first.token()
    assert second.token() == old
    assert first.reject(old)
    assert first.token() == second.token() == source(credentials, "new").token() == "t-2"
    assert second.reject(old)
    assert second.token() == "t-2"


def test_collected_credentials_leave_the_cache(server):
    """After the model is deleted, its credentials, token source and client are released. Field case E10."""
    library = pytest.importorskip(library_name())
    gc.collect()
    before, shared = len(_auth_shared._states_by_object), len(_auth._shared_sources)
    with FakeGemini(["Hello!"] * 40).serve() as url:
        for build in (user, robot):
            for _ in range(5):
                credentials, client = build(server), library.Client()
                model = chat(url, credentials=credentials, http_client=client)
                model.invoke("hi")
                gone = [weakref.ref(each) for each in (credentials, client, model._open_transport().tokens)]
                client.close()
                del model, credentials, client
                gc.collect()
                assert [each() for each in gone] == [None] * 3
        unused = user(server)
        chat(url, credentials=unused)._open_transport()
        gone = weakref.ref(unused)
        del unused
        gc.collect()
        assert gone() is None
    assert len(_auth_shared._states_by_object) == before
    assert len(_auth._shared_sources) <= shared + 1


def test_cache_of_default_credentials_is_bounded(login, monkeypatch):
    """A program may change its environment before each call. Each change adds an entry to the cache. Field case E10."""
    for number in range(200):
        monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", f"q{number}")
        source()
    assert len(_auth_shared._default_states) <= 64


def test_credentials_are_not_modified(server):
    """The credentials can still be pickled. Field case E10."""
    credentials = user(server)
    source(credentials).token()
    assert pickle.loads(pickle.dumps(credentials)).refresh_token == "r"
    assert [name for name in vars(credentials) if "compat" in name] == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_process_uses_the_token_and_refreshes_alone(server):
    """The child process keeps the parent's token. If it refreshes, the parent's token stays valid. Field case E10."""
    credentials = user(server)
    tokens = source(credentials)
    token = tokens.token()
    pid = os.fork()
    if pid == 0:
        is_right = source(credentials).token() == token and tokens.reject(token) and tokens.token() == "t-2"
        os._exit(0 if is_right else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert tokens.token() == token


def test_failed_lookup_is_not_cached(server, login, monkeypatch):
    """The next model looks the credentials up again. Field case E10."""
    path = login()
    content = path.read_text()
    path.write_text("{")
    with pytest.raises(CredentialsError):
        source().token()
    path.write_text(content)
    assert source().token() == "t-1"


#: A time in UTC without a time zone, as google-auth uses it.
NAIVE = datetime(2020, 1, 1, tzinfo=timezone.utc).replace(tzinfo=None)


class Own(google.auth.credentials.Credentials):
    """Credentials of the caller. Each refresh sets a new token without an expiry."""

    def __init__(self, expiry=None, token=None):
        super().__init__()
        self.expiry, self.token, self.refreshes = expiry, token, 0

    def refresh(self, request):
        self.refreshes += 1
        self.token = f"own-{self.refreshes}"


@pytest.mark.parametrize("hours", [9, -8])
def test_expiry_with_a_time_zone_is_converted(hours):
    """An expiry in the time zone of Tokyo or Los Angeles means the same moment in UTC. Field case E15."""
    zone, now = timezone(timedelta(hours=hours)), datetime(2026, 1, 1, tzinfo=timezone.utc)
    clock = [now]

    class Timed(Own):
        def refresh(self, request):
            super().refresh(request)
            self.expiry = (clock[0] + timedelta(hours=1)).astimezone(zone)

    credentials = Timed()
    tokens = build_token_source(
        api_key=None, credentials=credentials, quota_project_id=None, source="", clock=lambda: clock[0]
    )
    assert [tokens.token(), tokens.token()] == ["own-1"] * 2
    clock[0] += timedelta(minutes=50)
    assert tokens.token() == "own-1"
    clock[0] += timedelta(minutes=20)
    assert tokens.token() == "own-2"
    assert credentials.refreshes == 2


@pytest.mark.parametrize("expiry", [None, NAIVE, datetime(2020, 1, 1, tzinfo=timezone.utc)])
def test_own_refresh_is_used_after_a_401_and_not_at_each_call(expiry):
    """The `refresh` method of a subclass may set no expiry. It must not run for each call. Field case E15."""

    class OwnUser(UserCredentials):
        refreshes = 0
        refresh = Own.refresh

    for credentials in (OwnUser("old", expiry=expiry), Own(expiry, "old"), OwnUser(None, expiry=expiry), Own(expiry)):
        for _ in range(3):
            token = source(credentials).token()
        assert credentials.refreshes <= 1
        refreshes = credentials.refreshes
        tokens = source(credentials)
        assert tokens.reject(token)
        assert tokens.token() == source(credentials).token() == f"own-{refreshes + 1}"


def later(hours):
    """Return a time in the future as naive UTC, as google-auth uses it."""
    return (datetime.now(timezone.utc) + timedelta(hours=hours)).replace(tzinfo=None)


@pytest.mark.parametrize("expires", [False, True])
@pytest.mark.parametrize("keeps_model", [False, True])
def test_token_that_the_caller_replaces_is_used_at_once(expires, keeps_model):
    """The next request of an existing or a new model uses the token that the caller has set. Field cases E10, E15."""
    sent = []
    credentials = UserCredentials("AAAA", expiry=later(1) if expires else None)
    kept = source(credentials) if keeps_model else None
    for token in ("AAAA", "BBBB", "CCCC"):
        credentials.token = token
        credentials.expiry = later(2) if expires else None
        tokens = kept or source(credentials)
        founds = (tokens.token(), asyncio.run(tokens.atoken()))
        sent.extend(tokens.apply(found)["authorization"] for found in founds)
    assert sent == [f"Bearer {token}" for token in ("AAAA", "AAAA", "BBBB", "BBBB", "CCCC", "CCCC")]


def test_token_that_the_caller_replaces_ends_a_401():
    """After a 401 for a token that cannot be refreshed, the call is repeated only if the caller has set a new token.

    Field case E15.
    """
    credentials = UserCredentials("AAAA")
    tokens = source(credentials)
    assert tokens.token() == "AAAA"
    assert not tokens.reject("AAAA")
    credentials.token = "BBBB"
    assert tokens.reject("AAAA")
    assert tokens.token() == source(credentials).token() == "BBBB"
    assert not tokens.reject("BBBB")


def test_token_set_after_a_failure_is_used():
    """The credentials get a token, or a refresh handler, only after the first call. Field case E15."""
    credentials = UserCredentials(None)
    for _ in range(2):
        with pytest.raises(CredentialsError):
            source(credentials).token()
    credentials.token = "AAAA"
    assert source(credentials).token() == "AAAA"
    credentials.expiry = later(-1)
    with pytest.raises(CredentialsError):
        source(credentials).token()
    credentials.refresh_handler = lambda request, scopes: ("BBBB", later(1))
    assert source(credentials).token() == "BBBB"


@pytest.mark.parametrize("expires", [False, True])
def test_token_that_another_library_renews_is_used(expires):
    """Google's own clients may renew the same credentials object. Field cases E10, E15."""
    credentials = Own()
    assert source(credentials).token() == "own-1"
    credentials.expiry = later(1) if expires else None
    credentials.refresh(None)
    assert [source(credentials).token() for _ in range(3)] == ["own-2"] * 3
    assert source(credentials).reject("own-2")
    assert source(credentials).token() == "own-3"
    assert credentials.refreshes == 3


class Applying(Own):
    def apply(self, headers, token=None):
        headers["Authorization"] = f"Custom {self.token}"
        headers["X-Signed"] = "yes"


@pytest.mark.parametrize("way", ["invoke", "stream", "ainvoke", "astream"])
def test_own_apply_writes_the_headers(way):
    """A subclass of Google's credentials may have its own `apply`, which sets other headers. Field case E15."""
    with serve_tokens("t") as receiver:
        model = chat(receiver.url, credentials=Applying(), max_retries=0, default_headers={"authorization": "mine"})

        async def astream():
            return [part async for part in model.astream("hi")]

        calls = {
            "invoke": lambda: model.invoke("hi"),
            "stream": lambda: list(model.stream("hi")),
            "ainvoke": lambda: asyncio.run(model.ainvoke("hi")),
            "astream": lambda: asyncio.run(astream()),
        }
        with pytest.raises(Exception, match=r"."):
            calls[way]()
    assert (receiver.headers[0]["authorization"], receiver.headers[0]["x-signed"]) == ("Custom own-1", "yes")


def test_api_key_credentials_of_google_auth_send_the_key():
    """These credentials write their own header, and cannot be refreshed. Field case E15."""
    api_key = pytest.importorskip("google.auth.api_key")
    tokens = source(api_key.Credentials("k"))
    assert tokens.apply(tokens.token()) == {"x-goog-api-key": "k"}
    assert not tokens.reject("k")
    assert source(AnonymousCredentials()).apply("") == {}


def sources_of(text):
    """Yield a token source for each way to pass a secret."""
    anonymous = {"quota_project_id": None, "source": "argument `api_key`", "credentials": None}

    async def ask():
        return text

    yield build_token_source(api_key=lambda: text, **anonymous)
    yield build_token_source(api_key=ask, **anonymous)
    yield source(UserCredentials(text))
    credentials = Own()
    credentials.refresh = lambda request: setattr(credentials, "token", text)
    yield source(credentials)
    yield source(UserCredentials("good", quota_project_id=text))


@pytest.mark.parametrize(
    "text", ["hush-hush\nx: y", "hush-hushä", "\x00hush-hush", "hush\rhush-hush", "hush-hush\u2028x"]
)
def test_secret_invalid_in_a_header_is_refused_and_not_shown(text, caplog):
    """The error is a `CredentialsError` for each source of the secret, sync and async. Field case E4."""
    caplog.set_level("DEBUG")
    with FakeGemini("Hello!").serve() as url:
        for credentials in (UserCredentials(text), UserCredentials("good", quota_project_id=text)):
            for call in (
                lambda m: m.invoke("hi"),
                lambda m: list(m.stream("hi")),
                lambda m: asyncio.run(m.ainvoke("hi")),
            ):
                with pytest.raises(CredentialsError, match="not allowed in HTTP headers") as caught:
                    call(chat(url, credentials=credentials))
                check_hidden(caught.value)
                assert caught.value.tries <= 1
    for tokens in sources_of(text):
        for ask in (lambda t: t.apply(t.token()), lambda t: asyncio.run(aask(t))):
            with pytest.raises(CredentialsError) as caught:
                ask(tokens)
            check_hidden(caught.value)
    assert "hush-hush" not in caplog.text


async def aask(tokens):
    return tokens.apply(await tokens.atoken())


def check_hidden(error):
    assert not error.is_retryable
    behind = error
    while behind is not None:
        assert "hush-hush" not in f"{behind!r} {behind} {vars(behind)}"
        behind = behind.__cause__ or behind.__context__


def test_white_space_around_a_secret_is_removed():
    """Files and variables often end with a line break. Field case E4."""
    for tokens in sources_of(" good\n"):
        headers = asyncio.run(aask(tokens))
        assert headers["authorization"] == "Bearer good"
        assert headers.get("x-goog-user-project", "good") == "good"
    assert source(UserCredentials("good"), " mine\n").headers() == {"x-goog-user-project": "mine"}


@pytest.mark.parametrize("project", ["p/../../x", "attacker.example/#", "a?b", "p\n"])
def test_project_of_the_credentials_is_one_segment(project):
    """The project is inserted into the URL path, so it must be one path segment. Field case E1."""
    credentials = Own()
    credentials.project_id = project
    model = ChatGeminiCompat(model="gemini-3.8-flash", credentials=credentials)
    for call in (lambda: model.invoke("hi"), lambda: asyncio.run(model.ainvoke("hi"))):
        with pytest.raises(CredentialsError, match="project ID"):
            call()


def test_new_model_uses_a_cached_token_without_a_thread(server):
    """A thread for each request would be slow. Field case E10."""
    credentials = user(server)
    source(credentials).token()
    begun = time.monotonic()
    for _ in range(100):
        source(credentials).token(time.monotonic() + 30)
    assert time.monotonic() - begun < 30
    assert len(server.forms) == 1


def test_state_of_credentials_shows_no_secret():
    """`repr` must not show a token, because debuggers and tracebacks call it for local variables."""

    class Secret(str):
        __slots__ = ()

    secret = Secret("canary-of-a-token")
    state = _auth_shared.CredentialState(loaded=secret, last_snapshot=(secret, None))
    assert "canary" not in repr(state)
    assert "lock" not in repr(state)


def test_owner_without_weak_references_has_a_state_of_its_own():
    class Slotted:
        __slots__ = ()

        def __call__(self):
            return "token"

    first, second = Slotted(), Slotted()
    assert _auth_shared.identify_function(first) != _auth_shared.identify_function(second)


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError, ValueError, RuntimeError])
def test_login_file_that_cannot_be_read_is_known_by_its_path(monkeypatch, error):
    class Unreadable:
        def stat(self):
            raise error

        def __str__(self):
            return "/home/x/login.json"

    monkeypatch.setattr(_auth_shared, "locate_login_file", Unreadable)
    assert _auth_shared._describe_login_file() == ("/home/x/login.json",)
