"""Equal connections of a process share one HTTP client, and unequal connections never do."""

import asyncio
import contextvars
import gc
import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from urllib.request import getproxies

import certifi
import pytest
from connection_server import serve
from google.auth.exceptions import TransportError
from google.oauth2.credentials import Credentials
from open_files import open_files, wait_for_files
from wire import Wire, completion

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings, errors
from langchain_gemini_compat._auth.google_transport import TokenRequest
from langchain_gemini_compat._auth.shared_tokens import identify_function
from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat._transport import client_factory, deadlines, loop_clients, shared_clients

ROOT = Path(__file__).parents[2]
WAYS = pytest.mark.parametrize("way", ["sync", "async"])
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

NO_LIMITS = {"connect": None, "first_byte": None, "between_chunks": None, "total": None}


@pytest.fixture
def server():
    with serve() as server:
        yield server


def build(server, **options):
    given = {"api_key": "a", "base_url": server.url, "surface": "openai_compatible", "max_retries": 0, **options}
    return ChatGeminiCompat(model="m", **given)


def close_unused(seconds=0.0):
    """Close unused clients, as the deadline thread would do after `seconds`."""
    shared_clients._clients.close_unused(time.monotonic() + seconds)


def let_idle_time_pass():
    close_unused()
    close_unused(shared_clients.IDLE_SECONDS + 1)


def client_of(model):
    return model._open_transport()._clients.sync_client()


async def call(model, way):
    return model.invoke("hi").text if way == "sync" else (await model.ainvoke("hi")).text


@WAYS
async def test_equal_models_in_turn_share_one_connection(server, way):
    """Models of one account share a connection even if their time limits, headers and query parameters differ."""
    for number in range(30):
        model = build(server, timeout=number + 1, default_headers={"x-n": str(number)}, default_query={"n": number})
        assert await call(model, way) == "Hello."
    assert [len(connection.requests) for connection in server.connections] == [30]
    assert server.values_of("x-n") == [{str(number) for number in range(30)}]


@WAYS
async def test_shared_and_given_clients_send_the_same_headers(server, way):
    """Headers that never change are set once on a shared client. On the caller's client, each request sets them."""
    http = import_module(library_name())
    with http.Client() as sync_client:
        async with http.AsyncClient() as async_client:
            clients = {"http_client": sync_client, "http_async_client": async_client}
            for headers in ({}, {"User-Agent": "of the caller", "Accept": "*/*"}):
                await call(build(server, default_headers=headers), way)
                await call(build(server, default_headers=headers, **clients), way)
            assert not client_factory.has_fixed_headers(sync_client)
            assert client_factory.has_fixed_headers(client_of(build(server)))
    names = ("accept", "accept-encoding", "authorization", "content-type", "user-agent")
    sent = [[[request.get(name) for name in names] for request in one.requests] for one in server.connections]
    assert sent[0] == sent[1]
    assert sent[0][0] == [
        "application/json",
        "gzip, deflate",
        "Bearer a",
        "application/json",
        "langchain-gemini-compat",
    ]
    assert sent[0][1][0] == "*/*"
    assert sent[0][1][4] == "of the caller"


async def test_chat_model_and_embeddings_share_one_client(server):
    embeddings = GeminiCompatEmbeddings(model="m", api_key="a", base_url=server.url, surface="openai_compatible")
    assert client_of(embeddings) is client_of(build(server))


def keys():
    return [{"api_key": "a"}, {"api_key": "b"}]


def callables():
    return [{"api_key": lambda: "a"}, {"api_key": lambda: "b"}]


class Vault:
    """Has the method `read`, which returns the key. Each access to `vault.read` creates a new method object."""

    def __init__(self, key):
        self.key = key

    def read(self):
        return self.key


def methods():
    vaults = Vault("a"), Vault("b")
    return [{"api_key": vault.read} for vault in vaults]


def google_credentials():
    return [{"api_key": None, "credentials": Credentials(key)} for key in "ab"]


@WAYS
@pytest.mark.parametrize("accounts", [keys, callables, methods, google_credentials])
async def test_two_accounts_never_share_a_connection(server, accounts, way):
    """Models of both accounts call in turn. Each connection sees the authorization of one account."""
    both = accounts()
    for _ in range(3):
        for options in both:
            await call(build(server, **options), way)
    seen = server.values_of("authorization")
    assert seen == [{"Bearer a"}, {"Bearer b"}]


@WAYS
async def test_two_servers_never_share_a_client(server, way):
    with serve() as other:
        for one in (server, other):
            model = build(one)
            await call(model, way)
        clients = [model._open_transport()._clients for model in (build(server), build(other))]
        if way == "sync":
            assert clients[0].sync_client() is not clients[1].sync_client()
        else:
            assert await clients[0].async_client() is not await clients[1].async_client()


def test_accounts_are_told_apart_after_an_id_is_used_again():
    """Python can give the `id()` of a deleted object to a new one. So two accounts could have the same `id()`."""
    seen = {identify_function(Vault("a").read) for _ in range(50)}
    assert len(seen) == 50
    vault = Vault("a")
    assert identify_function(vault.read) == identify_function(vault.read)


def test_keys_of_shared_clients_hold_no_secret(server, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:proxy-password@127.0.0.1:9")
    model = build(server, api_key="secret-key")
    model.invoke("hi")
    shown = repr(list(shared_clients._clients._pools))
    assert "secret-key" not in shown
    assert "proxy-password" not in shown


@pytest.mark.parametrize("name", [*PROXIES, *(name.upper() for name in PROXIES), "Https_Proxy", "REQUEST_METHOD"])
def test_changed_proxies_lead_to_another_client(server, monkeypatch, name):
    model = build(server)
    before = client_of(model)
    with monkeypatch.context() as changed:
        changed.setenv(name, "127.0.0.1:9")
        assert client_of(build(server)) is not before
        # A model that already has a client keeps this client.
        assert client_of(model) is before
    assert client_of(build(server)) is before


def test_changed_certificates_lead_to_another_client(server, monkeypatch, tmp_path):
    """A new client is built after a change of SSL_CERT_FILE, of the content of this file, or of SSL_CERT_DIR."""
    model = build(server)
    before, path = client_of(model), tmp_path / "certificates.pem"
    shutil.copy(certifi.where(), path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    own = build(server)
    assert client_of(own) is not before
    assert client_of(build(server)) is client_of(own)
    path.write_bytes(path.read_bytes() + b"\n")
    assert client_of(build(server)) is not client_of(own)
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert client_of(build(server)) not in (before, client_of(own))


def count_certificates(monkeypatch):
    """Return a list that grows by one for each SSL context that is built from now on."""
    read = []
    library = import_module(library_name())
    create = library.create_ssl_context
    monkeypatch.setattr(library, "create_ssl_context", lambda: read.append(1) or create())
    monkeypatch.setattr(client_factory, "_contexts", type(client_factory._contexts)())
    return read


def test_every_difference_of_getproxies_makes_another_key(monkeypatch):
    """If two environments have the same digest, `getproxies` returns the same proxies for both.

    The HTTP library calls `getproxies`.
    """
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name == "REQUEST_METHOD":
            monkeypatch.delenv(name)
    seen = {}
    for changes in itertools.product(("", "http_proxy"), ("", "HTTPS_PROXY"), ("", "no_proxy"), ("", "REQUEST_METHOD")):
        with monkeypatch.context() as changed:
            for name in filter(None, changes):
                changed.setenv(name, "a.test:80")
            found = seen.setdefault(client_factory.digest_environment(), getproxies())
            assert found == getproxies()
    assert len(seen) >= 8


def test_token_requests_use_the_shared_certificates(server, monkeypatch):
    read = count_certificates(monkeypatch)
    for _ in range(3):
        with pytest.raises(TransportError):
            TokenRequest()("http://127.0.0.1:9/token", timeout=5)
    assert len(read) == 1


def test_certificates_are_read_once(server, monkeypatch):
    """Reading the certificates takes 20 ms. That is most of the cost of a model that is used for only one request."""
    read = count_certificates(monkeypatch)
    models = [build(server, api_key=str(number)) for number in range(5)]
    assert len({client_of(model) for model in models}) == 5
    asyncio.run(models[0].ainvoke("hi"))
    assert len(read) == 1


@WAYS
async def test_cookies_of_the_server_are_not_sent_back(server, way):
    model = build(server)
    for _ in range(3):
        await call(model, way)
    assert server.values_of("cookie") == [{None}]


@WAYS
async def test_closed_models_leave_streams_and_other_models_alone(server, way):
    """After two equal models are closed, the stream of one of them goes on, and a third equal model still works."""
    streaming, other, bystander = (build(server) for _ in range(3))
    await call(bystander, way)
    stream = streaming.stream("hi") if way == "sync" else streaming.astream("hi")
    first = next(stream) if way == "sync" else await anext(stream)
    other.close()
    await streaming.aclose()
    del streaming
    let_idle_time_pass()
    server.go_on.set()
    rest = [part.text for part in stream] if way == "sync" else [part.text async for part in stream]
    assert first.text + "".join(rest) == "one two"
    assert await call(bystander, way) == "Hello."
    assert len(server.connections) == 1


def test_stream_keeps_its_client_open_alone(server):
    """A running stream is the only user of its client. After the idle time, this client is still open."""
    stream = build(server).stream("hi")
    first = next(stream)
    let_idle_time_pass()
    server.go_on.set()
    assert first.text + "".join(part.text for part in stream) == "one two"


def test_client_is_closed_after_the_last_user_and_an_idle_time(server):
    first, second = build(server), build(server)
    first.invoke("hi")
    second.invoke("hi")
    (connection,) = server.connections
    first.close()
    let_idle_time_pass()
    assert not connection.is_closed.is_set()
    del second
    close_unused()
    close_unused(shared_clients.IDLE_SECONDS - 1)
    assert not connection.is_closed.is_set()
    let_idle_time_pass()
    assert connection.is_closed.wait(30)


def test_new_model_within_the_idle_time_finds_the_open_connection(server):
    for _ in range(3):
        with build(server) as model:
            model.invoke("hi")
        close_unused()
        close_unused(shared_clients.IDLE_SECONDS - 1)
    # Each use begins a new idle time, so this call closes no client.
    close_unused(shared_clients.IDLE_SECONDS - 1)
    assert len(server.connections) == 1


async def test_async_client_is_closed_after_the_last_user_and_an_idle_time(server, monkeypatch):
    monkeypatch.setattr(shared_clients, "IDLE_SECONDS", 0.2)
    for _ in range(3):
        async with build(server) as model:
            await model.ainvoke("hi")
    kept = build(server)
    await kept.ainvoke("hi")
    (connection,) = server.connections
    await asyncio.sleep(0.5)
    assert not connection.is_closed.is_set()
    await kept.aclose()
    assert await asyncio.to_thread(connection.is_closed.wait, 30)
    assert await call(kept, "async") == "Hello."
    assert len(server.connections) == 2


async def test_timer_of_an_earlier_use_leaves_the_client_open(server):
    """A timer closes a client after its idle time. If the client was used again, the old timer does not close it."""
    with build(server) as model:
        await model.ainvoke("hi")
        pool = loop_pool()
        assert pool.client is await model._open_transport()._clients.async_client()
        pool._end_idle_time()
        assert loop_pool() is pool
        assert pool._timer is None
    del model
    await asyncio.sleep(0)
    pool._end_idle_time()
    assert loop_pool() is pool
    pool.unused_since -= shared_clients.IDLE_SECONDS
    pool._end_idle_time()
    assert await asyncio.to_thread(server.connections[0].is_closed.wait, 30)


async def test_cancelled_first_call_leaves_no_client(server, monkeypatch):
    """The client is built in a thread, which goes on after the call is cancelled."""
    monkeypatch.setattr(shared_clients, "IDLE_SECONDS", 0.1)
    is_building, go_on, built = threading.Event(), threading.Event(), []

    def build_slowly():
        is_building.set()
        assert go_on.wait(60)
        built.append(client_factory.open_async_client())
        return built[0]

    monkeypatch.setattr(loop_clients, "open_async_client", build_slowly)
    call = asyncio.create_task(build(server, api_key="cancelled").ainvoke("hi"))
    assert await asyncio.to_thread(is_building.wait, 60)
    call.cancel()
    await asyncio.wait([call])
    go_on.set()
    for _ in range(600):
        if built and built[0].is_closed:
            break
        await asyncio.sleep(0.05)
    assert built[0].is_closed


async def test_failed_first_call_keeps_neither_model_nor_prompt(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:99999999")
    models = []

    async def fail(number):
        model = build(server, api_key=f"failing-{number}")
        models.append(weakref.ref(model))
        with pytest.raises(errors.APIConnectionError, match="proxy settings"):
            await model.ainvoke("hi")

    for number in range(5):
        await fail(number)
    # Wait, because the thread that failed to build the client refers to the exception until its next task. The
    # exception's traceback refers to the model.
    for _ in range(100):
        gc.collect()
        if not any(model() for model in models):
            break
        await asyncio.sleep(0.05)
    assert [model() for model in models] == [None] * 5


async def test_callers_that_fail_together_get_exceptions_of_their_own(server, monkeypatch):
    """If the callers shared one exception, it would collect the tracebacks of all of them."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:99999999")
    calls = [build(server, api_key="failing").ainvoke("hi") for _ in range(5)]
    raised = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in raised} == {errors.APIConnectionError}
    assert len({id(error) for error in raised}) == 5


async def test_failure_after_all_callers_are_cancelled_is_not_logged(server, monkeypatch, caplog):
    is_building, go_on = threading.Event(), threading.Event()

    def fail_slowly():
        is_building.set()
        assert go_on.wait(60)
        raise ValueError

    monkeypatch.setattr(loop_clients, "open_async_client", fail_slowly)
    call = asyncio.create_task(build(server, api_key="cancelled").ainvoke("hi"))
    assert await asyncio.to_thread(is_building.wait, 60)
    call.cancel()
    await asyncio.wait([call])
    opening = loop_clients._clients._by_loop[asyncio.get_running_loop()].opening
    tasks = list(opening.values())
    go_on.set()
    await asyncio.wait(tasks)
    del tasks
    gc.collect()
    assert (opening, caplog.messages) == ({}, [])


async def test_shared_client_does_not_keep_the_context_of_a_call(server, monkeypatch):
    """The context of a call may contain the objects of a web request, such as a database session."""
    # Do not use aiohttp, because an aiohttp connection keeps the context of the call that opened it.
    monkeypatch.setattr(client_factory, "find_aiohttp_client", lambda: None)
    variable = contextvars.ContextVar("session")

    async def request(*models):
        session = build(server)
        variable.set(session)
        for model in models:
            await model.ainvoke("hi")
        return weakref.ref(session)

    kept = build(server, api_key="kept")
    # No variable refers to the second model, so its client is unused after the call.
    sessions = [await asyncio.create_task(request(kept)), await asyncio.create_task(request(build(server)))]
    # asyncio keeps the context of the last call. After this additional call, it no longer keeps those of the two calls
    # above.
    await asyncio.create_task(kept.ainvoke("hi"))
    gc.collect()
    assert [session() for session in sessions] == [None, None]


def loop_pool():
    """Return the only pool of the running event loop."""
    (pool,) = loop_clients._clients._by_loop[asyncio.get_running_loop()].pools.values()
    return pool


@WAYS
async def test_call_after_close_opens_again(server, way):
    """Closing an unused model or closing twice does nothing."""
    model = build(server)
    model.close()
    assert await call(model, way) == "Hello."
    model.close()
    await model.aclose()
    let_idle_time_pass()
    assert await call(model, way) == "Hello."


def test_closed_copy_leaves_the_original_alone(server):
    model = build(server)
    model.invoke("hi")
    for copy in (model.model_copy(), model.model_copy(deep=True), model.model_copy(update={"timeout": 5})):
        copy.invoke("hi")
        copy.close()
        let_idle_time_pass()
        assert model.invoke("hi").text == "Hello."


@WAYS
async def test_client_of_the_caller_is_neither_shared_nor_closed(way):
    wire = Wire(completion())
    clients = wire.clients
    for _ in range(2):
        with ChatGeminiCompat(model="m", base_url="http://127.0.0.1:9/v1", **clients) as model:
            assert await call(model, way) == "Hello."
        del model
        gc.collect()
    assert not clients["http_client"].is_closed
    assert not clients["http_async_client"].is_closed
    own = ChatGeminiCompat(model="m", base_url="http://127.0.0.1:9/v1")
    assert client_of(own) is not clients["http_client"]


def test_threads_that_build_models_at_once_share_one_client(server, monkeypatch):
    made, count = [], 16
    build_client = shared_clients.open_sync_client

    def build_slowly():
        time.sleep(0.05)
        made.append(build_client())
        return made[-1]

    monkeypatch.setattr(shared_clients, "open_sync_client", build_slowly)
    barrier = threading.Barrier(count)

    def work(_):
        model = build(server, api_key="of-threads")
        barrier.wait()
        return model.invoke("hi").text

    with ThreadPoolExecutor(count) as pool:
        assert set(pool.map(work, range(count))) == {"Hello."}
    assert len(made) == 1


@WAYS
async def test_unused_clients_are_bounded(server, monkeypatch, way):
    """Without a limit, a web service with a key for each tenant could run out of sockets within the idle time."""
    monkeypatch.setattr(shared_clients, "MOST_UNUSED", 3)
    kept = build(server, api_key="kept")
    await call(kept, way)
    for number in range(12):
        await call(build(server, api_key=f"tenant-{number}"), way)
        await asyncio.sleep(0)
        close_unused()
    for _ in range(600):
        is_open = [not connection.is_closed.is_set() for connection in server.connections]
        if sum(is_open) <= 1 + 3:
            break
        await asyncio.sleep(0.05)
    # Four clients are open: the client of `kept`, which is in use, and the three newest of the unused clients.
    assert is_open == [True] + [False] * 9 + [True] * 3


@WAYS
async def test_unused_clients_are_bounded_after_models_that_end_together(server, monkeypatch, way):
    """Unused clients beyond the limit are closed, even if no new client is built."""
    monkeypatch.setattr(shared_clients, "MOST_UNUSED", 3)
    models = [build(server, api_key=f"tenant-{number}") for number in range(8)]
    for model in models:
        await call(model, way)
    del model
    models.clear()
    await asyncio.sleep(0)
    close_unused()
    for _ in range(600):
        is_open = [not connection.is_closed.is_set() for connection in server.connections]
        if sum(is_open) <= 3:
            break
        await asyncio.sleep(0.05)
    assert sum(is_open) == 3


def test_many_event_loops_in_turn_leave_nothing(server):
    """The test uses one model on all event loops, and a new model on each event loop."""
    lasting = build(server)

    async def main():
        assert {await call(model, "async") for model in (lasting, build(server))} == {"Hello."}
        return weakref.ref(asyncio.get_running_loop())

    asyncio.run(main())
    before = open_files()
    loops = [asyncio.run(main()) for _ in range(10)]
    gc.collect()
    assert wait_for_files(before) <= before
    assert all(connection.is_closed.wait(30) for connection in server.connections)
    assert [loop() for loop in loops] == [None] * 10


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no list of open files here")
def test_2000_models_leave_sockets_threads_and_memory_as_they_were(server):
    """Models of ten accounts are built, used and dropped, by blocking and by async calls."""

    async def main(count):
        for number in range(count):
            await build(server, api_key=str(number % 10)).ainvoke("hi")

    def work(count):
        for number in range(count):
            build(server, api_key=str(number % 10)).invoke("hi")
        asyncio.run(main(count))

    def state():
        return open_files(), threading.active_count(), len(gc.get_objects())

    work(50)
    files, threads, objects = state()
    work(1000)
    # Wait for the server's threads, which end when their connections are closed.
    for _ in range(600):
        after = state()
        if after[:2] <= (files, threads):
            break
        time.sleep(0.05)
    assert after[0] <= files
    assert after[1] <= threads
    assert after[2] - objects < 500


EXIT = """
import asyncio, atexit, sys, threading

# What is registered first is called last.
atexit.register(lambda: print(client.is_closed))
from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._transport import shared_clients

shared_clients.IDLE_SECONDS = 0.5
model = ChatGeminiCompat(model="m", api_key="a", base_url=sys.argv[1], surface="openai_compatible")
print(model.invoke("hi").text, asyncio.run(model.ainvoke("hi")).text)
other = ChatGeminiCompat(model="m", api_key="b", base_url=sys.argv[1], surface="openai_compatible")
other.invoke("hi")
del other
client = model._open_transport()._clients.sync_client()
print(*(thread.name for thread in threading.enumerate()))
input()
"""


def test_deadline_thread_closes_unused_clients_and_the_exit_is_silent(server):
    """The process has no threads except the main thread and the deadline thread.

    The client of the model that still exists is closed at exit.
    """
    command = [sys.executable, "-W", "error", "-c", EXIT, server.url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) as process:
        assert process.stdout.readline() == "Hello. Hello.\n"
        assert process.stdout.readline() == "MainThread langchain-gemini-compat-deadlines\n"
        first, _, last = server.connections
        assert last.is_closed.wait(60)
        assert not first.is_closed.is_set()
        output, errors = process.communicate("\n", timeout=60)
    assert (process.returncode, output, errors) == (0, "True\n", "")
    assert first.is_closed.wait(60)


def test_deadline_thread_is_woken_for_a_new_client(server, monkeypatch):
    """The deadline thread also closes unused clients.

    A call without time limits does not wake this thread, so a new client has to wake it.
    """
    woken = []
    monkeypatch.setattr(deadlines._monitor, "wake", lambda: woken.append(1))
    model = build(server, timeout=NO_LIMITS)
    model.invoke("hi")
    assert len(woken) == 1
    model.invoke("hi")
    build(server, timeout=NO_LIMITS).invoke("hi")
    assert len(woken) == 1


@WAYS
async def test_call_after_all_clients_are_closed_opens_another(server, way):
    """A program's `atexit` function may call a model after this package has closed all clients at exit."""
    model = build(server)
    assert await call(model, "sync") == "Hello."
    shared_clients._clients.close_all()
    assert await call(model, way) == "Hello."


async def test_model_closed_by_another_thread_during_an_async_call(server):
    """Simulates a `close` in another thread, directly after the call has read the model's transport."""
    model = build(server)
    await model.ainvoke("hi")
    link = model._resolved_link()

    class ClosesAfterFirstRead(type(link)):
        @property
        def transport(self):
            found, self.held = self.held, None
            return found

        @transport.setter
        def transport(self, value):
            self.held = value

    racing = ClosesAfterFirstRead(link.fields, link.connection)
    racing.transport = link.transport
    model._link = racing
    assert (await model.ainvoke("hi")).text == "Hello."


FORK = r"""
import os, sys
from langchain_gemini_compat import ChatGeminiCompat

def build():
    return ChatGeminiCompat(model="m", api_key="a", base_url=sys.argv[1], surface="openai_compatible")

model = build()
model.invoke("hi")
pid = os.fork()
# One write, since both processes write to one pipe.
os.write(1, f"{model.invoke('hi').text} {build().invoke('hi').text}\n".encode())
if pid:
    assert os.waitpid(pid, 0)[1] == 0
    os.write(1, f"{model.invoke('hi').text} {build().invoke('hi').text}\n".encode())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_child_has_one_client_and_leaves_the_parents_open(server):
    """The child process runs its exit handlers, which must not close the parent's client."""
    command = [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning", "-c", FORK, server.url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (run.stdout, run.stderr) == ("Hello. Hello.\n" * 3, "")
    assert sorted(len(connection.requests) for connection in server.connections) == [2, 5]


def test_only_the_newest_ssl_contexts_are_kept(monkeypatch):
    """Each set of certificates has its own SSL context. The context that was unused for the longest time is dropped."""
    monkeypatch.setattr(client_factory, "_MOST_CONTEXTS", 2)
    monkeypatch.setattr(client_factory, "_contexts", type(client_factory._contexts)())
    used = iter("abaca")
    monkeypatch.setattr(client_factory, "_describe_certificates", lambda: next(used))
    a, b, again, c, last = [client_factory.ssl_context() for _ in range(5)]
    assert a is again is last
    assert len({a, b, c}) == 3
    assert [*client_factory._contexts.values()] == [c, a]


@pytest.mark.parametrize("path", ["/no/such/file", "a\0b"])
def test_certificate_file_that_cannot_be_read_is_known_by_its_path(path):
    """An unreadable file is described only by its path. The HTTP library later raises an error that names the file."""
    assert client_factory._describe_file(path) == (path,)
