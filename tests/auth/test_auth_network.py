"""Token requests over real sockets: certificates, proxies, redirects and time limits."""

import asyncio
import functools
import inspect
import json
import logging
import socket
import threading
import time
import traceback
from types import SimpleNamespace

import google.auth.credentials
import pytest
from certificates import Certificates
from google.auth import compute_engine, impersonated_credentials
from google.auth.exceptions import TransportError
from google.oauth2.credentials import Credentials as UserCredentials
from token_server import serve_tokens

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._auth.google import build_token_source
from langchain_gemini_compat._auth.google_transport import TokenRequest
from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat.errors import CredentialsError, RequestTimeoutError
from langchain_gemini_compat.testing import FakeGemini

SUBJECT = "canary-subject-token-0123456789abcdef"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def resolve(monkeypatch):
    """Return a dict from host names or IP addresses to servers on loopback.

    A connection to a name or address in the dict goes to its server.
    """
    real, here = socket.getaddrinfo, {}

    def look_up(host, port, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        server = here.get((name, int(port or 0))) or here.get(name)
        return real("127.0.0.1", server.server_port, *args, **kwargs) if server else real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return here


@pytest.fixture
def metadata_certificates(monkeypatch, certificates):
    """Certificates as on a Compute Engine machine, in the path where google-auth looks for them."""
    mtls = pytest.importorskip("google.auth.compute_engine._mtls", reason="this google-auth has no mutual TLS there")
    for function in (mtls.should_use_mds_mtls, mtls.MdsMtlsAdapter.__init__):
        config = function.__defaults__[0]
        monkeypatch.setattr(config, "ca_cert_path", certificates.authority)
        monkeypatch.setattr(config, "client_combined_cert_path", certificates.client_both)
    monkeypatch.setenv("GCE_METADATA_MTLS_MODE", "default")


def source(credentials, client=None):
    return build_token_source(
        api_key=None, credentials=credentials, quota_project_id=None, source="", http_client=client
    )


def user(url, **kwargs):
    means = {"refresh_token": "canary-refresh-token", "client_id": "id", "client_secret": "canary-client-secret"}
    return UserCredentials(None, token_uri=url, **{**means, **kwargs})


def test_metadata_server_with_certificates_gives_a_token(metadata_certificates, certificates, resolve):
    """google-auth passes the certificates for the metadata server to our token request, which uses them.

    Field case E2.
    """
    with serve_tokens("t", certificates.server_context()) as server:
        resolve["metadata.google.internal"] = server
        assert source(compute_engine.Credentials()).token() == "t-1"
    assert [path.partition("?")[0].rpartition("/")[2] for path in server.paths][-1] == "token"


@pytest.mark.parametrize("mode", ["default", "strict"])
def test_metadata_server_without_tls_gets_plain_http_unless_strict(
    metadata_certificates, certificates, resolve, monkeypatch, mode
):
    """The mode `default` falls back to plain HTTP, as google-auth does. `strict` does not. Field case E2."""
    monkeypatch.setenv("GCE_METADATA_MTLS_MODE", mode)
    monkeypatch.setattr("google.auth._exponential_backoff.time", SimpleNamespace(sleep=lambda _: None))
    with serve_tokens("t") as server:
        resolve["metadata.google.internal"] = server
        tokens = source(compute_engine.Credentials())
        if mode == "default":
            assert tokens.token() == "t-1"
        else:
            with pytest.raises(CredentialsError, match="metadata server"):
                tokens.token()


def test_metadata_server_is_contacted_without_proxy(resolve, monkeypatch):
    """The metadata server is link-local, so neither the environment's nor the client's proxy is used."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serve_tokens("t") as server:
        resolve["metadata.google.internal"] = server
        assert source(compute_engine.Credentials()).token() == "t-1"


def test_default_credentials_of_a_machine_are_found_with_certificates(
    metadata_certificates, certificates, resolve, monkeypatch, tmp_path
):
    """The lookup of default credentials uses the transport of this package for its requests, and finds the project.

    Field cases E2, E9.
    """
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("NO_GCE_CHECK", raising=False)
    with serve_tokens("t", certificates.server_context()) as server:
        resolve["metadata.google.internal"] = resolve["169.254.169.254"] = server
        tokens = source(None)
        assert (tokens.token(), tokens.project()) == ("t-1", "metadata-project")


class WithCertificate(google.auth.credentials.Credentials):
    """Credentials that pass a certificate to the request, as google-auth does for X.509 workload identity."""

    def __init__(self, url, cert):
        super().__init__()
        self.url, self.cert = url, cert

    def refresh(self, request):
        ask = functools.partial(request, cert=self.cert)
        self.token = json.loads(ask(url=self.url, method="POST", body=b"a=b").data)["access_token"]


@pytest.mark.parametrize("files", ["two", "one"])
def test_client_certificate_of_a_token_request_is_presented(certificates, monkeypatch, files):
    """The server requires a client certificate. SSL_CERT_FILE names the authority of the server's certificate.

    Field case E3.
    """
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    pair = (str(certificates.client), str(certificates.client_key))
    with serve_tokens("t", certificates.server_context()) as server:
        cert = pair if files == "two" else str(certificates.client_both)
        assert source(WithCertificate(server.url, cert)).token() == "t-1"
        with pytest.raises(CredentialsError):
            source(WithCertificate(server.url, None)).token()


def test_unreadable_client_certificate_is_an_error(certificates, tmp_path):
    """The file is missing or does not contain a key. No request is sent. Field case E3."""
    (tmp_path / "empty.pem").write_text("")
    for path in (str(tmp_path / "missing.pem"), str(tmp_path / "empty.pem")):
        with pytest.raises(CredentialsError, match="client certificate of the credentials cannot be loaded"):
            source(WithCertificate("https://127.0.0.1:9/", (path, path))).token()


def test_workload_identity_with_a_certificate_gets_its_token(certificates, monkeypatch, tmp_path):
    """Default credentials use the client certificate from their first request on. Field cases E3, E9."""
    identity_pool = pytest.importorskip("google.auth.identity_pool")
    if not hasattr(identity_pool.Credentials, "_get_mtls_cert_and_key_paths"):
        pytest.skip("this google-auth has no X.509 workload identity")
    if "OpenSSL" in inspect.getsource(identity_pool):
        pytest.importorskip("OpenSSL", reason="this google-auth needs pyOpenSSL for it")
    workload = {"cert_path": str(certificates.client), "key_path": str(certificates.client_key)}
    (tmp_path / "workload.json").write_text(json.dumps({"version": 1, "cert_configs": {"workload": workload}}))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    with serve_tokens("t", certificates.server_context()) as server:
        write_login(
            monkeypatch,
            tmp_path,
            server,
            {"certificate": {"certificate_config_location": str(tmp_path / "workload.json")}},
        )
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
        assert source(None).token() == "t-1"


def write_login(monkeypatch, tmp_path, server, credential_source, **more):
    login = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": server.url,
        "credential_source": credential_source,
        **more,
    }
    monkeypatch.setattr("google.auth.external_account._CLOUD_RESOURCE_MANAGER", f"{server.url}/projects/")
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    (tmp_path / "login.json").write_text(json.dumps(login))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "login.json"))


@pytest.mark.parametrize("impersonates", [False, True])
def test_external_account_follows_no_redirect_with_its_subject_token(monkeypatch, tmp_path, impersonates):
    """The library `requests` would follow a redirect with the subject token, so no request uses it. Field case E9."""
    (tmp_path / "subject").write_text(SUBJECT)
    monkeypatch.setattr("requests.Session.request", lambda *_, **__: pytest.fail("another way"))
    with serve_tokens("t") as attacker, serve_tokens("t") as server:
        server.page, server.location = (307, ""), attacker.url
        more = {"service_account_impersonation_url": f"{server.url}:generateAccessToken"} if impersonates else {}
        write_login(monkeypatch, tmp_path, server, {"file": str(tmp_path / "subject")}, **more)
        with pytest.raises(CredentialsError) as caught:
            source(None).token()
        assert attacker.paths == []
        server.page = None
        tokens = source(None)
        assert tokens.token().startswith("t-")
        assert tokens.project() == "their-project"
        assert server.forms[-1].get("subject_token", SUBJECT) == SUBJECT
    assert "canary" not in str(caught.value)


def test_impersonation_uses_the_same_transport(monkeypatch, resolve, certificates):
    """The token requests for the caller and for the target account use the transport of this package. Field case E9."""
    with serve_tokens("t") as server:
        target = impersonated_credentials.Credentials(
            user(server.url),
            "target@p.iam.gserviceaccount.com",
            ["https://www.googleapis.com/auth/cloud-platform"],
        )
        target._iam_endpoint_override = f"{server.url}:generateAccessToken"
        assert source(target).token() == "t-2"
    assert len(server.paths) == 2


def test_gdch_service_account_uses_the_same_transport(monkeypatch, certificates, tmp_path):
    """Credentials of Google Distributed Cloud (GDCH) require google-auth's request class for the library `requests`.

    The package passes an instance of a subclass that uses the package's own transport. Field case E9.
    """
    gdch = pytest.importorskip("google.oauth2.gdch_credentials")
    monkeypatch.setattr("requests.Session.request", lambda *_, **__: pytest.fail("another way"))

    class Signer(google.auth.crypt.Signer):
        key_id = "1"

        def sign(self, message):
            return b"signature"

    context = certificates.server_context()
    context.verify_mode = 0
    with serve_tokens("t", context) as server:
        credentials = gdch.ServiceAccountCredentials(
            Signer(), "name", "project", "audience", server.url, str(certificates.authority)
        )
        monkeypatch.setattr("json.dumps", json.dumps)
        assert source(credentials).token() == "t-1"


@pytest.mark.parametrize("kind", ["sync", "ainvoke"])
def test_token_request_uses_the_proxy_of_the_callers_client(kind):
    """Token requests use the proxy of the caller's client, because the token server may be unreachable without it.

    The client's event hooks are not called, because they would see the secret. The client's default headers are not
    sent. Field case E11.
    """
    library = pytest.importorskip(library_name())
    seen = []
    with (
        serve_tokens("t") as proxy,
        library.Client(
            proxy=proxy.url.removesuffix("/token"),
            headers={"x-gateway-key": "canary"},
            event_hooks={"request": [seen.append], "response": [seen.append]},
        ) as client,
    ):
        tokens = source(user("http://token.example/token"), client)
        assert (tokens.token() if kind == "sync" else asyncio.run(tokens.atoken())) == "t-1"
        assert client.event_hooks["request"]
    assert proxy.paths == ["http://token.example/token"]
    assert "x-gateway-key" not in proxy.headers[0]
    assert seen == []


def test_model_passes_its_client_to_token_requests():
    """Token requests use the `http_client` of the constructor. Field case E11."""
    library = pytest.importorskip(library_name())
    with serve_tokens("t") as proxy, FakeGemini("Hello!").serve() as url:
        port = url.split(":")[2].split("/")[0]
        with library.Client(
            mounts={f"http://127.0.0.1:{port}": library.HTTPTransport()}, proxy=proxy.url.removesuffix("/token")
        ) as client:
            chat = ChatGeminiCompat(
                model="gemini-3.8-flash", surface="ai_studio", base_url=url, http_client=client,
                credentials=user("http://token.example/token"),
            )  # fmt: skip
            assert chat.invoke("hi").text == "Hello!"
    assert proxy.paths == ["http://token.example/token"]


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("gemini-compat")]


@pytest.mark.parametrize("way", ["invoke", "stream", "ainvoke", "astream"])
@pytest.mark.parametrize("stall", ["silence", "headers", "body"])
def test_token_server_that_hangs_is_bounded_by_the_timeout(stall, way):
    """A number as `timeout` limits the call with all its tries. All threads end. Field case E18."""
    with serve_tokens("t") as server, FakeGemini("Hello!").serve() as url:
        server.stall = stall
        chat = ChatGeminiCompat(
            model="gemini-3.8-flash", surface="ai_studio", base_url=url, credentials=user(server.url), timeout=1
        )
        chat._open_transport()

        async def astream():
            return [part async for part in chat.astream("hi")]

        calls = {
            "invoke": lambda: chat.invoke("hi"),
            "stream": lambda: list(chat.stream("hi")),
            "ainvoke": lambda: asyncio.run(chat.ainvoke("hi")),
            "astream": lambda: asyncio.run(astream()),
        }
        begun = time.monotonic()
        with pytest.raises(RequestTimeoutError, match="No token for argument `credentials`"):
            calls[way]()
        assert time.monotonic() - begun < 30
        end = time.monotonic() + 60
        while threads() and time.monotonic() < end:
            time.sleep(0.02)
        assert threads() == []


def test_token_request_has_its_own_time_limit():
    """The limit is not extended if bytes arrive one by one. Field case E18."""
    with serve_tokens("t") as server:
        for stall in ("silence", "headers", "body"):
            server.stall = stall
            begun = time.monotonic()
            with pytest.raises((TransportError, CredentialsError)):
                TokenRequest()(server.url, method="POST", body=b"a=b", timeout=0.5)
            assert time.monotonic() - begun < 30


def test_metadata_server_that_hangs_is_bounded(resolve):
    """The call ends at its deadline, although google-auth alone would send five requests. Field case E18."""
    with serve_tokens("t") as server:
        server.stall = "headers"
        resolve["metadata.google.internal"] = server
        begun = time.monotonic()
        with pytest.raises(RequestTimeoutError):
            source(compute_engine.Credentials()).token(time.monotonic() + 0.5)
        assert time.monotonic() - begun < 30
        while threads() and time.monotonic() - begun < 60:
            time.sleep(0.02)
        assert threads() == []


def test_endless_answer_is_cut():
    """A token server's answer has only a few thousand bytes, so an answer of megabytes raises an error."""
    with serve_tokens("t") as server:
        server.page = (200, "x" * 3_000_000)
        with pytest.raises(TransportError, match="more than"):
            TokenRequest()(server.url, method="POST", body=b"a=b")


@pytest.mark.parametrize("header", ["hush-hush\nx: y", "hush-hushä", "a\x00hush-hush"])
def test_invalid_header_of_a_token_request_is_not_shown(header, caplog):
    """HTTP libraries quote the value. This error does not quote it, and is not retried. Field case E4."""
    caplog.set_level(logging.DEBUG)
    with serve_tokens("t") as server:
        request = TokenRequest()
        for sent in ({"authorization": header}, {"x-goog-user-project": header}):
            with pytest.raises(CredentialsError, match="not allowed in HTTP headers") as caught:
                request(server.url, headers=sent)
            assert "hush-hush" not in "".join(traceback.format_exception(caught.type, caught.value, None))
            assert caught.value.__cause__ is caught.value.__context__ is None
            assert not caught.value.is_retryable
        assert request(server.url, headers={"x-goog-user-project": " mine\n"}).status == 200
    assert server.headers[-1]["x-goog-user-project"] == "mine"
    assert "hush-hush" not in caplog.text
