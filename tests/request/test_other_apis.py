"""Tests of models that Google serves only through another API. The error before the request names this API."""

import pytest
from langchain_core.messages import HumanMessage
from outgoing import GOOGLE, build, endpoint

from langchain_gemini_compat._catalog.models import known_families
from langchain_gemini_compat.errors import UnsupportedParameterError
from langchain_gemini_compat.testing import FakeGemini
from langchain_gemini_compat.testing._rules.models import rules_for

HI = [HumanMessage("Hi.")]
#: Models that Google serves only through another API, each with the name that the error message has for this API.
MODELS = [
    ("gemini-3.8-flash-tts", "speech"),
    ("gemini-3.8-flash-lite-tts", "speech"),
    ("gemini-2.5-pro-preview-tts", "speech"),
    ("gemini-2.5-flash-preview-tts", "speech"),
    ("gemini-3.8-live", "Live API"),
    ("gemini-3.5-transcribe", "transcription"),
    ("gemini-omni-flash", "Interactions API"),
]


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize(("model", "api"), MODELS)
def test_a_model_of_another_api_raises_before_the_request(model, api, surface):
    fake = FakeGemini(surface=surface)
    for call in (fake.chat_model(model).invoke, fake.chat_model(model).preview):
        with pytest.raises(UnsupportedParameterError, match=rf"`model` '.*{model}' is not served .*{api}"):
            call("Hi.")
    assert fake.requests == []


@pytest.mark.parametrize("surface", GOOGLE)
def test_a_model_of_a_call_raises_too(surface):
    fake = FakeGemini(surface=surface)
    with pytest.raises(UnsupportedParameterError, match="Live API"):
        fake.chat_model().invoke("Hi.", model="gemini-3.8-live")
    assert fake.requests == []


def test_a_catalog_can_say_that_the_model_is_served(tmp_path):
    """A user's catalog file can correct the built-in catalog. Then the request is built without an error."""
    path = tmp_path / "facts.json"
    path.write_text('{"families": {"gemini-3.8-live": {"other_api": "", "generation": "gemini-3"}}}', "utf-8")
    body, notes = FakeGemini().chat_model("gemini-3.8-live", catalog=path, reasoning_effort="low").preview("Hi.")
    assert (body["model"], body["reasoning_effort"], notes) == ("gemini-3.8-live", "low", [])


@pytest.mark.parametrize(("model", "_"), MODELS)
def test_a_gateway_and_a_deployment_choose_their_names(model, _):
    for place in (endpoint("openai_compatible", model), endpoint("vertex", model, endpoint_id="123")):
        assert build(HI, at=place, strict=True).notes == ()


@pytest.mark.parametrize("family", known_families(), ids=lambda family: family.name)
def test_the_fake_serves_what_the_catalog_says(family):
    """The fake and the package have separate tables of models, which are written independently."""
    rules = rules_for(family.name)
    assert bool(family.other_api) == (rules.speaks_only or not rules.chats)
