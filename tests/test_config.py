"""Arguments and environment to one place and one credential: an argument beats the environment, nothing is mixed."""

import traceback
import warnings

import pytest
from google.auth.credentials import AnonymousCredentials
from pydantic import SecretStr

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._config import resolve_connection
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


#: Environment, arguments; then surface, base URL, key and where the key came from.
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
    ({}, {"base_url": GATEWAY, "endpoint_id": "1"}, "vertex", GATEWAY, None, ""),
    ({}, {"base_url": GATEWAY, "surface": "ai_studio", "api_key": "k"}, "ai_studio", GATEWAY, "k",
     "argument `api_key`"),
]  # fmt: skip


@pytest.mark.parametrize(("environment", "arguments", "surface", "url", "key", "source"), TABLE)
def test_who_wins(monkeypatch, environment, arguments, surface, url, key, source):
    """The whole table: which place, which key, and which source it came from."""
    found = resolve(monkeypatch, environment, **arguments)
    assert (found.endpoint.surface, found.endpoint.base_url, key_of(found), found.key_source) == (
        surface, url, key, source,
    )  # fmt: skip


def test_the_location_of_the_environment_counts_for_vertex(monkeypatch):
    """And an argument beats it."""
    assert "locations/eu/" in resolve(monkeypatch, PROJECT | LOCATION).endpoint.base_url
    assert "locations/us/" in resolve(location="us").endpoint.base_url


def test_key_and_project_in_the_environment_is_said(monkeypatch):
    """Vertex it is; the warning names both variables and both ways out."""
    for extra in (GOOGLE_KEY, GEMINI_KEY):
        with pytest.warns(GeminiCompatWarning, match=rf"GOOGLE_CLOUD_PROJECT and {next(iter(extra))}") as caught:
            found = resolve(monkeypatch, PROJECT | extra)
        assert (found.endpoint.surface, found.api_key) == ("vertex", None)
        assert len(caught) == 1
        monkeypatch.delenv(next(iter(extra)))


@pytest.mark.parametrize(
    "arguments", [{"surface": "vertex"}, {"surface": "ai_studio"}, {"project": "p"}, {"api_key": "k"}]
)
def test_who_has_chosen_is_not_warned(monkeypatch, arguments):
    """An argument that settles the question is an answer to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resolve(monkeypatch, PROJECT | GOOGLE_KEY, **arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "No endpoint"),
        ({"surface": "ai_studio"}, "AI Studio needs a key"),
        ({"surface": "openai_compatible"}, "needs a `base_url`"),
    ],
)
def test_arguments_that_name_no_place_are_an_error_at_construction(arguments, text):
    """The text says what to give."""
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
        ("ftp://gateway.test/v1", "another scheme"),
        ("http+unix://gateway.test/v1", "another scheme"),
        ("http://gateway.test:port/v1", "host or port that is none"),
        ("http://gateway.test:99999/v1", "host or port that is none"),
        ("http://gateway.test:0/v1", "no host or port 0"),
        ("http://[::1/v1", "host or port that is none"),
        ("https:///v1", "no host"),
        ("http://gate way.test/v1", "a space"),
        ("http://gateway.test/v1\n", "a line break"),
        ("http://me:canary@gateway.test/v1", "user name or password"),
        ("http://me:can@ary@gateway.test/v1", "user name or password"),
        ("me:canary@gateway.test/v1", "user name or password"),
        ("https://gateway.test/v1?key=canary", "pass `default_query`"),
        ("https://gateway.test/v1?", "pass `default_query`"),
        ("https://gateway.test/v1#canary", "pass `default_query`"),
    ],
)
def test_base_url_that_is_none_is_refused_at_construction(build, base_url, text):
    """The text says what to write instead, and repeats nothing: there may be a password in it."""
    with pytest.raises(ValueError, match=text) as caught:
        build(base_url=base_url)
    seen = "".join(traceback.format_exception(caught.type, caught.value, None))
    assert [word for word in ("canary", "ary@", "gateway", "8080") if word in seen] == []


@pytest.mark.parametrize(
    "base_url", ["http://[::1]:8080/v1", "HTTPS://Gateway.Test/v1/", "http://g/a@b/v1", VERTEX.format("{project}")]
)
def test_base_url_of_every_right_form_is_taken(base_url):
    """Addresses, capitals, signs in the path, and the place of a project that is not known yet."""
    assert resolve(base_url=base_url).endpoint.base_url == base_url.rstrip("/")


@pytest.mark.parametrize("key", ["", " ", "\n", SecretStr("")])
@pytest.mark.parametrize("place", [{}, {"project": "p"}, {"base_url": GATEWAY}])
def test_empty_key_is_refused_at_construction(key, place, monkeypatch):
    """A variable that was not set; a request without a credential is never sent, nor another key instead."""
    monkeypatch.setenv("GOOGLE_API_KEY", "google-k")
    with pytest.raises(ValueError, match="`api_key` is empty: is the variable set"):
        ChatGeminiCompat(model="gemini-3.8-flash", api_key=key, **place)


@pytest.mark.parametrize("credentials", ["x.json", {"type": "service_account"}, AnonymousCredentials])
def test_credentials_that_are_none_are_refused_at_construction(credentials):
    """The text names the function that makes them of a file."""
    with pytest.raises(ValueError, match=r"google\.auth\.load_credentials_from_file"):
        ChatGeminiCompat(model="gemini-3.8-flash", project="p", credentials=credentials)


def test_endpoint_info_tells_place_and_winner_and_no_secret(monkeypatch):
    """What `resolve_connection` found, as the user can read it."""
    monkeypatch.setenv("GOOGLE_API_KEY", "canary-k")
    info = ChatGeminiCompat(model="models/gemini-3.8-flash").endpoint_info()
    assert (info["surface"], info["base_url"], info["model"]) == ("ai_studio", STUDIO, "gemini-3.8-flash")
    assert info["auth"] == {"kind": "api_key", "source": "environment GOOGLE_API_KEY"}
    assert "canary" not in str(info)
