"""The rules of `FakeGemini`: each rule refuses requests that break it, with Google's text, and accepts a good one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from fake_requests import BOTH, USER, answered, body_for, called, image, refusals, send

from langchain_gemini_compat.testing import Call, FakeGemini


@pytest.mark.parametrize("surface", BOTH)
def test_a_good_request_passes(surface: str) -> None:
    """Parallel calls, several steps, a system message, images and sampling parameters are accepted."""
    first = called(surface, Call("weather", {"city": "Oslo"}), Call("weather", {"city": "Rome"}))
    second = called(surface, Call("weather", {"city": "Bonn"}))
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Look"}, image("data:image/png;base64,AA==")]},
        {"role": "assistant", "content": "I see."},
        USER,
        first,
        *answered(first),
        second,
        *answered(second),
    ]
    body = body_for(surface, messages, temperature=0, max_tokens=50, stop=["x"], tool_choice="auto", n=1)
    assert refusals(surface, body) == ([], "")


@pytest.mark.parametrize(
    "key",
    ["store", "seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "user", "metadata", "top_k"],
)
def test_ai_studio_refuses_keys_that_vertex_ignores(key: str) -> None:
    """A test can read which keys Vertex AI ignores."""
    rules, message = refusals("ai_studio", body_for("ai_studio", **{key: 1}))
    assert rules == ["unknown-field"]
    assert message == f'Invalid JSON payload received. Unknown name "{key}": Cannot find field.'
    fake = FakeGemini(surface="vertex")
    assert send(fake, body_for("vertex", model="google/gemini-3.5-flash", **{key: 1})).status_code == 200
    assert fake.ignored == ([] if key in ("seed", "frequency_penalty", "presence_penalty") else [key])


def test_google_fields_on_the_wrong_level_are_refused_or_ignored() -> None:
    """Google's fields belong in `extra_body.google` of the body. Vertex AI also reads `google` at the top level."""
    google = {"google": {"cached_content": "cachedContents/1"}}
    right = {"extra_body": google}
    too_deep = {"extra_body": {"extra_body": google}}
    assert refusals("ai_studio", body_for("ai_studio", **right)) == ([], "")
    assert refusals("ai_studio", body_for("ai_studio", **google))[1].endswith('"google": Cannot find field.')
    assert "\"extra_body\" at 'extra_body'" in refusals("ai_studio", body_for("ai_studio", **too_deep))[1]
    marker = {"extra_body": {"google": {"thought_tag_marker": "think"}}}
    assert "\"thought_tag_marker\" at 'extra_body.google'" in refusals("ai_studio", body_for("ai_studio", **marker))[1]
    fake = FakeGemini(surface="vertex")
    for extra in (right, marker, google, too_deep, {"extra_body": {"google": {"labels": {}}}}):
        send(fake, body_for("vertex", **extra))
    assert fake.ignored == ["extra_body.extra_body", "extra_body.google.labels"]
    assert not fake.refusals


@pytest.mark.parametrize(
    ("surface", "model", "status"),
    [
        ("vertex", "gemini-3.8-flash", 400),
        ("vertex", "models/gemini-3.8-flash", 400),
        ("vertex", "publishers/google/models/gemini-3.8-flash", 400),
        ("vertex", "google/gemini-3.8-flash", 200),
        ("ai_studio", "google/gemini-3.8-flash", 404),
        ("ai_studio", "models/gemini-3.8-flash", 200),
        ("ai_studio", "", 404),
    ],
)
def test_the_model_name_has_the_prefix_of_the_surface(surface: Any, model: str, status: int) -> None:
    """Vertex AI takes `google/…`, AI Studio the bare name or `models/…`. The reply repeats the name as sent."""
    response = send(FakeGemini(surface=surface), {"model": model, "messages": [USER]})
    assert response.status_code == status
    if status == 200:
        assert response.json()["model"] == model


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"tools": []}, "empty-tools"),
        ({"tools": [{"google_search": {}}]}, "unknown-field"),
        ({"tools": [{"type": "custom"}]}, "tool-type"),
        ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, "tool-choice"),
        ({"tool_choice": "any"}, "tool-choice"),
        ({"tool_choice": "required", "tools": None}, "tool-choice"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response-format"),
        ({"response_format": {}}, "response-format"),
        ({"n": 2}, "n"),
        ({"n": 10}, "n"),
    ],
)
@pytest.mark.parametrize("surface", BOTH)
def test_undocumented_tools_choices_and_candidates_are_refused(surface: str, more: dict[str, Any], rule: str) -> None:
    """Empty tools, misplaced Google tools, a tool choice by name and several candidates are refused."""
    assert rule in refusals(surface, body_for(surface, **more))[0]


def test_validated_is_accepted_on_vertex_only() -> None:
    """`validated` is Google's own value of `tool_choice`. OpenAI's API does not have this value."""
    assert refusals("vertex", body_for("vertex", tool_choice="validated")) == ([], "")
    assert refusals("ai_studio", body_for("ai_studio", tool_choice="validated"))[0] == ["tool-choice"]


def test_a_recursive_response_schema_is_refused() -> None:
    """The fake finds recursion through any number of definitions. A definition that is used twice is not recursive."""
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Other"}}}
    for target, expected in (("Node", ["response-format"]), ("Leaf", [])):
        other = {"type": "array", "items": {"$ref": f"#/$defs/{target}"}}
        schema = {"$ref": "#/$defs/Node", "$defs": {"Node": node, "Other": other, "Leaf": {"type": "string"}}}
        response_format = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        assert refusals("vertex", body_for("vertex", response_format=response_format))[0] == expected


@pytest.mark.parametrize(
    ("config", "effort", "model", "rule"),
    [
        ({"thinking_level": "low"}, "low", "gemini-3.8-flash", "thinking-twice"),
        ({"thinking_budget": 1024}, "low", "gemini-3.8-flash", "thinking-twice"),
        ({"thinking_budget": 1024, "thinking_level": "low"}, None, "gemini-3.8-flash", "thinking-twice"),
        ({"thinking_level": "minimal"}, None, "gemini-3.8-flash", "thinking-level"),
        (None, "minimal", "gemini-3.8-flash", "thinking-level"),
        (None, "minimal", "gemini-3.7-flash", "thinking-level"),
        (None, "minimal", "gemini-3.1-pro-preview", "thinking-level"),
        (None, "none", "gemini-3.8-flash", "thinking-level"),
        (None, "none", "gemini-2.5-pro", "thinking-level"),
        (None, "medium", "gemini-3-pro-preview", "thinking-level"),
        (None, "huge", "gemini-3.8-flash", "thinking-level"),
        ({"thinking_level": "low"}, None, "gemini-2.5-flash", "thinking-level"),
        ({"thinking_budget": 100}, None, "gemini-2.5-pro", "thinking-budget"),
        ({"thinking_budget": "many"}, None, "gemini-3.8-flash", "thinking-budget"),
        ({"thinking_budget": 0}, None, "gemini-2.5-flash", None),
        ({"thinking_budget": -1}, None, "gemini-2.5-pro", None),
        ({"include_thoughts": True}, None, "gemini-3.8-flash", None),
        ({"thinking_level": "HIGH"}, None, "gemini-3.8-flash", None),
        (None, "minimal", "gemini-3.5-flash-lite", None),
        (None, "minimal", "gemini-3.6-flash", None),
        (None, "high", "gemini-3.8-flash", None),
    ],
)
@pytest.mark.parametrize("surface", BOTH)
def test_thinking_takes_one_option_with_a_supported_value(
    surface: str, config: Any, effort: Any, model: str, rule: str | None
) -> None:
    """A request may have `reasoning_effort` or `thinking_config`, with a level or budget that the model supports."""
    body = body_for(surface, model=model if surface == "ai_studio" else f"google/{model}")
    if config:
        body["extra_body"] = {"google": {"thinking_config": config}}
    if effort:
        body["reasoning_effort"] = effort
    assert refusals(surface, body)[0] == ([rule] if rule else [])


def test_thoughts_beside_an_effort_are_for_ai_studio() -> None:
    """Beside `reasoning_effort`, AI Studio accepts `include_thoughts`. Vertex AI refuses any `thinking_config`."""
    more = {"reasoning_effort": "low", "extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}}
    assert refusals("ai_studio", body_for("ai_studio", **more)) == ([], "")
    assert refusals("vertex", body_for("vertex", **more))[0] == ["thinking-twice"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "$schema": "x"},
        {"$ref": "#/$defs/X"},
        {"const": 1},
        {"type": "string", "const": "a"},
        {"type": ["string", "null"]},
        {"type": "text"},
        {"description": "no type"},
        {"type": "object", "properties": {}, "additionalProperties": False},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]},
        {"type": "string", "properties": {}},
        {"type": "array"},
        {"type": "string", "items": {"type": "string"}},
        {"type": "integer", "enum": [1, 2]},
        {"type": "string", "enum": []},
        {"type": "string", "format": "uri"},
        {"type": "string", "minLength": -1},
        {"type": "string", "description": 1},
        {"type": "string", "nullable": "yes"},
        {"type": "string", "enum": ["a", 1]},
        {"type": "object", "properties": ["a"]},
        {"type": "object", "required": "a"},
        "string",
        {"type": "integer", "exclusiveMinimum": 0},
        {"anyOf": []},
        {"anyOf": [{"type": "string"}], "type": "string"},
        {"oneOf": [{"type": "string"}]},
        {"allOf": [{"type": "string"}]},
        {"type": "array", "items": {"type": "object", "properties": {"x": {"patternProperties": {}}}}},
    ],
)
@pytest.mark.parametrize("surface", BOTH)
def test_unsupported_schemas_are_refused(surface: str, schema: dict[str, Any]) -> None:
    """The fake refuses each keyword and value that Google was seen to refuse, at any depth of a schema."""
    body = body_for(surface)
    body["tools"][0]["function"]["parameters"] = {"type": "object", "properties": {"x": schema}}
    rules, message = refusals(surface, body)
    assert rules
    assert "tools[0].function_declarations[0].parameters.properties[0].value" in message


@pytest.mark.parametrize(
    "parameters", [{}, {"type": "object"}, {"type": "object", "properties": {}}, {"type": "string"}]
)
def test_parameters_without_properties_are_refused(parameters: dict[str, Any]) -> None:
    """A function without arguments leaves `parameters` out."""
    body = body_for("vertex")
    body["tools"][0]["function"]["parameters"] = parameters
    assert "schema-empty" in refusals("vertex", body)[0]
    del body["tools"][0]["function"]["parameters"]
    assert refusals("vertex", body) == ([], "")


def test_parameters_are_an_object_of_bounded_size_and_depth() -> None:
    """The fake refuses parameters that are not an object, that have over 100 kB, or that have 33 levels."""

    def words(parameters: dict[str, Any]) -> str:
        body = body_for("vertex")
        body["tools"][0]["function"]["parameters"] = parameters
        return refusals("vertex", body)[1]

    nested: dict[str, Any] = {"type": "string"}
    for _ in range(32):
        nested = {"type": "object", "properties": {"x": nested}}
    properties = {"x": {"type": "string"}}
    assert "should be of type OBJECT" in words({"properties": properties, "anyOf": [{"type": "object"}]})
    assert "nested too deeply" in words(nested)
    assert words(nested["properties"]["x"]) == ""
    assert "too large" in words({"type": "object", "properties": properties, "description": "x" * 100 * 1024})


@pytest.mark.parametrize("name", ["", "1st", "a.b", "a b", "é", "x" * 64])
def test_invalid_function_names_are_refused(name: str) -> None:
    """A function name has at most 63 letters, digits, `_` and `-`."""
    body = body_for("ai_studio")
    body["tools"][0]["function"]["name"] = name
    assert refusals("ai_studio", body)[0] == ["function-name"]


def test_duplicate_functions_are_refused() -> None:
    """Two tools with the same name are refused."""
    body = body_for("ai_studio")
    body["tools"] *= 2
    assert refusals("ai_studio", body)[1] == "Duplicate function declaration found: weather"


def test_strict_in_a_declaration_is_refused_or_ignored() -> None:
    """AI Studio refuses `strict`. Vertex AI ignores it, and `fake.ignored` lists it."""
    for surface in BOTH:
        body = body_for(surface)
        body["tools"][0]["function"]["strict"] = True
        fake = FakeGemini(surface=surface)
        assert send(fake, body).status_code == (400 if surface == "ai_studio" else 200)
        assert fake.ignored == ([] if surface == "ai_studio" else ["tools[0].function.strict"])


@pytest.mark.parametrize("surface", BOTH)
@pytest.mark.parametrize("arguments", ['{"x":NaN}', '{"x":[-Infinity]}', "[1]", "{", "", '"x"'])
def test_arguments_of_the_history_are_a_json_object(surface: str, arguments: str) -> None:
    """`NaN` is refused: Python reads it, but JSON does not allow it."""
    message = called(surface)
    message["tool_calls"][0]["function"]["arguments"] = arguments
    rules, words = refusals(surface, body_for(surface, [USER, message, *answered(message)]))
    assert (rules, words) == (["call-arguments"], "Expected a valid JSON object in the request")


def test_refusals_have_googles_format() -> None:
    """A refusal is a list with one error that names the field. On a compatible server it has OpenAI's format."""
    error = send(FakeGemini(), body_for("ai_studio", store=True)).json()[0]["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["details"][0]["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    plain = send(FakeGemini(surface="openai_compatible"), {"model": "m", "messages": []})
    assert plain.status_code == 400
    assert plain.json()["error"]["type"] == "invalid_argument"


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ({"model": "m", "messages": [USER], "store": True, "tools": [], "seed": 1}, []),
        ({"messages": [USER]}, ["model-name"]),
        ({"model": "m"}, ["no-contents"]),
        ({"model": "m", "messages": [{"role": "model", "content": "x"}]}, ["role"]),
        ({"model": "m", "messages": [{"role": "tool", "content": "x"}]}, ["orphan-result"]),
    ],
)
def test_compatible_server_checks_only_the_format_of_openai(body: dict[str, Any], rules: list[str]) -> None:
    """Google's rules do not apply to a compatible server."""
    fake = FakeGemini(surface="openai_compatible")
    send(fake, body)
    assert [violation.rule for violation in fake.refusals] == rules


def test_rules_import_nothing_of_the_package_they_check() -> None:
    """Because the rules share no code with the package, one wrong fact cannot be in both."""
    code = (
        "import sys, types\n"
        "package = types.ModuleType('langchain_gemini_compat')\n"
        "import importlib.util as u\n"
        "package.__path__ = list(u.find_spec('langchain_gemini_compat').submodule_search_locations)\n"
        "sys.modules['langchain_gemini_compat'] = package\n"
        "testing = types.ModuleType('langchain_gemini_compat.testing')\n"
        "testing.__path__ = [package.__path__[0] + '/testing']\n"
        "sys.modules['langchain_gemini_compat.testing'] = testing\n"
        "import langchain_gemini_compat.testing._rules.judge\n"
        "own = [name for name in sys.modules if name.startswith('langchain_gemini_compat.')]\n"
        "print([name for name in own if not name.startswith('langchain_gemini_compat.testing')])\n"
        "print([name for name in ('langchain_core', 'openai', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
