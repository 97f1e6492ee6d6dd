"""Objects of `google.genai.types` as tools and options (field case D13)."""

import json
from enum import IntEnum

import pytest
from google.genai import types
from langchain_core.load import dumps
from pydantic import BaseModel
from wire import Wire, completion

from langchain_gemini_compat import ChatGeminiCompat

PLACE = {"model": "gemini-3.8-flash", "project": "p", "location": "global"}
DECLARATION = types.FunctionDeclaration(
    name="get_weather",
    description="Weather of a city.",
    parameters=types.Schema(
        type=types.Type.OBJECT,
        properties={
            "city": types.Schema(type=types.Type.STRING, description="The city."),
            "days": types.Schema(type=types.Type.ARRAY, items=types.Schema(type=types.Type.INTEGER), max_items=3),
            "unit": types.Schema(any_of=[types.Schema(type=types.Type.STRING), types.Schema(type=types.Type.INTEGER)]),
        },
        required=["city"],
    ),
)
FROM_JSON = types.FunctionDeclaration(
    name="search",
    parameters_json_schema={"type": "object", "properties": {"max_items": {"type": "integer"}}},
)
BLOCK_NONE = types.SafetySetting(
    category=types.HarmCategory.HARM_CATEGORY_HATE_SPEECH, threshold=types.HarmBlockThreshold.BLOCK_NONE
)
SENT = {"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE"}


def model(**options):
    return ChatGeminiCompat(**PLACE, **options)


def google(body):
    return body.get("extra_body", {}).get("google", {})


def describe(body):
    return [tool["function"]["name"] for tool in body.get("tools", ())], google(body).get("tools")


OWN = [
    pytest.param(types.Tool(google_search=types.GoogleSearch()), {"google_search": {}}, id="search"),
    pytest.param(types.Tool(code_execution=types.ToolCodeExecution()), {"code_execution": {}}, id="code"),
    pytest.param(types.Tool(url_context=types.UrlContext()), {"url_context": {}}, id="urls"),
    pytest.param(
        types.Tool(google_search=types.GoogleSearch(exclude_domains=["a.example"])),
        {"google_search": {"exclude_domains": ["a.example"]}},
        id="options",
    ),
]


@pytest.mark.parametrize(("tool", "sent"), OWN)
def test_d13_googles_own_tools_are_bound(tool, sent):
    assert describe(model().bind_tools([tool]).preview("hi")[0]) == ([], [sent])
    assert describe(model().preview("hi", tools=[tool])[0]) == ([], [sent])
    json.dumps(model().bind_tools([tool]).kwargs)


def test_d13_functions_of_a_tool_are_bound():
    """A `Tool` of google-genai may contain functions and Google's own tools."""
    tool = types.Tool(function_declarations=[DECLARATION, FROM_JSON], google_search=types.GoogleSearch())
    bound = model().bind_tools([tool, types.Tool(url_context=types.UrlContext())], tool_choice="get_weather")
    kwargs = bound.kwargs
    assert [one.get("function", one) for one in kwargs["tools"]][2:] == [{"google_search": {}}, {"url_context": {}}]
    names, own = describe(model().bind_tools([tool]).preview("hi")[0])
    assert (names, own) == (["get_weather", "search"], [{"google_search": {}}])


def test_d13_schema_of_a_declaration_is_sent():
    for body in (model().bind_tools([DECLARATION]).preview("hi")[0], model().preview("hi", tools=[DECLARATION])[0]):
        (tool,) = body["tools"]
        assert tool["function"]["description"] == "Weather of a city."
        parameters = tool["function"]["parameters"]
        assert parameters["required"] == ["city"]
        assert parameters["properties"]["city"] == {"type": "string", "description": "The city."}
        assert parameters["properties"]["days"]["items"] == {"type": "integer"}
        assert [one["type"] for one in parameters["properties"]["unit"]["anyOf"]] == ["string", "integer"]
    (tool,) = model().bind_tools([FROM_JSON]).preview("hi")[0]["tools"]
    assert [*tool["function"]["parameters"]["properties"]] == ["max_items"]


@pytest.mark.parametrize("key", ["function_declarations", "functionDeclarations"])
def test_list_of_functions_as_a_dict_is_bound(key):
    """`ChatGoogleGenerativeAI` also accepts a dict with a list of functions."""
    declaration = {"name": "f", "description": "d", "parameters": {"type": "OBJECT", "properties": {}}}
    body, _ = model().bind_tools([{key: [declaration], "google_search": {}}]).preview("hi")
    assert describe(body) == (["f"], [{"google_search": {}}])
    assert model().bind_tools([{key: []}]).kwargs["tools"] == []


def test_bound_function_can_be_called():
    answer = completion(
        None,
        finish="tool_calls",
        tool_calls=[
            {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
        ],
    )
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **Wire(answer).clients)
    (call,) = chat.bind_tools([types.Tool(function_declarations=[DECLARATION])]).invoke("hi").tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Oslo"})


def test_tool_that_the_api_does_not_take_is_refused():
    with pytest.raises(ValueError, match=r"`mcp_servers`\. .* `extra_body`"):
        model().bind_tools([types.Tool(mcp_servers=[types.McpServer(name="m")])])


class Joke(BaseModel):
    """A joke."""

    name: str


@pytest.mark.parametrize("tool", [Joke(name="a"), types.Tool(), BLOCK_NONE], ids=["own", "empty", "setting"])
def test_object_that_is_no_tool_is_refused(tool):
    with pytest.raises(ValueError, match=r"An instance of `.*` cannot be bound as a tool"):
        model().bind_tools([tool])


@pytest.mark.parametrize(
    "form", [[BLOCK_NONE], (BLOCK_NONE,), BLOCK_NONE, [SENT]], ids=["list", "tuple", "one", "dict"]
)
def test_d13_safety_settings_are_sent(form):
    for body in (
        model(safety_settings=form).preview("hi")[0],
        model().preview("hi", safety_settings=form)[0],
        model().bind(safety_settings=form).preview("hi")[0],
    ):
        assert google(body)["safety_settings"] == [SENT]
    assert "not_implemented" not in dumps(ChatGeminiCompat(model="m", api_key="k", safety_settings=form))


class Category(IntEnum):
    """Imitates the enum of harm categories in google-cloud-aiplatform."""

    HARM_CATEGORY_HATE_SPEECH = 1


class Threshold(IntEnum):
    """Imitates the enum of thresholds in google-cloud-aiplatform."""

    BLOCK_NONE = 4


class ProtobufSetting:
    """Has the attributes of `google.cloud.aiplatform_v1beta1.types.SafetySetting`."""

    category = Category.HARM_CATEGORY_HATE_SPEECH
    threshold = Threshold.BLOCK_NONE


class VertexSetting:
    """Has the method of `vertexai.generative_models.SafetySetting`, which langchain-google-vertexai exports."""

    def to_dict(self):
        return dict(SENT)


@pytest.mark.parametrize("setting", [ProtobufSetting(), VertexSetting()], ids=["protobuf", "vertexai"])
def test_safety_settings_of_langchain_google_vertexai_are_sent(setting):
    """The test imitates the classes, because langchain-google-vertexai is not a dependency.

    The test was also run with langchain-google-vertexai 3.2.5.
    """
    for form in ([setting], setting):
        body, _ = model(safety_settings=form).preview("hi")
        assert google(body)["safety_settings"] == [SENT]
    body, _ = model(safety_settings={Category.HARM_CATEGORY_HATE_SPEECH: Threshold.BLOCK_NONE}).preview("hi")
    assert google(body)["safety_settings"] == [SENT]


THINKING = types.ThinkingConfig(thinking_level=types.ThinkingLevel.HIGH, include_thoughts=True)
SCHEMA = types.Schema(
    type=types.Type.OBJECT,
    properties={"names": types.Schema(type=types.Type.ARRAY, items=types.Schema(type=types.Type.STRING), min_items=1)},
)


def sent(options):
    """Return three request bodies: with `options` in the constructor, in a call, and in `bind`."""
    return [
        model(**options).preview("hi")[0], model().preview("hi", **options)[0], model().bind(**options).preview("hi")[0]
    ]  # fmt: skip


@pytest.mark.parametrize(
    "config", [THINKING, {"thinkingLevel": "HIGH", "includeThoughts": True}], ids=["typed", "dict"]
)
def test_thinking_config_is_sent(config):
    for body in sent({"thinking_config": config}):
        assert google(body)["thinking_config"] == {"include_thoughts": True, "thinking_level": "high"}


@pytest.mark.parametrize(
    "schema",
    [SCHEMA, SCHEMA.model_dump(mode="json", exclude_none=True, by_alias=True), Joke],
    ids=["typed", "dict", "class"],
)
def test_response_schema_is_sent(schema):
    for body in sent({"response_mime_type": "application/json", "response_schema": schema}):
        compiled = body["response_format"]["json_schema"]["schema"]
        assert compiled["type"] == "object"
        if schema is not Joke:
            assert compiled["properties"]["names"]["items"] == {"type": "string"}
            assert compiled["properties"]["names"]["minItems"] == 1


def test_response_mime_type_is_sent():
    for body in sent({"response_mime_type": "application/json"}):
        assert body["response_format"] == {"type": "json_object"}
