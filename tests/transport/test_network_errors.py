"""Requests that do not reach the server: the error names the cause and the remedy."""

import asyncio
import socket
import ssl

import pytest
import raw_server
from raw_server import answer_with
from transports import over_aiohttp, whole_modes
from wire import Wire, http
from wire import completion as completion_body

from langchain_gemini_compat import ChatGeminiCompat, errors

BODY = "x" * 8_000_000


def answer_of(status):
    return f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()


def server(answer, tls=None):
    """Start a server that reads the start of a request, sends the bytes `answer` and closes the connection."""
    return raw_server.start(answer_with(answer), tls=tls)


@pytest.fixture
def fail(mode):
    """Return a function that calls a model and returns the error. It asserts the number of `tries`."""

    def run(url, prompt="hi", tries=1, **options):
        model = ChatGeminiCompat(model="m", base_url=url, api_key="secret-key-1", max_retries=1, **options)
        with pytest.raises(errors.GeminiCompatError) as caught:
            model.invoke(prompt) if mode == "invoke" else asyncio.run(model.ainvoke(prompt))
        assert caught.value.tries == tries
        assert "()" not in str(caught.value)
        assert "secret-key-1" not in str(caught.value)
        return caught.value

    return run


@pytest.fixture
def proxied(monkeypatch):
    def use(place):
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://{place}")

    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return use


@whole_modes
def test_untrusted_certificate_is_not_retried(fail):
    """The error message does not contain advice about the request. Field case E16."""
    trustme = pytest.importorskip("trustme")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with server(b"", context) as (place, seen):
        error = fail(f"https://{place}/v1")
        assert isinstance(error, errors.APIConnectionError)
        assert "certificate is not trusted" in str(error)
        assert "SSL_CERT_FILE" in str(error)
        assert len(seen) == 1


@whole_modes
def test_certificate_of_another_host_is_not_retried(fail):
    """The certificate comes from a trusted authority, but names another host. Field case E16."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    theirs, ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("server.example").configure_cert(theirs)
    authority.configure_trust(ours)
    clients = {"http_client": http.Client(verify=ours), "http_async_client": http.AsyncClient(verify=ours)}
    with server(b"", theirs) as (place, _):
        assert "another host" in str(fail(f"https://{place}/v1", **clients))


@whole_modes
def test_server_without_tls_is_not_retried(fail):
    """The server at the port of the `https` URL does not use TLS. Field case E16."""
    with server(answer_of("400 Bad Request")) as (place, seen):
        assert "does not use TLS" in str(fail(f"https://{place}/v1"))
        assert len(seen) == 1


@whole_modes
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_login_is_not_retried(fail, proxied, scheme):
    """The proxy answers 407 to CONNECT, or to a forwarded request. Field case E16."""
    with server(answer_of("407 Proxy Authentication Required")) as (place, seen):
        proxied(place)
        error = fail(f"{scheme}://server.example/v1")
        assert "requires a login" in str(error)
        assert "preview()" not in str(error)
        assert len(seen) == 1


@whole_modes
@pytest.mark.parametrize(("status", "tries"), [("403 Forbidden", 1), ("502 Bad Gateway", 2)])
def test_proxy_that_refuses_or_fails_is_named(fail, proxied, status, tries):
    """The call is retried if the proxy failed, but not if the proxy refused. Field case E16."""
    with server(answer_of(status)) as (place, seen):
        proxied(place)
        error = fail("https://server.example/v1", tries=tries)
        assert status in str(error)
        assert len(seen) == tries


@whole_modes
def test_invalid_proxy_port_is_named(fail, proxied):
    """A port above 65535 is named as an invalid proxy setting, and no `ExceptionGroup` is raised. Field case E16."""
    proxied("127.0.0.1:99999")
    assert "proxy settings are invalid" in str(fail("https://server.example/v1"))


def test_invalid_proxy_port_of_the_callers_client_is_named():
    """An async client raises an `ExceptionGroup` for such a port. Field case E16."""

    async def ask():
        async with http.AsyncClient(proxy="http://127.0.0.1:99999") as client:
            await ChatGeminiCompat(
                model="m", base_url="https://server.example/v1", max_retries=1, http_async_client=client
            ).ainvoke("hi")

    with pytest.raises(errors.APIConnectionError, match="cannot exist") as caught:
        asyncio.run(ask())
    assert caught.value.tries == 1


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
def test_refused_upload_is_not_retried(fail):
    """The server answers 413 and closes the connection before it has read the body.

    Async clients cannot read this answer, but the error still names the cause. Field case E16.
    """
    with server(answer_of("413 Content Too Large")) as (place, seen):
        error = fail(f"http://{place}/v1", BODY)
        assert "larger than the server" in str(error)
        assert "preview()" not in str(error)
        assert len(seen) == 1


@over_aiohttp
async def test_refused_upload_over_aiohttp_is_an_error(async_transport):
    """The library aiohttp reads the 413 or reports a closed connection. Only a closed connection causes a retry."""
    with server(answer_of("413 Content Too Large")) as (place, seen):
        model = ChatGeminiCompat(model="m", base_url=f"http://{place}/v1", api_key="secret-key-1", max_retries=1)
        with pytest.raises((errors.InvalidRequestError, errors.APIConnectionError)) as caught:
            await model.ainvoke(BODY)
    assert caught.value.tries == len(seen)
    assert "secret-key-1" not in str(caught.value)


@whole_modes
def test_connection_closed_without_an_answer_is_retried(fail):
    """A server closes its connections when it restarts. The error message says that the connection was closed."""
    with server(b"") as (place, seen):
        assert "closed the connection" in str(fail(f"http://{place}/v1", tries=2))
        assert len(seen) == 2


@whole_modes
def test_host_without_an_address_is_named(fail):
    """`.invalid` never has an address. A retry may help if no name server answers. Field case E16."""
    url = "https://no-such-host.invalid/v1"
    try:
        socket.getaddrinfo("no-such-host.invalid", 443)
    except socket.gaierror as err:
        tries = 2 if err.errno == socket.EAI_AGAIN else 1
    assert "host name has no address" in str(fail(url, tries=tries))


@whole_modes
def test_refused_connection_is_named(fail):
    """The message has the operating system's reason, not "All connection attempts failed". Field case E16."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = fail(f"http://127.0.0.1:{port}/v1", tries=2)
    assert "Could not reach the server ([Errno 111]" in str(error)
    assert "nothing listens at this address" in str(error)


@pytest.mark.parametrize("kind", ["ReadError", "WriteError", "ConnectError", "RemoteProtocolError", "CloseError"])
def test_error_without_a_text_leaves_no_empty_parentheses(kind):
    """The HTTP library's error has no text, so our message says that there was no reason. Field case E16."""
    wire = Wire(getattr(http, kind)(""))
    model = ChatGeminiCompat(model="m", base_url="http://server.example/v1", max_retries=0, **wire.clients)
    with pytest.raises(errors.APIConnectionError, match="it gave no reason"):
        model.invoke("hi")


def test_reply_that_breaks_without_a_text_leaves_no_empty_parentheses():
    """The HTTP library's error has no text, so our message contains the name of its class. Field case E16."""

    class Body(http.SyncByteStream):
        def __iter__(self):
            yield b"{"
            raise http.ReadError("")

    wire = Wire(http.Response(200, stream=Body()))
    model = ChatGeminiCompat(model="m", base_url="http://server.example/v1", max_retries=0, **wire.clients)
    with pytest.raises(errors.TruncatedStreamError, match=r"\(ReadError\)"):
        model.invoke("hi")


def test_large_request_leaves_no_trace_of_its_upload():
    """After the call, the request has no extension `trace`, because this extension would keep the body in memory."""
    wire = Wire(completion_body())
    ChatGeminiCompat(model="m", base_url="http://server.example/v1", **wire.clients).invoke(BODY)
    assert "trace" not in wire.requests[0].extensions
