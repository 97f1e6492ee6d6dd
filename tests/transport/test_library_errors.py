"""The table of the HTTP library's exceptions matches the installed release."""

import asyncio
import socket
from importlib import import_module

import pytest
from wire import http

from langchain_gemini_compat._transport.library_errors import KINDS, HttpErrorKind, is_timeout, kind_of

#: The library httpcore or httpcore2, on which the HTTP library is built. An exception that it raises while a body is
#: read can reach the caller unchanged.
core = import_module(http.HTTPTransport.__module__.replace("httpx", "httpcore").partition(".")[0])
#: Transport errors that need no entry in `KINDS`. Their own text is quoted in the error message, and the message for
#: `ConnectError` depends on its cause. Only the event decoder of httpx2 raises `SSEError`.
OTHERS = {"SSEError", "TransportError", "NetworkError", "ConnectError", "ProtocolError", "LocalProtocolError"}


@pytest.fixture
def idle_server():
    """The URL of a server that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def errors_of(library, base):
    return {name for name, value in vars(library).items() if isinstance(value, type) and issubclass(value, base)}


def test_transport_errors_of_the_library_are_all_in_the_table():
    found = errors_of(http, http.TransportError)
    assert found >= KINDS.keys()
    assert found - KINDS.keys() <= OTHERS


@pytest.mark.parametrize("name", sorted(KINDS.keys() - {"CloseError"}))
def test_exceptions_of_the_lower_library_have_the_same_names(name):
    assert issubclass(getattr(core, name), Exception)


@pytest.mark.parametrize("library", [http, core], ids=lambda library: library.__name__)
def test_timeouts_are_subclasses_of_one_class(library):
    for name in errors_of(library, library.TimeoutException):
        assert is_timeout(getattr(library, name)(""))


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("header", [{"x": "a\nb"}, {"x y": "z"}], ids=["value", "name"])
def test_illegal_header_is_recognized_by_its_text(mode, header, idle_server):
    """h11 has one class for all mistakes of a caller, so only the text shows which mistake it is."""

    async def send():
        async with http.AsyncClient() as client:
            await client.get(idle_server, headers=header)

    with pytest.raises(http.LocalProtocolError) as caught:
        http.get(idle_server, headers=header) if mode == "sync" else asyncio.run(send())
    assert kind_of(caught.value) is HttpErrorKind.ILLEGAL_HEADER


def test_missing_scheme_is_recognized():
    with pytest.raises(http.UnsupportedProtocol) as caught:
        http.get("server.example/v1")
    assert kind_of(caught.value) is HttpErrorKind.SCHEME


def test_exceptions_of_other_libraries_have_no_kind():
    """In another library, a class of the same name may have another meaning."""
    other = type("ReadTimeout", (Exception,), {})()
    assert kind_of(other) is HttpErrorKind.OTHER
    assert not is_timeout(None)
