"""URLs and model names of endpoints, and how a surface is recognised."""

import pytest
from outgoing import endpoint

from langchain_gemini_compat._catalog.models import family_of
from langchain_gemini_compat._catalog.surfaces import build_endpoint, recognise_surface

GLOBAL = "https://aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/openapi"


def build(surface="vertex", model="gemini-3.8-flash", **arguments):
    options = {"project": "p", "location": None, "endpoint_id": None, "base_url": None, "api_version": "v1"}
    return build_endpoint(surface=surface, model=model, **{**options, **arguments})


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        ({}, GLOBAL),
        ({"location": "global"}, GLOBAL),
        (
            {"location": "us-central1"},
            "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/endpoints/openapi",
        ),
        ({"location": "us"}, "https://aiplatform.us.rep.googleapis.com/v1/projects/p/locations/us/endpoints/openapi"),
        ({"location": "eu"}, "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/endpoints/openapi"),
        ({"api_version": "v1beta1"}, GLOBAL.replace("/v1/", "/v1beta1/")),
        (
            {"location": "us-central1", "endpoint_id": "123"},
            "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/endpoints/123",
        ),
        ({"endpoint_id": "123"}, GLOBAL.replace("openapi", "123")),
        ({"project": None}, GLOBAL.replace("/p/", "/{project}/")),
        ({"base_url": "http://proxy.test/x/endpoints/openapi/"}, "http://proxy.test/x/endpoints/openapi"),
        ({"base_url": GLOBAL + "/chat/completions"}, GLOBAL),
    ],
)
def test_vertex_urls(arguments, url):
    """The cases are regional, global, multi-region and self-deployed endpoints, and base URLs from the caller."""
    assert build(**arguments).base_url == url


def test_ai_studio_and_compatible_urls():
    """AI Studio has a default URL, and a compatible server needs `base_url`."""
    assert build("ai_studio").base_url == "https://generativelanguage.googleapis.com/v1beta/openai"
    assert build("ai_studio", base_url="http://proxy.test/v1beta/openai").base_url == "http://proxy.test/v1beta/openai"
    assert build("openai_compatible", base_url="http://host.test:8080/v1/").base_url == "http://host.test:8080/v1"
    with pytest.raises(ValueError, match="needs `base_url`"):
        build("openai_compatible")


@pytest.mark.parametrize(
    ("base_url", "surface"),
    [
        (GLOBAL, "vertex"),
        (GLOBAL + "/", "vertex"),
        (GLOBAL + "/chat/completions", "vertex"),
        ("http://proxy.test/anything/endpoints/openapi", "vertex"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "ai_studio"),
        ("http://proxy.test/v1beta/openai", "ai_studio"),
        ("http://proxy.test/v1", "openai_compatible"),
        ("http://proxy.test/v1beta/openai/more", "openai_compatible"),
        ("https://aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/123", "openai_compatible"),
        ("http://proxy.test/v1/projects/p/locations/global/endpoints/123", "openai_compatible"),
    ],
)
@pytest.mark.parametrize("other", [True, False])
def test_the_path_of_a_base_url_selects_the_surface(base_url, surface, other):
    """The path of `base_url` takes precedence over the API key, the project and the arguments for Vertex AI."""
    recognised = recognise_surface(
        base_url=base_url, has_vertex_arguments=other, has_api_key=other, has_project_in_environment=other
    )
    assert recognised == surface


@pytest.mark.parametrize(
    ("vertex", "key", "project", "surface"),
    [
        (True, True, True, "vertex"),
        (True, False, False, "vertex"),
        (False, True, True, "ai_studio"),
        (False, False, True, "vertex"),
    ],
)
def test_arguments_select_the_surface_without_a_base_url(vertex, key, project, surface):
    """An argument overrides the environment."""
    recognised = recognise_surface(
        base_url=None, has_vertex_arguments=vertex, has_api_key=key, has_project_in_environment=project
    )
    assert recognised == surface


def test_missing_arguments_are_an_error_that_names_all_three_options():
    with pytest.raises(ValueError, match=r"`api_key`.*`project`.*`base_url`"):
        recognise_surface(
            base_url=None, has_vertex_arguments=False, has_api_key=False, has_project_in_environment=False
        )


@pytest.mark.parametrize(
    ("surface", "given", "sent"),
    [
        ("vertex", "gemini-3.8-flash", "google/gemini-3.8-flash"),
        ("vertex", "models/gemini-3.8-flash", "google/gemini-3.8-flash"),
        ("vertex", "meta/llama-4", "meta/llama-4"),
        ("ai_studio", "google/gemini-3.8-flash", "gemini-3.8-flash"),
        ("openai_compatible", "models/gemini-3.8-flash", "models/gemini-3.8-flash"),
    ],
)
def test_model_names_are_spelled_as_the_surface_spells_them(surface, given, sent):
    """Models of other publishers on Vertex AI keep their publisher."""
    assert endpoint(surface, given).model == sent
    assert endpoint(surface, "other").with_model(given).model == sent


def test_a_self_deployed_model_does_not_speak_gemini():
    """A self-deployed model is recognised by `endpoint_id` or by its URL. Its name is sent unchanged."""
    for place in (
        build(endpoint_id="123", model="gemma-3"),
        build(base_url="https://1.us-central1-9.prediction.vertexai.goog/v1/projects/p/locations/l/endpoints/1",
              model="gemma-3"),
    ):  # fmt: skip
        assert (place.self_deployed, place.speaks_gemini, place.model) == (True, False, "gemma-3")
        assert place.with_model("models/x").model == "models/x"
    assert [endpoint(surface).speaks_gemini for surface in ("vertex", "ai_studio", "openai_compatible")] == [
        True, True, False,
    ]  # fmt: skip


QUESTIONS = {
    "takes_calls_without_credentials": {"openai_compatible"},
    "needs_api_key": {"ai_studio"},
    "uses_default_credentials": {"vertex", "self_deployed"},
    "serves_embeddings": {"ai_studio", "openai_compatible"},
    "takes_empty_texts": {"openai_compatible"},
    "always_streams_usage": {"vertex"},
    "takes_files_by_url": {"vertex"},
    "takes_plain_image_url": {"vertex"},
    "takes_validated_choice": {"vertex", "self_deployed", "openai_compatible"},
    "takes_thinking_config_beside_effort": {"ai_studio", "self_deployed", "openai_compatible"},
    "needs_thought_marker": {"vertex"},
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_surface_answers_what_it_takes(question):
    places = {surface: endpoint(surface) for surface in ("vertex", "ai_studio", "openai_compatible")}
    places["self_deployed"] = build(endpoint_id="123", model="gemma-3")
    assert {name for name, place in places.items() if getattr(place, question)} == QUESTIONS[question]


@pytest.mark.parametrize(
    ("surface", "model", "candidates", "text", "json", "media"),
    [
        ("vertex", "gemini-3.8-flash", False, True, True, True),
        ("vertex", "gemini-3.6-flash", False, False, True, True),
        ("vertex", "gemini-2.5-pro", False, True, False, False),
        ("vertex", "meta/llama-4", True, True, True, False),
        ("ai_studio", "gemini-3.6-flash", False, True, True, False),
        ("ai_studio", "gemini-2.5-pro", False, True, False, False),
        ("openai_compatible", "gemini-2.5-pro", True, True, True, False),
    ],
)
def test_a_surface_answers_what_it_takes_for_a_family(surface, model, candidates, text, json, media):
    place, family = endpoint(surface, model), family_of(model)
    assert place.takes_several_candidates(family) == candidates
    assert place.takes_text_beside_calls(family) == text
    assert place.takes_json_beside_functions(family) == json
    assert place.takes_media_in_results(family) == media


def test_the_host_of_a_gateway_includes_its_port():
    assert build("openai_compatible", base_url="http://host.test:8080/v1").host == "host.test:8080"
