"""Options and fixtures for all tests."""

import gc
import signal
from datetime import date

import pytest

from langchain_gemini_compat._catalog import ends
from langchain_gemini_compat._catalog.catalog_file import CATALOG_VARIABLE
from langchain_gemini_compat._request.known_refusals import forget_refusals
from langchain_gemini_compat._transport import client_factory

#: Files with long tests. They run first, so that at the end no worker of pytest-xdist is still busy alone.
LONG_FILES = {
    "test_aiohttp",
    "test_auth_shared",
    "test_bare_installation",
    "test_batch_api",
    "test_benchmarks",
    "test_checkers",
    "test_dask",
    "test_deadlines",
    "test_decompression",
    "test_fault_matrix",
    "test_first_error",
    "test_footprint",
    "test_fuzz_decoders",
    "test_kill",
    "test_loops_and_forks",
    "test_schema_corpus",
    "test_schema_properties",
    "test_secrets",
    "test_timeouts",
    "test_tool_call_streams",
    "test_tutorial_testing",
}


def pytest_collection_modifyitems(items):
    """Run the long files first."""
    items.sort(key=lambda item: item.path.stem not in LONG_FILES)


def pytest_collection_finish():
    """Keep the 16,000 collected tests out of garbage collections, which take half a second with them."""
    gc.collect()
    gc.freeze()


def pytest_configure():
    """Ctrl-C works in the tests, also in a background job of a shell, which ignores it and hands that on."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--record", action="store_true", help="record cassettes anew, from Google's service")


@pytest.fixture
def record(request):
    """Whether cassettes are recorded anew."""
    return request.config.getoption("--record")


@pytest.fixture(autouse=True)
def no_credentials_of_the_machine(monkeypatch, request):
    """Tests do not depend on who runs them, unless they record."""
    if not request.config.getoption("--record"):
        for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(CATALOG_VARIABLE, raising=False)


@pytest.fixture(autouse=True)
def day_without_ends(monkeypatch):
    """No test fails because the service of a model ends."""
    monkeypatch.setattr(ends, "clock", lambda: date(2026, 1, 1))


@pytest.fixture(autouse=True)
def no_known_refusals():
    """What a server of another test refused is forgotten."""
    forget_refusals()


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch):
    """The command writes as on a pipe, also where pytest runs in a terminal or sets its width for its workers."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def async_transport(monkeypatch, request):
    """Async calls go over httpx, also where aiohttp is installed. `transports` has parameters that choose aiohttp."""
    name = getattr(request, "param", "httpx")
    if name == "httpx":
        monkeypatch.setattr(client_factory, "find_aiohttp_client", lambda: None)
    return name
