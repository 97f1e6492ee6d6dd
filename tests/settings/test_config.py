"""Resolution of arguments and environment variables to an endpoint and a credential."""

import traceback
import warnings
from urllib.parse import urlsplit

import pytest
from google.auth.credentials import AnonymousCredentials
from google.oauth2.credentials import Credentials
from langchain_core.runnables import ConfigurableField
from pydantic import SecretStr

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._settings.connection import resolve_connection
from langchain_gemini_compat.errors import GeminiCompatWarning

VERTEX = "https://aiplatform.googleapis.com/v1/projects/{}/locations/global/endpoints/openapi"
STUDIO = "https://generativelanguage.googleapis.com/v1beta/openai"
GATEWAY = "http://gateway.test/v1"
PROJECT, LOCATION = {"GOOGLE_CLOUD_PROJECT": "env-p"}, {"GOOGLE_CLOUD_LOCATION": "eu"}
GOOGLE_KEY, GEMINI_KEY = {"GOOGLE_API_KEY": "google-k"}, {"GEMINI_API_KEY": "gemini-k"}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch):
    for name in (*PROJECT, *LOCATION, *GOOGLE_KEY, *GEMINI_KEY):
        monkeypatch.delenv(name, raising=False)


def resolve(monkeypatch=None, environment=(), **arguments):
    for name, value in dict(environment).items():
        monkeypatch.setenv(name, value)
    options = dict.fromkeys(("surface", "project", "location", "endpoint_id", "base_url", "api_key", "credentials"))
    key = arguments.pop("api_key", None)
    if key is not None:
        options["api_key"] = SecretStr(key)
    return resolve_connection(model="gemini-3.8-flash", **{**options, "api_version": "v1", **arguments})


def key_of(connection):
    return None if connection.api_key is None else connection.api_key.get_secret_value()


#: Each row has environment variables and arguments, and the expected surface, base URL, key and source of the key.
TABLE = [
    ({}, {"project": "p"}, "vertex", VERTEX.format("p"), None, ""),
    ({}, {"api_key": "k"}, "ai_studio", STUDIO, "k", "argument `api_key`"),
    ({}, {"project": "p", "api_key": "k"}, "vertex", VERTEX.format("p"), "k", "argument `api_key`"),
    ({}, {"location": "global"}, "vertex", VERTEX.format("{project}"), None, ""),
    ({}, {"credentials": AnonymousCredentials()}, "vertex", VERTEX.format("{project}"), None, ""),
    ({}, {"endpoint_id": "1"}, "vertex", VERTEX.format("{project}").replace("openapi", "1"), None, ""),
    (PROJECT, {}, "vertex", VERTEX.format("env-p"), None, ""),
    (PROJECT, {"project": "p"}, "vertex", VERTEX.format("p"), None, ""),
    (PROJECT, {"project": ""}, "vertex", VERTEX.format("env-p"), None, ""),
    (PROJECT, {"location": "global"}, "vertex", VERTEX.format("env-p"), None, ""),
    (PROJECT, {"api_key": "k"}, "ai_studio", STUDIO, "k", "argument `api_key`"),
    (GOOGLE_KEY, {}, "ai_studio", STUDIO, "google-k", "environment GOOGLE_API_KEY"),
    (GEMINI_KEY, {}, "ai_studio", STUDIO, "gemini-k", "environment GEMINI_API_KEY"),
    (GOOGLE_KEY | GEMINI_KEY, {}, "ai_studio", STUDIO, "google-k", "environment GOOGLE_API_KEY"),
    (GOOGLE_KEY, {"api_key": "k"}, "ai_studio", STUDIO, "k", "argument `api_key`"),
    (GOOGLE_KEY, {"project": "p"}, "vertex", VERTEX.format("p"), None, ""),
    (GOOGLE_KEY | PROJECT, {"surface": "ai_studio"}, "ai_studio", STUDIO, "google-k", "environment GOOGLE_API_KEY"),
    (GOOGLE_KEY | PROJECT, {"surface": "vertex"}, "vertex", VERTEX.format("env-p"), None, ""),
    (GOOGLE_KEY, {"base_url": GATEWAY}, "openai_compatible", GATEWAY, None, ""),
    (GOOGLE_KEY | PROJECT, {"base_url": GATEWAY}, "openai_compatible", GATEWAY, None, ""),
    (GOOGLE_KEY, {"base_url": GATEWAY, "api_key": "k"}, "openai_compatible", GATEWAY, "k", "argument `api_key`"),
    (GOOGLE_KEY, {"base_url": STUDIO}, "ai_studio", STUDIO, "google-k", "environment GOOGLE_API_KEY"),
    ({}, {"base_url": STUDIO, "credentials": AnonymousCredentials()}, "ai_studio", STUDIO, None, ""),
    ({}, {"base_url": GATEWAY, "credentials": AnonymousCredentials()}, "openai_compatible", GATEWAY, None, ""),
    (GOOGLE_KEY, {"base_url": VERTEX.format("p")}, "vertex", VERTEX.format("p"), None, ""),
    ({}, {"base_url": VERTEX.format("p"), "api_key": "k"}, "vertex", VERTEX.format("p"), "k", "argument `api_key`"),
    ({}, {"base_url": GATEWAY, "endpoint_id": "1", "credentials": AnonymousCredentials()}, "vertex", GATEWAY, None, ""),
    ({}, {"base_url": GATEWAY, "surface": "ai_studio", "api_key": "k"}, "ai_studio", GATEWAY, "k",
     "argument `api_key`"),
]  # fmt: skip


@pytest.mark.parametrize(("environment", "arguments", "surface", "url", "key", "source"), TABLE)
def test_arguments_and_environment_select_surface_url_key_and_source(
    monkeypatch, environment, arguments, surface, url, key, source
):
    """Each row checks the surface, the base URL, the key and where the key came from."""
    found = resolve(monkeypatch, environment, **arguments)
    assert (found.endpoint.surface, found.endpoint.base_url, key_of(found), found.key_source) == (
        surface, url, key, source,
    )  # fmt: skip


def test_location_of_the_environment_is_used_on_vertex(monkeypatch):
    """The argument `location` takes precedence."""
    assert "locations/eu/" in resolve(monkeypatch, PROJECT | LOCATION).endpoint.base_url
    assert "locations/us/" in resolve(location="us").endpoint.base_url


def test_key_and_project_in_the_environment_warn(monkeypatch):
    """Vertex AI is used. The warning names both variables."""
    for extra in (GOOGLE_KEY, GEMINI_KEY):
        with pytest.warns(GeminiCompatWarning, match=rf"GOOGLE_CLOUD_PROJECT and {next(iter(extra))}") as caught:
            found = resolve(monkeypatch, PROJECT | extra)
        assert (found.endpoint.surface, found.api_key) == ("vertex", None)
        assert len(caught) == 1
        monkeypatch.delenv(next(iter(extra)))


@pytest.mark.parametrize(
    "arguments", [{"surface": "vertex"}, {"surface": "ai_studio"}, {"project": "p"}, {"api_key": "k"}]
)
def test_argument_that_selects_the_surface_silences_the_warning(monkeypatch, arguments):
    """With such an argument the environment is not ambiguous."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resolve(monkeypatch, PROJECT | GOOGLE_KEY, **arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "No endpoint"),
        ({"surface": "ai_studio"}, "AI Studio needs a key"),
        ({"surface": "openai_compatible"}, "needs `base_url`"),
    ],
)
def test_arguments_without_endpoint_raise_at_construction(arguments, text):
    """The message says which argument is missing."""
    with pytest.raises(ValueError, match=text):
        resolve(**arguments)
    with pytest.raises(ValueError, match=text):
        ChatGeminiCompat(model="gemini-3.8-flash", **arguments)


@pytest.mark.parametrize("build", [resolve, lambda **given: ChatGeminiCompat(model="gemini-3.8-flash", **given)])
@pytest.mark.parametrize(
    ("base_url", "text"),
    [
        ("127.0.0.1:8080/v1", "has no scheme: write `https://`"),
        ("localhost:8080/v1", "has no scheme"),
        ("gateway.test", "has no scheme"),
        ("", "has no scheme"),
        ("ftp://gateway.test/v1", "scheme that is not supported"),
        ("http+unix://gateway.test/v1", "scheme that is not supported"),
        ("http://gateway.test:port/v1", "host or port that is not valid"),
        ("http://gateway.test:99999/v1", "host or port that is not valid"),
        ("http://gateway.test:0/v1", "it has port 0"),
        ("http://[::1/v1", "host or port that is not valid"),
        ("https:///v1", "no host"),
        ("http://gate way.test/v1", "a space"),
        ("http://gateway.test/v1\n", "a line break"),
        ("http://me:canary@gateway.test/v1", "user name or password"),
        ("http://me:can@ary@gateway.test/v1", "user name or password"),
        ("me:canary@gateway.test/v1", "user name or password"),
        ("https://gateway.test/v1?key=canary", "pass `default_query`"),
        ("https://gateway.test/v1?", "pass `default_query`"),
        ("https://gateway.test/v1#canary", "pass `default_query`"),
        ("https://gateway.test\\\\.canary/v1", "not valid in a URL"),
        ("https://gateway.test%2f.canary/v1", "not valid in a URL"),
        ("https://gateway.test\x00.canary/v1", "not valid in a URL"),
    ],
)
def test_invalid_base_url_raises_at_construction(build, base_url, text):
    """The message does not quote the URL, since the URL may contain a password."""
    with pytest.raises(ValueError, match=text) as caught:
        build(base_url=base_url)
    seen = "".join(traceback.format_exception(caught.type, caught.value, None))
    assert [word for word in ("canary", "ary@", "gateway", "8080") if word in seen] == []


@pytest.mark.parametrize(
    "base_url", ["http://[::1]:8080/v1", "HTTPS://Gateway.Test/v1/", "http://g/a@b/v1", VERTEX.format("{project}")]
)
def test_valid_base_url_is_accepted(base_url):
    """The URLs have an IPv6 address, capitals, an `@` in the path, or a placeholder for the project."""
    assert resolve(base_url=base_url).endpoint.base_url == base_url.rstrip("/")


@pytest.mark.parametrize("key", ["", " ", "\n", SecretStr("")])
@pytest.mark.parametrize("place", [{}, {"project": "p"}, {"base_url": GATEWAY}])
def test_empty_key_raises_at_construction(key, place, monkeypatch):
    """Without the error, the request would have no credential, or the key of the environment."""
    monkeypatch.setenv("GOOGLE_API_KEY", "google-k")
    with pytest.raises(ValueError, match=r"`api_key` is empty\. Likely cause: its environment variable is not set"):
        ChatGeminiCompat(model="gemini-3.8-flash", api_key=key, **place)


@pytest.mark.parametrize("credentials", ["x.json", {"type": "service_account"}, AnonymousCredentials])
def test_invalid_credentials_raise_at_construction(credentials):
    """The message names the function that loads credentials from a file."""
    with pytest.raises(ValueError, match=r"google\.auth\.load_credentials_from_file"):
        ChatGeminiCompat(model="gemini-3.8-flash", project="p", credentials=credentials)


def test_endpoint_info_shows_endpoint_and_source_without_secret(monkeypatch):
    """`endpoint_info` shows the result of `resolve_connection`."""
    monkeypatch.setenv("GOOGLE_API_KEY", "canary-k")
    info = ChatGeminiCompat(model="models/gemini-3.8-flash").endpoint_info()
    assert (info["surface"], info["base_url"], info["model"]) == ("ai_studio", STUDIO, "gemini-3.8-flash")
    assert info["auth"] == {"kind": "api_key", "source": "environment GOOGLE_API_KEY"}
    assert "canary" not in str(info)


#: Values that must not get into a URL, whatever argument contains them.
HOSTILE = [
    "attacker.example/#", "attacker.example", "x/../../y", "p/../../x", "..", ".", "a?b", "a#b", "a@b", "@attacker.example",
    "a:b@c", "a%2fb", "%2e%2e", "a b", " a", "a\n", "\ta", "\n", " ", "a\\b", "a\x00b", "a．b", "a。b", "ａ", "ä", "{project}",
    "a;b", "a/b", "a" * 300, "//a",
]  # fmt: skip
ARGUMENTS = ("project", "location", "endpoint_id", "api_version")


def chat(**arguments):
    return ChatGeminiCompat(model="gemini-3.8-flash", **arguments)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_place_argument_with_url_syntax_raises(name, value):
    """A value with the syntax of a URL could change the host or path. The error does not quote it. Field case E1."""
    place = {"project": "p", name: value}
    with pytest.raises(ValueError, match=rf"`{name}` is not valid. Set it to ") as caught:
        chat(**place)
    assert len(value) < 9 or value not in str(caught.value)
    for more in ({"base_url": "https://gateway.test/v1", "api_key": "k"}, {"surface": "ai_studio", "api_key": "k"}):
        with pytest.raises(ValueError, match=name):
            chat(**place, **more)


@pytest.mark.parametrize("value", ["US-CENTRAL1", "us-central1.", "-a", "a-", "us_central1"])
def test_invalid_location_raises(value):
    """The location becomes part of the host name. Field case E1."""
    with pytest.raises(ValueError, match="`location` is not valid"):
        chat(project="p", location=value)


@pytest.mark.parametrize("value", [value for value in HOSTILE if "\x00" not in value])
@pytest.mark.parametrize("name", ["project", "location"])
def test_invalid_place_in_the_environment_raises(monkeypatch, name, value):
    """The message names the variable. Field case E1."""
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.setenv(f"GOOGLE_CLOUD_{name.upper()}", value)
    with pytest.raises(ValueError, match=f"environment variable GOOGLE_CLOUD_{name.upper()}"):
        chat()


@pytest.mark.parametrize("name", ARGUMENTS)
def test_place_that_changes_later_is_checked(name):
    """A value set by assignment, copy, `model_construct` or configuration is checked before a request is sent.

    Field case E1.
    """
    bad = "x/../../y"
    assigned = chat(project="p", credentials=AnonymousCredentials())
    setattr(assigned, name, bad)
    copied = chat(project="p", credentials=AnonymousCredentials()).model_copy(update={name: bad})
    raw = ChatGeminiCompat.model_construct(**{**vars(chat(project="p")), name: bad})
    for model in (assigned, copied, raw):
        with pytest.raises(ValueError, match=f"`{name}` is not valid"):
            model.invoke("hi")
    configurable = chat(project="p").configurable_fields(**{name: ConfigurableField("x")})
    with pytest.raises(ValueError, match=f"`{name}` is not valid"):
        configurable.invoke("hi", {"configurable": {"x": bad}})


@pytest.mark.parametrize(
    "place",
    [
        {"project": "my-project-1"}, {"project": "example.com:p"}, {"project": "example.co.uk:my-project"},
        {"project": "123456789012"}, {"location": "us-central1"}, {"location": "northamerica-northeast1"},
        {"location": "eu"}, {"endpoint_id": "1234567890123456789"}, {"endpoint_id": "mg-endpoint-0a1b"},
        {"api_version": "v1beta1"}, {"api_version": "v1alpha"}, {"project": "", "location": "", "endpoint_id": ""},
    ],
)  # fmt: skip
def test_place_arguments_in_google_s_forms_are_accepted(monkeypatch, place):
    """The host stays Google's, and each value is one segment of the path. Field case E1."""
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    url = urlsplit(chat(**{"location": "eu", **place}).endpoint_info()["base_url"])
    assert url.netloc.endswith("aiplatform.googleapis.com") or url.netloc.endswith(".rep.googleapis.com")
    assert url.path.count("/") == 7


PSC = "https://us-central1-aiplatform-psc.p.googleapis.com"
PATH = "/v1/projects/p/locations/us-central1/endpoints/openapi"


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        ({"project": "p", "location": "us-central1", "base_url": PSC}, PSC + PATH),
        ({"project": "p", "location": "us-central1", "base_url": PSC + "/"}, PSC + PATH),
        ({"project": "p", "location": "us-central1", "base_url": PSC + "/v1beta1"}, PSC + PATH.replace("v1", "v1beta1")),
        ({"project": "p", "location": "us-central1", "base_url": PSC, "endpoint_id": "7"}, PSC + PATH.replace("openapi", "7")),
        ({"project": "p", "base_url": PSC}, PSC + PATH),
        ({"base_url": PSC}, PSC + PATH.replace("/p/", "/{project}/")),
        ({"project": "p", "location": "eu", "base_url": "https://aiplatform-mine.p.googleapis.com"},
         "https://aiplatform-mine.p.googleapis.com/v1/projects/p/locations/eu/endpoints/openapi"),
        ({"project": "p", "base_url": "https://us-central1-aiplatform.googleapis.com"},
         "https://us-central1-aiplatform.googleapis.com" + PATH),
        ({"project": "p", "base_url": "https://aiplatform.eu.rep.googleapis.com"},
         "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/endpoints/openapi"),
        ({"project": "p", "location": "us-central1", "base_url": "https://restricted.googleapis.com"},
         "https://restricted.googleapis.com" + PATH),
        ({"project": "p", "location": "us-central1", "base_url": "https://private.googleapis.com"},
         "https://private.googleapis.com" + PATH),
        ({"project": "p", "location": "us-central1", "base_url": "https://vertex.internal", "surface": "vertex",
          "credentials": AnonymousCredentials()}, "https://vertex.internal" + PATH),
    ],
)  # fmt: skip
def test_bare_vertex_host_gets_the_path_of_the_endpoint(monkeypatch, arguments, url):
    """Hosts of Vertex AI include Private Service Connect.

    They get default credentials if none are passed. Field case E12.
    """
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "asia-east1")
    info = chat(**arguments).endpoint_info()
    assert (info["surface"], info["base_url"]) == ("vertex", url)
    assert info["auth"]["kind"] == ("google_credentials" if "credentials" in arguments else "application_default")


DEDICATED = "https://123.us-central1-5.prediction.vertexai.goog"
OWN = "/v1/projects/{}/locations/us-central1/endpoints/123"


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        ({"base_url": DEDICATED + OWN.format(5)}, DEDICATED + OWN.format(5)),
        ({"base_url": DEDICATED + OWN.format(5) + "/chat/completions"}, DEDICATED + OWN.format(5)),
        ({"base_url": DEDICATED, "project": "p", "endpoint_id": "123"}, DEDICATED + OWN.format("p")),
        ({"base_url": DEDICATED, "project": "p"}, DEDICATED + OWN.format("p")),
        ({"base_url": DEDICATED + "/v1"}, DEDICATED + OWN.format(5)),
        ({"base_url": PSC + OWN.format("p")}, PSC + OWN.format("p")),
        ({"base_url": PSC + "/v1/projects/q/locations/us-central1"}, PSC + PATH.replace("/p/", "/q/")),
        ({"base_url": PSC + "/v1/projects/q/locations/us-central1/endpoints/"}, PSC + PATH.replace("/p/", "/q/")),
        ({"base_url": PSC + "/v1/projects/q"}, PSC + PATH.replace("/p/", "/q/")),
        ({"base_url": PSC + "/v1/projects/q/locations/us-central1", "project": "q", "endpoint_id": "123"},
         PSC + OWN.format("q")),
        ({"base_url": "https://restricted.googleapis.com/v1/projects/p/locations/us-central1", "project": "p"},
         "https://restricted.googleapis.com" + PATH),
    ],
)  # fmt: skip
def test_vertex_host_with_a_path_gets_default_credentials(monkeypatch, arguments, url):
    """The URL names a dedicated endpoint, or has only the beginning of the path of an endpoint. Field case E12."""
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "asia-east1")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "other")
    info = chat(**arguments).endpoint_info()
    assert (info["surface"], info["base_url"], info["auth"]["kind"]) == ("vertex", url, "application_default")


@pytest.mark.parametrize("end", ["", "/endpoints", "/endpoints/openapi"])
def test_argument_that_contradicts_the_path_warns(end):
    """If `project` differs from the project in the path of `base_url`, the argument is ignored. Field case E12."""
    with pytest.warns(GeminiCompatWarning, match=r"^`project`: ignored"):
        model = chat(project="p", location="us-central1", base_url=f"{PSC}/v1/projects/q/locations/us-central1{end}")
    assert model.endpoint_info()["base_url"] == PSC + PATH.replace("/p/", "/q/")


def test_unused_place_argument_warns():
    """Without the warning, a project would be ignored silently. Field case E12."""
    with pytest.warns(GeminiCompatWarning, match="`project`, `location` and `endpoint_id` are not used"):
        chat(project="p", base_url="https://gateway.test/v1", api_key="k")


FOREIGN = [
    "https://attacker.example", "http://aiplatform.googleapis.com", "https://aiplatform.googleapis.com.attacker.example",
    "https://attacker-aiplatform.googleapis.com.example", "https://xgoogleapis.com", "https://googleapis.com.example",
    "https://127.0.0.1:8080", "http://127.0.0.1", "http://127.0.0.2/team", "http://localhost", "https://googleapis.com。x.example",
    "https://prediction.vertexai.goog.example", "https://[::1]",
]  # fmt: skip


@pytest.mark.parametrize("host", FOREIGN)
def test_default_credentials_are_sent_to_google_only(monkeypatch, host):
    """A host that is not Google's raises an error in the constructor, whatever argument selects the surface.

    `model_copy` does not check the host, so the first call of the copy raises the error. Field case E14.
    """
    url = f"{host}/endpoints/openapi"
    for arguments in ({}, {"surface": "vertex"}, {"project": "p"}, {"endpoint_id": "1"}):
        with pytest.raises(ValueError, match="sent only to Google's own hosts"):
            chat(base_url=url, **arguments)
    with pytest.raises(ValueError, match="sent only to Google's own hosts"):
        chat(project="p").model_copy(update={"base_url": url}).invoke("hi")


@pytest.mark.parametrize(
    "url",
    [
        "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/endpoints/openapi",
        "https://us-central1-aiplatform.mtls.googleapis.com/v1/endpoints/openapi",
        "https://AIPLATFORM.googleapis.com:443/v1/endpoints/openapi",
        f"{PSC}/v1/endpoints/openapi",
    ],
)
def test_default_credentials_are_sent_to_each_host_of_google(url):
    """The hosts have every form of name that Google uses. Field case E14."""
    assert chat(base_url=url).endpoint_info()["auth"]["kind"] == "application_default"
    dedicated = "https://1.us-central1-9.prediction.vertexai.goog/v1/projects/p/locations/us-central1/endpoints/1"
    assert chat(base_url=dedicated, surface="vertex").endpoint_info()["auth"]["kind"] == "application_default"


@pytest.mark.parametrize("surface", ["vertex", "ai_studio", "openai_compatible"])
@pytest.mark.parametrize(
    ("host", "is_taken"),
    [
        ("https://attacker.example", True), ("http://127.0.0.1:8080", True), ("http://localhost", True), ("http://[::1]:1", True),
        ("http://LOCALHOST", True), ("http://gateway.test", False), ("http://127.0.0.2", False), ("http://127.1", False),
        ("http://localhost.attacker.example", False), ("http://localhost.", False), ("http://2130706433", False),
        ("http://[::2]", False), ("http://aiplatform.googleapis.com", False), ("http://0.0.0.0", False),
    ],
)  # fmt: skip
def test_credentials_are_not_sent_unencrypted(surface, host, is_taken):
    """A host in `base_url` needs https. Only loopback addresses may use http. Field case E14."""
    arguments = {"base_url": f"{host}/team/endpoints/openapi", "surface": surface, "credentials": Credentials("canary")}
    if is_taken:
        assert chat(**arguments).endpoint_info()["auth"]["kind"] == "google_credentials"
    else:
        with pytest.raises(ValueError, match="would be sent unencrypted") as caught:
            chat(**arguments)
        assert "canary" not in str(caught.value)


def test_key_of_the_environment_is_not_sent_unencrypted(monkeypatch):
    """A key that is passed as an argument is sent unencrypted. Field case E14."""
    monkeypatch.setenv("GOOGLE_API_KEY", "google-k")
    for host in ("gateway.test", "127.0.0.2", "localhost.attacker.example"):
        with pytest.raises(ValueError, match="GOOGLE_API_KEY would be sent unencrypted"):
            chat(base_url=f"http://{host}/v1beta/openai")
        assert chat(base_url=f"http://{host}/v1beta/openai", api_key="k").endpoint_info()["auth"]["kind"] == "api_key"
    assert chat(base_url="http://127.0.0.1:1/v1beta/openai").endpoint_info()["surface"] == "ai_studio"


@pytest.mark.parametrize("quota", ["canary\nx: y", "canä", "a\x00b", "a\rb"])
def test_invalid_quota_project_raises_at_construction(quota):
    """An assignment is checked too. White space around the value is removed. Field case E4."""
    with pytest.raises(ValueError, match="`quota_project_id` has characters") as caught:
        chat(project="p", quota_project_id=quota)
    assert "can" not in str(caught.value).replace("can carry", "")
    model = chat(project="p", credentials=AnonymousCredentials())
    model.quota_project_id = quota
    with pytest.raises(ValueError, match="`quota_project_id` has characters"):
        model.invoke("hi")
