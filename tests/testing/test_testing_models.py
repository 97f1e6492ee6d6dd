"""The rules of `FakeGemini` that depend on the model or on the surface, each with Google's text."""

from __future__ import annotations

from typing import Any

import pytest
from fake_requests import BOTH, body_for, history, refusals, send

from langchain_gemini_compat.errors import ModelNotFoundError
from langchain_gemini_compat.testing import FakeGemini, Reply


def asked(surface: str, model: str, **more: Any) -> tuple[list[str], str]:
    """Send a request to `model`. Return the ids of the rules that the request breaks, and the text of the error."""
    return refusals(surface, body_for(surface, model=f"google/{model}" if surface == "vertex" else model, **more))


def with_config(**config: Any) -> dict[str, Any]:
    """Return the keys of a body with a `thinking_config`."""
    return {"extra_body": {"google": {"thinking_config": config}}}


@pytest.mark.parametrize("effort", ["none", "xhigh", "huge"])
@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-2.5-flash", "gemini-4-hydrogen"])
def test_vertex_refuses_an_unknown_effort_with_the_list_of_efforts(model: str, effort: str) -> None:
    assert asked("vertex", model, reasoning_effort=effort) == (
        ["thinking-level"],
        f"Expected 'reasoning_effort' to be one of: 'high','low','max','medium','minimal'; found '{effort}'.",
    )


def test_none_switches_thinking_off_on_ai_studio_only() -> None:
    assert asked("ai_studio", "gemini-2.5-flash", reasoning_effort="none") == ([], "")
    assert asked("ai_studio", "gemini-2.5-pro", reasoning_effort="none")[0] == ["thinking-level"]
    assert asked("ai_studio", "gemini-4-hydrogen", reasoning_effort="xhigh")[0] == ["thinking-level"]


@pytest.mark.parametrize(
    ("surface", "text"),
    [
        ("vertex", "Thinking level is unsupported: THINKING_LEVEL_MINIMAL"),
        ("ai_studio", "Thinking level MINIMAL is not supported for this model"),
    ],
)
def test_a_level_that_the_model_lacks_is_refused_in_the_words_of_the_surface(surface: str, text: str) -> None:
    assert asked(surface, "gemini-3.7-flash", reasoning_effort="minimal") == (["thinking-level"], text)
    assert asked(surface, "gemini-3.7-flash", **with_config(thinking_level="minimal")) == (["thinking-level"], text)


@pytest.mark.parametrize("model", ["gemini-3.1-pro-preview", "gemini-3.5-flash"])
def test_a_budget_of_0_is_for_vertex(model: str) -> None:
    assert asked("vertex", model, **with_config(thinking_budget=0)) == ([], "")
    text = "Budget 0 is invalid. This model only works in thinking mode."
    assert asked("ai_studio", model, **with_config(thinking_budget=0)) == (["thinking-budget"], text)
    assert asked("ai_studio", model, **with_config(thinking_budget=1)) == ([], "")


@pytest.mark.parametrize("surface", BOTH)
@pytest.mark.parametrize("model", ["gemini-2.0-flash", "gemini-1.5-pro", "gemini-2.5-flash-image"])
def test_models_without_thinking_take_no_thinking_option(surface: str, model: str) -> None:
    text = "Unable to submit request because thinking is not supported by this model."
    for more in ({"reasoning_effort": "low"}, with_config(thinking_budget=1), with_config(thinking_level="low")):
        assert asked(surface, model, **more) == (["thinking-unsupported"], text)
    assert asked(surface, model) == ([], "")


@pytest.mark.parametrize("surface", BOTH)
def test_thoughts_need_thinking(surface: str) -> None:
    rules, text = asked(surface, "gemini-2.5-flash", **with_config(thinking_budget=0, include_thoughts=True))
    assert rules == ["thinking-twice"]
    assert text.endswith("include_thoughts is only enabled when thinking is enabled.")


@pytest.mark.parametrize("key", ["presence_penalty", "frequency_penalty"])
@pytest.mark.parametrize(
    ("model", "taken"),
    [
        ("gemini-4-hydrogen", False),
        ("gemini-4-radon", False),
        ("gemini-3.8-flash", False),
        ("gemini-3.7-flash", False),
        ("gemini-3.6-flash", False),
        ("gemini-3.5-flash-lite", False),
        ("gemini-3.5-flash", True),
        ("gemini-3.1-pro-preview", True),
        ("gemini-2.5-pro", True),
        ("gemini-2.5-flash", False),
        ("gemini-2.5-flash-preview-09-2025", False),
        ("gemini-2.5-flash-lite", True),
    ],
)
def test_penalties_are_refused_by_model(model: str, taken: bool, key: str) -> None:
    """Vertex AI accepts penalties for some models. AI Studio refuses the keys for every model, as unknown fields."""
    text = "Penalty is not enabled for this model"
    assert asked("vertex", model, **{key: 0.5}) == (([], "") if taken else (["penalty"], text))
    assert asked("ai_studio", model, **{key: 0.5})[0][0] == "unknown-field"


@pytest.mark.parametrize("key", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize(
    ("model", "limit", "most"),
    [
        ("gemini-4-hydrogen", 65_536, None),
        ("gemini-4-hydrogen", 65_537, 65_537),
        ("gemini-3.8-flash", 0, 65_537),
        ("gemini-2.0-flash", 8_192, None),
        ("gemini-2.0-flash", 8_193, 8_193),
        ("gemini-nano-banana-2.1", 32_769, 32_769),
        ("gemini-3.1-flash-lite-image", 4_096, None),
    ],
)
def test_vertex_refuses_a_token_limit_out_of_range(model: str, limit: int, most: int | None, key: str) -> None:
    text = (
        f"Unable to submit request because it has a maxOutputTokens value of {limit} but the supported range is from 1 "
        f"(inclusive) to {most} (exclusive). Update the value and try again."
    )
    assert asked("vertex", model, **{key: limit}) == (([], "") if most is None else (["max-tokens"], text))


@pytest.mark.parametrize("effort", ["low", "high", "none"])
def test_gemma_4_takes_no_effort_on_ai_studio(effort: str) -> None:
    text = "Thinking level is not supported for this model."
    assert asked("ai_studio", "gemma-4-31b-it", reasoning_effort=effort) == (["thinking-level"], text)
    assert asked("ai_studio", "gemma-3-27b-it", reasoning_effort=effort) == ([], "")


@pytest.mark.parametrize("surface", BOTH)
@pytest.mark.parametrize(
    ("model", "has_xhigh"),
    [
        ("gemini-4-hydrogen", True),
        ("gemini-4-neon", True),
        ("gemini-4-carbon", False),
        ("gemini-4-argon", False),
        ("gemini-3.8-flash", False),
    ],
)
def test_the_level_xhigh_exists_on_hydrogen_and_neon(surface: str, model: str, has_xhigh: bool) -> None:
    rules = asked(surface, model, **with_config(thinking_level="xhigh"))[0]
    assert rules == ([] if has_xhigh else ["thinking-level"])
    assert asked(surface, model, **with_config(thinking_level="minimal"))[0] == ["thinking-level"]


@pytest.mark.parametrize("surface", BOTH)
def test_gemini_4_has_no_explicit_caches_and_takes_sampling(surface: str) -> None:
    cache = {"extra_body": {"google": {"cached_content": "cachedContents/1"}}}
    assert asked(surface, "gemini-4-carbon", **cache)[0] == ["cached-content"]
    assert asked(surface, "gemini-3.8-flash", **cache) == ([], "")
    assert asked(surface, "gemini-4-carbon", temperature=0.1, top_p=0.5) == ([], "")


@pytest.mark.parametrize("surface", BOTH)
@pytest.mark.parametrize(
    "model",
    ["gemini-3.8-flash-tts", "gemini-3.8-flash-lite-tts", "gemini-2.5-flash-preview-tts", "gemini-2.5-pro-preview-tts"],
)
def test_speech_models_write_no_text(surface: str, model: str) -> None:
    rules, text = asked(surface, model)
    assert rules == ["model-kind"]
    assert text.startswith("The requested combination of response modalities (TEXT) is not supported by the model.")
    assert f"models/{model} accepts the following combination of response modalities:\n* AUDIO" in text


@pytest.mark.parametrize("surface", BOTH)
@pytest.mark.parametrize(
    "model",
    [
        "gemini-3.8-live",
        "gemini-3.1-flash-live-preview",
        "gemini-live-2.5-flash",
        "gemini-2.5-flash-native-audio-latest",
        "gemini-3.5-transcribe",
        "gemini-omni-flash",
        "gemini-robotics-er-2-streaming",
    ],
)
def test_models_of_other_apis_are_not_served(surface: str, model: str) -> None:
    rules, text = asked(surface, model)
    assert rules == ["model-kind"]
    assert text.startswith(f"models/{model} is not found for API version v1main")


def test_vertex_says_how_a_model_s_name_must_look() -> None:
    assert refusals("vertex", body_for("vertex", model="gemini-3.8-flash")) == (
        ["model-name"],
        (
            "Malformed publisher model (`model`: 'gemini-3.8-flash') for the 'openapi' request endpoint ID; expected "
            "'<publisher>/<model>'."
        ),
    )


@pytest.mark.parametrize(
    ("model", "places"),
    [
        ("gemini-4-hydrogen", {"global", "us", "eu"}),
        ("gemini-4-radon", {"global", "us", "eu"}),
        ("gemini-3.8-flash", {"global", "us", "eu"}),
        ("gemini-3.5-flash", {"global", "us", "eu", "us-central1"}),
        ("gemini-3.1-pro-preview", {"global"}),
        ("gemini-2.5-pro", {"global", "us", "eu", "us-central1"}),
        ("gemini-3-pro-image", {"global", "us", "eu", "us-central1"}),
    ],
)
def test_vertex_does_not_find_a_model_in_other_locations(model: str, places: set[str]) -> None:
    """If no source lists the locations of a model, the fake finds the model in every location."""
    fake = FakeGemini(surface="vertex")
    for place in ("global", "us", "eu", "us-central1"):
        url = f"https://gemini.invalid/v1/projects/p/locations/{place}/endpoints/openapi/chat/completions"
        response = send(fake, body_for("vertex", model=f"google/{model}"), url)
        assert response.status_code == (200 if place in places else 404)
        assert [violation.rule for violation in fake.refusals] == ([] if place in places else ["model-location"])
        assert place in places or f"/locations/{place}/publishers/google/models/{model}` was not found" in response.text
        fake.refusals.clear()


def test_package_raises_the_error_of_a_location_with_a_remedy() -> None:
    fake = FakeGemini(surface="vertex")
    url = "https://gemini.invalid/v1/projects/p/locations/us-central1/endpoints/openapi"
    model = fake.chat_model(base_url=url, max_retries=0)
    with pytest.raises(ModelNotFoundError, match="newer models are only in `global`, `us` and `eu`"):
        model.invoke("Hi.")


def test_vertex_reads_google_s_fields_at_the_root_too() -> None:
    """In a live test of October 2026, `google.thinking_config` at the root of the body switched thinking off."""
    config = {"thinking_config": {"thinking_level": "minimal"}}
    assert asked("vertex", "gemini-3.8-flash", google=config)[0] == ["thinking-level"]
    assert asked("vertex", "gemini-3.6-flash", google=config) == ([], "")
    assert asked("ai_studio", "gemini-3.6-flash", google=config)[0] == ["unknown-field"]
    fake = FakeGemini(Reply("Hi.", thoughts="Hm."), surface="vertex")
    google = {"thinking_config": {"include_thoughts": True}, "thought_tag_marker": "mark"}
    message = send(fake, body_for("vertex", google=google)).json()["choices"][0]["message"]
    assert message["content"] == "<mark>Hm.</mark>Hi."
    assert fake.ignored == []


@pytest.mark.parametrize(
    ("model", "mime_type", "rule"),
    [
        ("gemini-4-hydrogen", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", None),
        ("gemini-4-hydrogen", "application/vnd.oasis.opendocument.spreadsheet", None),
        ("gemini-4-hydrogen", "application/zip", "result-media"),
        ("gemini-4-carbon", "application/vnd.oasis.opendocument.spreadsheet", "result-media"),
        ("gemini-3.8-flash", "application/vnd.oasis.opendocument.spreadsheet", "result-media"),
    ],
)
def test_hydrogen_takes_office_files_in_results(model: str, mime_type: str, rule: str | None) -> None:
    messages = history("vertex", model=f"google/{model}")
    part = {"inline_data": {"mime_type": mime_type, "data": "AA==", "display_name": "a"}}
    messages[2]["extra_content"] = {"google": {"parts": [part]}}
    assert asked("vertex", model, messages=messages)[0] == ([rule] if rule else [])
