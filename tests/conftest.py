"""Options and fixtures for all tests."""

import gc
import signal
from datetime import date

import pytest

from langchain_gemini_compat._catalog import ends
from langchain_gemini_compat._catalog.catalog_file import CATALOG_VARIABLE
from langchain_gemini_compat._request.known_refusals import forget_refusals
from langchain_gemini_compat._transport import client_factory

#: Files with long tests. They run first. If a long test started last, all other workers of pytest-xdist would wait
#: for it.
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
    """Run the tests of the files in `LONG_FILES` before all other tests."""
    items.sort(key=lambda item: item.path.stem not in LONG_FILES)


def pytest_collection_finish():
    """Exclude the 16,000 collected tests from garbage collection.

    Otherwise, each garbage collection would visit these objects and take half a second.
    """
    gc.collect()
    gc.freeze()


def pytest_configure():
    """Make Ctrl-C raise `KeyboardInterrupt`, even if pytest runs as a background job of a shell.

    A shell makes its background jobs ignore the signal of Ctrl-C. Child processes inherit this setting.
    """
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
    """Remove keys, project and location from the environment, so that tests do not depend on the machine.

    They are kept when cassettes are recorded.
    """
    if not request.config.getoption("--record"):
        for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(CATALOG_VARIABLE, raising=False)


@pytest.fixture(autouse=True)
def day_without_ends(monkeypatch):
    """Set the current day to a fixed date.

    Otherwise, tests would fail on the day on which the package begins to warn that Google ends a model.
    """
    monkeypatch.setattr(ends, "clock", lambda: date(2026, 1, 1))


@pytest.fixture(autouse=True)
def no_known_refusals():
    """Forget all refusals before each test.

    The package remembers what a server refused, so a refusal in one test would change the requests of the next.
    """
    forget_refusals()


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch):
    """Remove the variable `COLUMNS`, so that the command-line tool formats its output as for a pipe.

    A shell or pytest-xdist may set this variable.
    """
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def async_transport(monkeypatch, request):
    """Send async calls over httpx, even if aiohttp is installed. Return the name of the transport.

    A test can choose aiohttp with a parameter from the module `transports`.
    """
    name = getattr(request, "param", "httpx")
    if name == "httpx":
        monkeypatch.setattr(client_factory, "find_aiohttp_client", lambda: None)
    return name
