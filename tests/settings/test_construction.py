"""Construction of a model, and its copies, pickles and dumps."""

import pickle
import warnings

import pytest
from google.auth.credentials import AnonymousCredentials
from langchain_core.load import dumps, loads
from pydantic import ValidationError
from wire import Wire, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.errors import GeminiCompatWarning
from langchain_gemini_compat.testing import FakeGemini


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Set a key of Google in the environment, because many machines have one."""
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    monkeypatch.setenv("GOOGLE_API_KEY", "environment-key")


def key_of(model):
    return model.api_key.get_secret_value()


def test_names_of_google_s_package_are_accepted():
    """Users who migrate have to change little more than the import."""
    model = ChatGeminiCompat(
        model_name="m", google_api_key="mine", request_timeout=5, additional_headers={"a": "b"}, max_output_tokens=7
    )
    assert (key_of(model), model.timeout, model.default_headers, model.max_tokens) == ("mine", 5, {"a": "b"}, 7)


def test_unknown_argument_warns_and_is_sent():
    """The argument may be misspelled, or an option of a gateway."""
    wire = Wire(completion())
    with pytest.warns(GeminiCompatWarning, match="'top_k', 'foo' is not an argument of ChatGeminiCompat"):
        model = ChatGeminiCompat(model="m", base_url="http://127.0.0.1:1/v1", top_k=4, foo=1, **wire.clients)
    model.invoke("hi")
    assert (wire.bodies[0]["top_k"], wire.bodies[0]["foo"]) == (4, 1)
    with pytest.raises(ValueError, match=r"'temprature'.*strict"):
        ChatGeminiCompat(model="m", api_key="k", temprature=1, strict=True)


@pytest.mark.parametrize(
    "arguments", [{}, {"model": "g", "surface": "openai_compatible"}, {"model": "g", "max_retries": -1}]
)
def test_failed_construction_does_not_show_the_key(arguments):
    """Without `hide_input_in_errors`, pydantic would print the input of the constructor, which contains the key."""
    with pytest.raises((ValidationError, ValueError)) as caught:
        ChatGeminiCompat(api_key="SECRETKEY", credentials=None, **arguments)
    assert "SECRETKEY" not in str(caught.value)


def test_key_and_credentials_exclude_each_other():
    """Without the error, either the key or the credentials would be ignored silently."""
    with pytest.raises(ValueError, match="not both"):
        ChatGeminiCompat(model="m", api_key="k", credentials=AnonymousCredentials())


def test_key_of_the_environment_is_not_sent_unencrypted():
    """A URL with Google's path may lead to another server, so the key from the environment is not sent without TLS."""
    with pytest.raises(ValueError, match="GOOGLE_API_KEY would be sent unencrypted"):
        ChatGeminiCompat(model="m", base_url="http://elsewhere.invalid/v1beta/openai")
    assert key_of(ChatGeminiCompat(model="m", base_url="http://127.0.0.1:1/v1beta/openai")) == "environment-key"


@pytest.mark.parametrize("change", ["copy", "assignment"])
def test_changed_model_uses_its_new_connection(change):
    """Nothing of the old model, key, address or client is used."""
    first, second = FakeGemini("first"), FakeGemini("second")
    model = first.chat_model()
    assert model.invoke("hi").text == "first"
    changes = {"model_name": "gemini-2.5-flash", **second.connection()}
    if change == "copy":
        changed = model.model_copy(update=changes)
    else:
        changed = model
        for name, value in changes.items():
            setattr(changed, name, value)
    assert changed.invoke("hi").text == "second"
    assert changed.endpoint_info()["model"] == "gemini-2.5-flash"
    assert changed.invoke("hi").response_metadata["model_name"] == "gemini-2.5-flash"
    if change == "copy":
        assert model.invoke("hi").text == "first"


def restore(model):
    """Return `loads(dumps(model))`. The secrets come from environment variables."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return loads(
            dumps(model),
            allowed_objects=[ChatGeminiCompat],
            valid_namespaces=["langchain_gemini_compat"],
            secrets_from_env=True,
        )


def test_restored_model_does_not_send_google_s_key_to_a_gateway(monkeypatch):
    """After `loads`, the key of a gateway comes from its own variable, `GEMINI_COMPAT_API_KEY`."""
    gateway = ChatGeminiCompat(model="m", api_key="GATEWAY", base_url="https://gateway.invalid/v1")
    assert "GATEWAY" not in dumps(gateway)
    assert restore(gateway).api_key is None
    monkeypatch.setenv("GEMINI_COMPAT_API_KEY", "gateway-key")
    assert key_of(restore(gateway)) == "gateway-key"
    assert key_of(restore(ChatGeminiCompat(model="m", api_key="k"))) == "environment-key"


def test_assigned_key_is_a_secret():
    """Pydantic does not validate assignments and copies."""
    model = ChatGeminiCompat(model="m", api_key="k")
    copy = model.model_copy(update={"api_key": "canary"})
    model.api_key = "canary"
    assert (key_of(model), key_of(copy)) == ("canary", "canary")
    assert "canary" not in f"{model!r} {copy!r} {model.model_dump()} {copy.model_dump()}"


def test_pickled_model_keeps_the_source_of_its_key():
    """A pickle contains the source of the key, because the key alone does not show where it comes from."""
    for given in ({}, {"api_key": "k"}):
        model = ChatGeminiCompat(model="m", **given)
        assert pickle.loads(pickle.dumps(model)).endpoint_info() == model.endpoint_info()


def test_pickle_of_a_model_has_no_clients():
    """Clients contain sockets and locks, which cannot be pickled."""
    model = FakeGemini("hi").chat_model()
    copy = pickle.loads(pickle.dumps(model))
    assert (copy.http_client, copy.http_async_client) == (None, None)
    assert copy.model_name == model.model_name
    assert model.invoke("hi").text == "hi"


@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20")
def test_plain_key_that_is_not_validated_is_not_shown():
    """Neither pydantic's old method `copy` nor `model_construct` validates the key."""
    model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")
    copied = model.copy(update={"api_key": "canary-key"})
    assert "canary" not in f"{copied!r} {copied} {copied.model_dump()}"
    assert "canary" not in repr(ChatGeminiCompat.model_construct(model_name="m", api_key="canary-key"))
