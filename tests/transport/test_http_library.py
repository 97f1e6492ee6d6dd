"""The HTTP library and the clients' defaults match the installed openai SDK, without an import of openai."""

import subprocess
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError

import openai
import pytest

from langchain_gemini_compat import _lazy
from langchain_gemini_compat._transport import shared_clients
from langchain_gemini_compat._transport.http_library import build_async_client, build_client, http_library


def describe(client):
    """Return the settings of a client for which openai has defaults, such as timeouts and the limits of the pool."""
    pool = client._transport._pool
    return {
        "timeout": client.timeout.as_dict(),
        "follow_redirects": client.follow_redirects,
        "trust_env": client.trust_env,
        "transport": type(client._transport),
        "mounts": {pattern.pattern: type(transport) for pattern, transport in client._mounts.items()},
        "pool": type(pool),
        "limits": [
            getattr(pool, f"_{name}")
            for name in (
                "max_connections",
                "max_keepalive_connections",
                "http1",
                "http2",
                "retries",
            )
        ],
        "verify": (pool._ssl_context.verify_mode, pool._ssl_context.check_hostname),
    }


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(build_client, openai.DefaultHttpxClient), (build_async_client, openai.DefaultAsyncHttpxClient)],
    ids=["sync", "async"],
)
def test_clients_have_the_defaults_of_openai(ours, theirs, proxy, monkeypatch):
    """A release of openai that changes its defaults fails this test. `keepalive_expiry` differs: see the next test."""
    if proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    mine, other = ours(), theirs()
    assert describe(mine) == describe(other)
    assert issubclass(theirs, type(mine))


@pytest.mark.parametrize("build", [build_client, build_async_client])
def test_unused_connections_stay_open_as_long_as_unused_clients(build):
    """Clients of openai close unused connections after 5 seconds.

    This package keeps unused connections longer, so that the next model can use the connection of an earlier model.
    """
    assert build()._transport._pool._keepalive_expiry == shared_clients.IDLE_SECONDS == 30


def test_options_replace_the_defaults():
    client = build_client(follow_redirects=False, timeout=http_library().Timeout(3.0), trust_env=False)
    assert (client.follow_redirects, client.timeout.connect, client.trust_env) == (False, 3.0, False)
    assert build_client().follow_redirects is True


def test_library_name_is_the_library_of_openai():
    """The SDK's `DefaultHttpxClient` is a subclass of the `Client` in the library that `library_name()` returns."""
    assert issubclass(openai.DefaultHttpxClient, import_module(_lazy.library_name()).Client)
    assert openai.Timeout is http_library().Timeout


def test_library_name_comes_from_the_metadata_without_importing_openai():
    code = (
        "import sys; from langchain_gemini_compat._lazy import library_name\n"
        "print(library_name(), 'openai' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == [_lazy.library_name(), "False"]


@pytest.mark.parametrize(
    ("number", "library"), [("1.99.9", "httpx"), ("2.16.0", "httpx"), ("3.0.0", "httpx2"), ("10.0.0", "httpx2")]
)
def test_library_name_depends_on_the_version_of_the_installation(number, library, monkeypatch):
    monkeypatch.delitem(sys.modules, "openai")
    monkeypatch.setattr(_lazy, "version", lambda _: number)
    assert _lazy.library_name.__wrapped__() == library


def test_library_name_without_metadata_is_read_from_the_module(monkeypatch):
    """A frozen application may contain the modules of openai without its metadata."""

    def fail(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(_lazy, "version", fail)
    monkeypatch.delitem(sys.modules, "openai")
    monkeypatch.setattr(_lazy, "import_module", {"openai": openai}.__getitem__)
    assert _lazy.library_name.__wrapped__() == _lazy.library_name()


def test_library_name_prefers_an_openai_that_is_imported(monkeypatch):
    """The metadata may describe another installation than the module that the program has imported."""
    monkeypatch.setattr(_lazy, "version", lambda _: pytest.fail("read the metadata"))
    assert _lazy.library_name.__wrapped__() == _lazy.library_name()
