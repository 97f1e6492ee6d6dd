"""Tests of the repair after a server's 400 that names an optional part of the request.

Most error texts are captures.
"""

import copy
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import http

from langchain_gemini_compat import errors
from langchain_gemini_compat._catalog.surfaces import Endpoint
from langchain_gemini_compat._request import known_refusals, refusals
from langchain_gemini_compat._request.known_refusals import (
    CHAT_PATH,
    EMBEDDINGS_PATH,
    apply_refusals,
    forget_refusals,
    recall_refusals,
    remember_refusal,
)
from langchain_gemini_compat._request.refused_parts import LeaveOut, Refusal
from langchain_gemini_compat._transport import server_errors

UNKNOWN = 'Invalid JSON payload received. Unknown name "{}"{}: Cannot find field.'
LEARN = " Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"
TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "strict": True,
        "parameters": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "title": {"type": "string", "title": "Title", "format": "uri"},
                "kind": {"const": "a"},
                "when": {"type": "string", "format": "date-time"},
                "list": {"type": "array", "items": {"type": "object", "additionalProperties": False}},
            },
            "required": ["title"],
        },
    },
}
ANSWER = {"type": "json_schema", "json_schema": {"name": "A", "strict": True, "schema": TOOL["function"]["parameters"]}}
BODY = {
    "model": "m",
    "messages": [{"role": "user", "content": "Hi"}],
    "tools": [TOOL],
    "tool_choice": "auto",
    "response_format": ANSWER,
    "n": 2,
    "stop": ["x"],
    "max_tokens": 10,
}


def google(**fields):
    return {"extra_body": {"google": fields}}


def thinking(**fields):
    return google(thinking_config=fields)


def refuse(text, payload, *, status=400, surface="ai_studio", body=None):
    body = [{"error": {"code": status, "message": text, "status": "INVALID_ARGUMENT"}}] if body is None else body
    request = http.Request("POST", "https://gemini.invalid/v1", headers={"authorization": "Bearer secret-key-1234"})
    response = http.Response(status, request=request)
    error = server_errors.translate_response(response, json.dumps(body).encode(), surface)
    return refusals.find_refused_parameter(error, payload)


def repaired(text, payload, **kwargs):
    """Return the payload that is sent after the refusal, without the keys that every test request has (`BODY`).

    Return `None` if no second request is sent.
    """
    sent = {**BODY, **payload}
    before = copy.deepcopy(sent)
    found = refuse(text, sent, **kwargs)
    if found is None:
        return None
    changed, note = found.apply(sent)
    assert sent == before
    assert note.kind == "refused"
    assert {key: value for key, value in changed.items() if key in BODY} == BODY
    assert found.apply(changed) is None
    return {key: value for key, value in changed.items() if key not in BODY}


PENALTIES = {"presence_penalty": 0.1, "frequency_penalty": 0.2}
ONE_KEY = {"seed": 1, "user": "u"}

CASES = {
    "penalty": ("Penalty is not enabled for this model", PENALTIES | ONE_KEY, ONE_KEY),
    "penalty by name": ("Penalty is not enabled for models/gemini-2.5-flash", PENALTIES, {}),
    "unknown name": (UNKNOWN.format("seed", ""), ONE_KEY, {"user": "u"}),
    "two unknown names": (UNKNOWN.format("seed", "") + "\n" + UNKNOWN.format("user", ""), ONE_KEY, {}),
    "unknown name of the caller": (UNKNOWN.format("max_new_things", "").replace("max_", ""), {"new_things": 1}, {}),
    "under google": (
        UNKNOWN.format("media_resolution", " at 'extra_body.google'"),
        google(media_resolution="LOW", cached_content="c"),
        google(cached_content="c"),
    ),
    "only key under google": (
        UNKNOWN.format("thinking_config", " at 'extra_body.google'"),
        thinking(thinking_level="low"),
        {},
    ),
    "in the config": (
        UNKNOWN.format("thinking_level", " at 'extra_body.google.thinking_config'"),
        thinking(thinking_level="low", include_thoughts=True),
        thinking(include_thoughts=True),
    ),
    "Google's own spelling": (
        UNKNOWN.format("thinkingLevel", " at 'generation_config.thinking_config'"),
        thinking(thinking_level="low", include_thoughts=True),
        thinking(include_thoughts=True),
    ),
    "marker": (
        UNKNOWN.format("thought_tag_marker", " at 'extra_body.google'"),
        google(thought_tag_marker="think", thinking_config={"include_thoughts": True}),
        {},
    ),
    "level": ("Thinking level MINIMAL is not supported for this model", thinking(thinking_level="minimal"), {}),
    "level on Vertex": (
        f"Unable to submit request because thinking_level MEDIUM is not supported by this model.{LEARN}",
        thinking(thinking_level="medium"),
        {},
    ),
    "level of an effort": ("Thinking level MINIMAL is not supported for this model", {"reasoning_effort": "none"}, {}),
    "no level": ("Thinking level is not supported for this model", {"reasoning_effort": "low"}, {}),
    "no level on Vertex": (
        f"Unable to submit request because thinking_level is not supported by this model..{LEARN}",
        thinking(thinking_level="low", include_thoughts=True),
        thinking(include_thoughts=True),
    ),
    "levels listed": (
        "Thinking level XHIGH is not supported for this model. Supported levels: LOW, MEDIUM, HIGH.",
        thinking(thinking_level="xhigh"),
        thinking(thinking_level="high"),
    ),
    "budget range": (
        (
            "Unable to submit request because thinking_budget is out of range; supported values are integers from 1 to "
            f"24576.{LEARN}"
        ),
        thinking(thinking_budget=32_000),
        thinking(thinking_budget=24_576),
    ),
    "budget choice": (
        "The thinking budget 0 is invalid. Please choose a value between 128 and 32768.",
        thinking(thinking_budget=0),
        thinking(thinking_budget=128),
    ),
    "dynamic budget": (
        "The thinking budget -1 is invalid. Please choose a value between 128 and 32768.",
        thinking(thinking_budget=-1),
        {},
    ),
    "budget without a range": ("The thinking budget (52428) is invalid.", thinking(thinking_budget=52_428), {}),
    "budget 0": (
        "Budget 0 is invalid. This model only works in thinking mode.",
        thinking(thinking_budget=0),
        {},
    ),
    "effort that means a budget": (
        "Budget 0 is invalid. This model only works in thinking mode.",
        {"reasoning_effort": "none"},
        {},
    ),
    "thoughts": (
        "Thinking_config.include_thoughts is only enabled when thinking is enabled.",
        thinking(include_thoughts=True),
        {},
    ),
    "effort listed": (
        "Invalid value for reasoning_effort: none. Valid values are: high, low, max, medium, minimal.",
        {"reasoning_effort": "none"},
        {"reasoning_effort": "minimal"},
    ),
    "effort at OpenAI": (
        (
            "Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. Supported values are: "
            "'low', 'medium', and 'high'."
        ),
        {"reasoning_effort": "minimal"},
        {"reasoning_effort": "low"},
    ),
    "effort of FastAPI": (
        "body.reasoning_effort: Input should be 'low', 'medium' or 'high'",
        {"reasoning_effort": "xhigh"},
        {"reasoning_effort": "high"},
    ),
    "effort without a list": ("reasoning_effort 'low' is not supported: too high", {"reasoning_effort": "low"}, {}),
    "effort unknown": ("Unrecognized request argument supplied: reasoning_effort", {"reasoning_effort": "low"}, {}),
    "arguments": ("Unrecognized request arguments supplied: 'seed', 'user'", ONE_KEY, {}),
    "logprobs": (
        "Logprobs is not enabled for models/gemini-2.5-flash",
        {"logprobs": True, "top_logprobs": 2, "seed": 1},
        {"seed": 1},
    ),
    "logprobs as unknown": (
        "Unsupported parameter: 'logprobs' is not supported with this model.",
        {"logprobs": True, "top_logprobs": 2, "seed": 1},
        {"seed": 1},
    ),
    "storing": ("Unknown parameter: 'store'.", {"store": True}, {}),
    "flex": ("Flex API is not supported for model: gemini-2.5-flash-lite.", {"service_tier": "flex"}, {}),
    "tier": ("Unknown parameter: 'service_tier'.", {"service_tier": "priority"}, {}),
    "temperature": ("Unsupported parameter: 'temperature' is not supported with this model.", {"temperature": 0.1}, {}),
    "temperature value": (
        "Unsupported value: 'temperature' does not support 0.1 with this model. Only the default (1) value is supported.",
        {"temperature": 0.1},
        {},
    ),
    "stream options": (
        "body.stream_options: Extra inputs are not permitted",
        {"stream_options": {"include_usage": True}},
        {},
    ),
    "stream option": (
        "Unknown parameter: 'stream_options.include_usage'.",
        {"stream_options": {"include_usage": True}},
        {},
    ),
    "NIM": (
        (
            "body -> frequency_penalty\n  Extra inputs are not permitted (type=extra_forbidden)\nbody -> presence_penalty\n"
            "  Extra inputs are not permitted (type=extra_forbidden)"
        ),
        PENALTIES,
        {},
    ),
    "LiteLLM": (
        (
            "litellm.UnsupportedParamsError: anthropic does not support parameters: ['seed'], for model=m. To drop these, "
            "set `litellm.drop_params=True`"
        ),
        {"seed": 1},
        {},
    ),
    "LiteLLM's dictionary": (
        (
            "litellm.UnsupportedParamsError: groq does not support parameters: {'presence_penalty': 0.0, "
            "'frequency_penalty': 0.0}, for model=m."
        ),
        PENALTIES,
        {},
    ),
    "Grok": ("Argument not supported on this model: frequencyPenalty", {"frequency_penalty": 0.2}, {}),
    "Groq": ("property 'logit_bias' is unsupported", {"logit_bias": {"1": 1}}, {}),
    "JSON schema": ("Additional properties are not allowed ('seed', 'user' were unexpected)", ONE_KEY, {}),
    "parallel calls": ("parallel_tool_calls is not supported", {"parallel_tool_calls": True}, {}),
}

FUNCTION = {"tool_choice": {"type": "function", "function": {"name": "f"}}}
PROTECTED = (
    "mcp_servers", "skills", "rag", "context", "attachments", "prefill", "suffix", "thread_id", "conversation", "zdr",
    "previous_response_id", "provider", "data_collection", "instructions", "agent", "fallbacks", "bad_words", "best_of",
)  # fmt: skip

#: Maps a case to the text of an error, and to the keys that are added to the request. Such an error leads to no
#: repaired request, because it names no field, a field that the request does not have, or a field that must not be
#: removed.
STANDING = {
    "no reason": ("Request contains an invalid argument.", PENALTIES | ONE_KEY),
    "absent": (UNKNOWN.format("store", ""), ONE_KEY),
    "one absent": (UNKNOWN.format("seed", "") + "\n" + UNKNOWN.format("store", ""), ONE_KEY),
    "candidates": ("Only one candidate can be specified in the current model", ONE_KEY),
    "n": (UNKNOWN.format("n", ""), ONE_KEY),
    "n and another": (UNKNOWN.format("seed", "") + "\n" + UNKNOWN.format("n", ""), ONE_KEY),
    "n by value": ("Invalid value of n: should be between 1 and 8, got 10", ONE_KEY),
    "cache": (UNKNOWN.format("cached_content", " at 'extra_body.google'"), google(cached_content="cachedContents/1")),
    "cache of a model": ("cached_content is not supported for this model", google(cached_content="cachedContents/1")),
    "google": (UNKNOWN.format("google", ""), {"google": {"seed": 1}}),
    "extra_body": (UNKNOWN.format("extra_body", ""), google(media_resolution="LOW")),
    "safety": (UNKNOWN.format("safety_settings", " at 'extra_body.google'"), google(safety_settings=[{}])),
    "Google's tools": (UNKNOWN.format("tools", " at 'extra_body.google'"), google(tools=[{"google_search": {}}])),
    "search": ("web_search_options is not supported", {"web_search_options": {}}),
    "tools": (UNKNOWN.format("tools", ""), {}),
    "tool": (UNKNOWN.format("foo", " at 'tools[0]'"), {"foo": 1}),
    "tool choice": ("tool_choice is not supported for this model", {}),
    "format": ("response_format is not supported", {}),
    "format of a server": ("Unknown parameter: 'guided_json'.", {"guided_json": {}}),
    "modalities": ("Unknown parameter: 'modalities'.", {"modalities": ["image"]}),
    "stop": ("Unsupported parameter: 'stop' is not supported with this model.", {}),
    "limit": ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.", {}),
    "messages": ("messages.0.content.1.seed: Extra inputs are not permitted", ONE_KEY),
    "in a tool": ("Extra inputs are not permitted, field: 'tools[0].seed', value: True", ONE_KEY),
    "in a message": ("messages[0].seed: Extra inputs are not permitted", ONE_KEY),
    "in contents": (UNKNOWN.format("seed", " at 'contents[0].parts[0]'"), ONE_KEY),
    "holds content": ("Unknown parameter: 'prediction'.", {"prediction": {"content": "x"}}),
    "own key that is known": ("top_z is not supported by this model", {"top_z": 1}),
    "English": ("This user is not allowed to use the model", ONE_KEY),
    "guard": ("guardrails: Extra inputs are not permitted", {"guardrails": {}}),
    "other value": ("Flex API is not supported for model: m.", {"service_tier": "priority"}),
    "effort in English": ("Please change your reasoning effort.", {"reasoning_effort": "low"}),
    "budget in range": (
        "The thinking budget 0 is invalid. Please choose a value between 128 and 32768.",
        thinking(thinking_budget=1000),
    ),
    "structure of a schema": (
        UNKNOWN.format("$ref", " at 'tools[0].function_declarations[0].parameters'"),
        ONE_KEY,
    ),
    "property of the answer": (
        "response_format.json_schema.schema.properties.title: Extra inputs are not permitted",
        {},
    ),
    "type of the format": ("Unknown parameter: 'response_format.type'.", {}),
    "name of the format": ("Unknown parameter: 'response_format.json_schema.name'.", {}),
    "name of the format at Google": (UNKNOWN.format("name", " at 'response_format.json_schema'"), {}),
    "name of the choice": ("Unknown parameter: 'tool_choice.function.name'.", FUNCTION),
    "name of the choice of FastAPI": ("body.tool_choice.function.name: Extra inputs are not permitted", FUNCTION),
    "type of the choice": ("Unknown parameter: 'tool_choice.type'.", FUNCTION),
    "name of the choice at Google": (UNKNOWN.format("name", " at 'tool_choice.function'"), FUNCTION),
    "in a protected object": ("Unknown parameter: 'safety.seed'.", {"safety": {"seed": 1}}),
    "property called strict": ("tools.0.function.parameters.properties.strict: Extra inputs are not permitted", {}),
    "property called title": (
        UNKNOWN.format("title", " at 'tools[0].function_declarations[0].parameters.properties'"),
        {},
    ),
    "no storing": ("Unknown parameter: 'store'.", {"store": False}),
    **{f"protected {key}": (f"Unknown parameter: '{key}'.", {key: "x"}) for key in PROTECTED},
    "absent keyword": (UNKNOWN.format("pattern", " at 'tools[0].function_declarations[0].parameters'"), ONE_KEY),
}


@pytest.mark.parametrize("name", CASES)
def test_the_named_part_is_left_out_or_adjusted(name):
    text, payload, expected = CASES[name]
    assert repaired(text, payload) == expected


@pytest.mark.parametrize("name", STANDING)
def test_error_that_names_no_optional_part_stands(name):
    text, payload = STANDING[name]
    assert refuse(text, {**BODY, **payload}) is None


@pytest.mark.parametrize("name", CASES)
def test_text_without_its_parameter_in_the_request_stands(name):
    assert refuse(CASES[name][0], BODY) is None


@pytest.mark.parametrize("status", [401, 403, 404, 413, 429, 500, 503])
def test_other_statuses_stand(status):
    assert refuse(UNKNOWN.format("seed", ""), ONE_KEY, status=status) is None


def test_status_422_is_a_refusal_too():
    """NVIDIA's servers send the status 422 when they refuse a parameter."""
    assert repaired(CASES["NIM"][0], PENALTIES, status=422) == {}


def test_error_with_a_class_of_its_own_stands():
    text = "Function call is missing a thought_signature in functionCall parts. seed is not supported."
    assert refuse(text, ONE_KEY) is None


def test_error_without_a_server_stands():
    assert refusals.find_refused_parameter(errors.UnsupportedParameterError("`seed` is not supported"), ONE_KEY) is None


def test_name_in_the_details_is_found():
    """If Google's error message gives no reason, the refused parameter is read from the `details` of the error."""
    violation = {"description": UNKNOWN.format("seed", "")}
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
    message = "Request contains an invalid argument."
    body = [{"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": [detail]}}]
    assert repaired("", ONE_KEY, body=body) == {"user": "u"}


@pytest.mark.parametrize("wrap", ["error", "raw", "text"])
def test_error_inside_of_a_gateways_error_is_found(wrap):
    inner = {"error": {"code": 400, "message": UNKNOWN.format("seed", ""), "status": "INVALID_ARGUMENT"}}
    body = {
        "error": {"error": {"message": "upstream", "code": 400, "metadata": {"raw": json.dumps(inner)}}},
        "raw": {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": json.dumps([inner])}}},
        "text": {"error": {"message": f"VertexAIException - {json.dumps(inner)}", "code": "400"}},
    }[wrap]
    assert repaired("", ONE_KEY, body=body, surface="openai_compatible") == {"user": "u"}


#: The error text of LiteLLM 1.108.7 with the route `openai/`. It does not contain the error text of AI Studio.
LITELLM = (
    "litellm.BadRequestError: OpenAIException - {}\n\nLiteLLM: model group 'gemini' failed with the error above. No "
    "fallback was attempted."
)


@pytest.mark.parametrize("text", [UNKNOWN.format("google", ""), LITELLM.format("Error code: 400")])
def test_google_s_fields_are_wrapped_for_a_gateway_that_unwraps_them(text):
    """LiteLLM moves the content of `extra_body` into the body. So the repaired request nests a second `extra_body`."""
    body = {**BODY, "extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}}
    changed, _ = refuse(text, body).apply(body)
    assert changed == {**body, "extra_body": {"extra_body": body["extra_body"]}}
    assert refuse(text, changed) is None
    assert refuse(text, BODY) is None


@pytest.mark.parametrize("text", ["Error code: 400", "Temperature is not supported with this model."])
def test_sentence_of_litellm_makes_no_refusal_conditional(text):
    """LiteLLM adds a sentence with the word "with" to an error. This sentence is not a condition of the refusal.

    The package does not remember a conditional refusal, so each call would need two requests.
    """
    body = {**BODY, "temperature": 1, "extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}}
    assert refuse(LITELLM.format(text), body).is_conditional is False


def test_words_have_no_secret_and_are_short():
    found = refuse(f"Unknown parameter: 'seed'. Your key secret-key-1234 {'x' * 5000}", ONE_KEY)
    assert found.words == "Unknown parameter: 'seed'"
    _, note = found.apply(ONE_KEY)
    assert note.message == "`seed` was left out. The server's reason: Unknown parameter: 'seed'."


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        (
            UNKNOWN.format("additionalProperties", " at 'tools[0].function_declarations[0].parameters'"),
            "additionalProperties",
        ),
        (
            UNKNOWN.format(
                "additional_properties", " at 'tools[0].function_declarations[0].parameters.properties[3].value'"
            ),
            "additionalProperties",
        ),
        (UNKNOWN.format("$schema", " at 'tools[0].function_declarations[0].parameters'"), "$schema"),
        (UNKNOWN.format("strict", " at 'tools[0].function'"), "strict"),
        ("tools.0.function.strict: Extra inputs are not permitted", "strict"),
        (UNKNOWN.format("title", " at 'tools[0].function_declarations[0].parameters.properties[0].value'"), "title"),
    ],
)
def test_a_keyword_is_left_out_of_the_schemas_of_tools(text, keyword):
    sent = copy.deepcopy(BODY)
    changed, note = refuse(text, sent).apply(sent)
    assert sent == BODY
    assert f"`{keyword}`" in note.message
    assert {**changed, "tools": 0} == {**BODY, "tools": 0}
    function, before = changed["tools"][0]["function"], TOOL["function"]
    assert function["name"] == before["name"]
    assert [*function["parameters"]["properties"]] == [*before["parameters"]["properties"]]
    assert function["parameters"]["required"] == ["title"]
    assert f'"{keyword}": ' not in json.dumps(function).replace('"title": {', "")


@pytest.mark.parametrize(
    ("schema", "reduced"),
    [
        ({"const": 5}, {"type": "integer"}),
        ({"const": True}, {"type": "boolean"}),
        ({"const": 5, "type": "number"}, {"type": "number"}),
        ({"const": "a", "enum": ["a", "b"]}, {"enum": ["a", "b"], "type": "string"}),
        ({"const": {"a": 1}}, {}),
    ],
)
def test_a_property_keeps_the_type_of_its_constant(schema, reduced):
    body = copy.deepcopy(BODY)
    body["tools"][0]["function"]["parameters"]["properties"]["kind"] = schema
    text = UNKNOWN.format("const", " at 'tools[0].function_declarations[0].parameters.properties[1].value'")
    changed, _ = refuse(text, body).apply(body)
    assert changed["tools"][0]["function"]["parameters"]["properties"]["kind"] == reduced


def test_a_constant_becomes_an_enumeration_of_one_value():
    text = UNKNOWN.format("const", " at 'tools[0].function_declarations[0].parameters.properties[1].value'")
    changed, _ = refuse(text, BODY).apply(BODY)
    assert changed["tools"][0]["function"]["parameters"]["properties"]["kind"] == {"type": "string", "enum": ["a"]}


def test_strict_is_left_out_of_the_format_of_the_answer():
    changed, _ = refuse("response_format.json_schema.strict: Extra inputs are not permitted", BODY).apply(BODY)
    assert changed["response_format"]["json_schema"] == {"name": "A", "schema": ANSWER["json_schema"]["schema"]}
    assert changed["tools"] == BODY["tools"]


@pytest.mark.parametrize(
    "text",
    [
        "seed is not supported when streaming",
        "seed is not supported with tools",
        "seed is not supported together with user",
        "seed is not supported if tools are set",
        "seed is not supported unless temperature is 0",
        "seed is not supported. It cannot be used with tools.",
        "Only one is possible: seed is not supported without user",
        CASES["thoughts"][0],
    ],
)
def test_refusal_with_a_condition_is_conditional(text):
    assert refuse(text, {**ONE_KEY, **thinking(include_thoughts=True)}).is_conditional


@pytest.mark.parametrize("name", sorted({*CASES} - {"thoughts"}))
def test_refusal_of_a_model_is_not_conditional(name):
    """The words `is not supported with this model` do not count as a condition."""
    assert not refuse(CASES[name][0], {**BODY, **CASES[name][1]}).is_conditional


def test_refused_type_is_not_conditional():
    text = "Unable to submit request because it has a mimeType parameter with value audio/wav, which is not supported."
    assert not refuse(text, MEDIA).is_conditional


def test_formats_that_the_server_lists_stay():
    text = (
        "* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties[title].format: only 'enum' and "
        "'date-time' are supported for STRING type"
    )
    changed, _ = refuse(text, BODY).apply(BODY)
    properties = changed["tools"][0]["function"]["parameters"]["properties"]
    assert properties["title"] == {"type": "string", "title": "Title"}
    assert properties["when"] == {"type": "string", "format": "date-time"}


def test_a_keyword_is_left_out_of_the_schema_of_the_answer():
    changed, note = refuse(UNKNOWN.format("$schema", " at 'generation_config.response_schema'"), BODY).apply(BODY)
    assert "$schema" not in changed["response_format"]["json_schema"]["schema"]
    assert changed["response_format"]["type"] == "json_schema"
    assert changed["response_format"]["json_schema"]["name"] == "A"
    assert changed["tools"] == BODY["tools"]
    assert "schema of the answer" in note.message


def result(content, *parts, call="c1", name="shot"):
    google = {"parts": [*parts], "note": 1}
    message = {"role": "tool", "tool_call_id": call, "name": name, "content": json.dumps(content)}
    return {**message, "extra_content": {"google": google, "own": 2}}


def inline(name, mime_type, data="QUJD"):
    return {"inline_data": {"mime_type": mime_type, "display_name": name, "data": data}}


CALLS = {"role": "assistant", "tool_calls": [{"id": "c1"}, {"id": "c2"}]}
MEDIA = {
    "messages": [
        {"role": "user", "content": "Look."},
        CALLS,
        result({"output": "a", "m": {"$ref": "m"}}, inline("m", "image/png")),
        result({"m": {"$ref": "m"}}, inline("m", "audio/wav"), call="c2"),
        {"role": "user", "content": "And?"},
    ]
}
NO_PARTS = f"Unable to submit request because `function_response.parts` is not supported for this model.{LEARN}"


@pytest.mark.parametrize("text", [NO_PARTS, UNKNOWN.format("parts", " at 'contents[2].parts[0].function_response'")])
def test_media_that_a_result_cannot_hold_follow_in_a_user_message(text):
    changed, note = refuse(text, MEDIA).apply(MEDIA)
    user, calls, first, second, media, last = changed["messages"]
    assert [user, calls, last] == [MEDIA["messages"][0], CALLS, MEDIA["messages"][4]]
    assert first["content"] == "a"
    assert json.loads(second["content"]) == {"output": "The next user message holds the output."}
    assert first["extra_content"] == second["extra_content"] == {"google": {"note": 1}, "own": 2}
    assert media["role"] == "user"
    assert [part["type"] for part in media["content"]] == ["text", "image_url", "text", "input_audio"]
    assert media["content"][0]["text"] == "Output of shot (call c1):"
    assert media["content"][1]["image_url"]["url"] == "data:image/png;base64,QUJD"
    assert "moved to a user message" in note.message


def test_media_at_the_end_of_the_history_follow_in_a_user_message():
    body = {"messages": MEDIA["messages"][:3]}
    changed, _ = refuse(NO_PARTS, body).apply(body)
    assert [message["role"] for message in changed["messages"]] == ["user", "assistant", "tool", "user"]


def test_type_that_only_a_result_cannot_hold_is_moved_alone():
    text = f"Unable to submit request because the mime_type: audio/wav is not supported in `function_response.parts`.{LEARN}"
    changed, _ = refuse(text, MEDIA).apply(MEDIA)
    messages = changed["messages"]
    assert messages[2] == MEDIA["messages"][2]
    assert [part["type"] for part in messages[4]["content"]] == ["text", "input_audio"]


@pytest.mark.parametrize(
    "text",
    [
        "Unable to submit request because it has a mimeType parameter with value application/x-odd, which is not supported.",
        "Unable to submit request because the mime_type: application/x-odd is not supported in `function_response.parts`.",
    ],
)
def test_type_that_the_model_does_not_take_is_described(text):
    odd = result(
        {"output": "a", "m": {"$ref": "m"}, "k": {"$ref": "k"}},
        inline("m", "application/x-odd"),
        inline("k", "image/png"),
    )
    body = {"messages": [CALLS, odd]}
    changed, note = refuse(text, body).apply(body)
    content = json.loads(changed["messages"][1]["content"])
    assert content["output"] == "a"
    assert content["k"] == {"$ref": "k"}
    assert content["m"].startswith("[An attachment of kind 'file' that cannot be shown. type: application/x-odd;")
    assert changed["messages"][1]["extra_content"]["google"]["parts"] == [inline("k", "image/png")]
    assert "application/x-odd" in note.message


def test_type_that_is_in_another_message_too_stands():
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    text = "Unable to submit request because it has a mimeType parameter with value image/png, which is not supported."
    assert refuse(text, {"messages": [*MEDIA["messages"], {"role": "user", "content": [picture]}]}) is None


SPOKEN = st.sampled_from([text for text, *_ in (*CASES.values(), *STANDING.values())])
NAMES = st.sampled_from(
    ["messages", "tools", "response_format", "tool_choice", "n", "stop", "seed", "cached_content", "user", "content"]
)
TEMPLATES = st.sampled_from(
    [UNKNOWN.format("@", ""), "Unknown parameter: '@'.", "@ is not supported", "@: Extra inputs are not permitted",
     UNKNOWN.format("@", " at 'extra_body.google'"), "does not support parameters: ['@', 'seed']"]
)  # fmt: skip
TEXTS = SPOKEN | st.builds(lambda template, name: template.replace("@", name), TEMPLATES, NAMES)
PAYLOADS = st.fixed_dictionaries(
    {key: st.just(value) for key, value in BODY.items()},
    optional={
        "seed": st.integers(),
        "presence_penalty": st.floats(0, 1),
        "reasoning_effort": st.sampled_from(["none", "low", "xhigh"]),
        "logprobs": st.booleans(),
        "user": st.text(max_size=5),
        "stream_options": st.just({"include_usage": True}),
        "extra_body": st.sampled_from(
            [google(cached_content="c"), thinking(thinking_level="low"), google(tools=[{"google_search": {}}], seed=1)]
        ),
    },
)


@given(st.lists(TEXTS, min_size=1, max_size=3), PAYLOADS)
def test_messages_tools_and_format_are_never_removed(texts, payload):
    before = copy.deepcopy(payload)
    found = refuse(" \n".join(texts), payload)
    changed = payload if found is None else found.apply(payload)[0]
    assert payload == before
    assert {key: changed.get(key) for key in BODY} == BODY
    held = payload.get("extra_body", {}).get("google", {})
    for key in ("cached_content", "tools"):
        assert changed.get("extra_body", {}).get("google", {}).get(key) == held.get(key)


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text):
    refuse(text, {**BODY, **PENALTIES, **ONE_KEY})


@pytest.mark.parametrize(
    "piece",
    ["a", "a.", "a -> ", "'a', ", "a ", "body -> ", "tools[0].", "[", "unknown parameter 'a', ", "low ", "0 ", "is not supported ",
     "reasoning_effort ", "thinking_budget ", "unknown name \"a\" at '"],
)  # fmt: skip
def test_long_text_is_read_quickly(piece):
    violations = [{"description": f"{number} {piece * 1000}"} for number in range(100)]
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}
    error = errors.InvalidRequestError(piece * 4000, status_code=400, details=(detail,))
    start = time.process_time()
    refusals.find_refused_parameter(error, {**BODY, **PENALTIES, **ONE_KEY, "reasoning_effort": "low"})
    assert time.process_time() - start < 2


HERE = Endpoint("ai_studio", "https://user:password@gemini.invalid/v1", "m")


def test_a_refusal_is_known_for_its_server_model_and_api_only():
    refusal = Refusal((LeaveOut(("seed",)),), "No.")
    assert remember_refusal(HERE, CHAT_PATH, refusal)
    assert not remember_refusal(HERE, CHAT_PATH, refusal)
    assert recall_refusals(HERE, CHAT_PATH) == (refusal,)
    assert recall_refusals(HERE, EMBEDDINGS_PATH) == ()
    assert recall_refusals(HERE.with_model("other"), CHAT_PATH) == ()
    assert recall_refusals(Endpoint("ai_studio", "https://other.invalid/v1", "m"), CHAT_PATH) == ()
    assert recall_refusals(Endpoint("vertex", HERE.base_url, "m"), CHAT_PATH) == ()
    assert apply_refusals({"seed": 1}, HERE, CHAT_PATH)[0] == {}
    assert apply_refusals({"user": "u"}, HERE, CHAT_PATH) == ({"user": "u"}, [])


@pytest.mark.parametrize(
    "url",
    [
        "https://gemini.invalid/other/v1",
        "https://gemini.invalid/v1/projects/p/locations/l/endpoints/2",
        "http://gemini.invalid/v1",
        "https://gemini.invalid:8443/v1",
    ],
)
def test_a_refusal_is_known_for_its_whole_url(url):
    refusal = Refusal((LeaveOut(("seed",)),), "No.")
    remember_refusal(HERE, CHAT_PATH, refusal)
    assert recall_refusals(Endpoint("ai_studio", url, "m"), CHAT_PATH) == ()
    assert recall_refusals(Endpoint("ai_studio", "https://gemini.invalid/v1/?key=k", "m"), CHAT_PATH) == (refusal,)


def test_a_refused_value_does_not_affect_other_values():
    remember_refusal(HERE, CHAT_PATH, refuse(CASES["level"][0], thinking(thinking_level="minimal")))
    assert apply_refusals(thinking(thinking_level="high"), HERE, CHAT_PATH) == (thinking(thinking_level="high"), [])
    assert apply_refusals(thinking(thinking_level="minimal"), HERE, CHAT_PATH)[0] == {}


def test_the_memory_has_no_password():
    remember_refusal(HERE, CHAT_PATH, Refusal((LeaveOut(("seed",)),), "No."))
    assert "password" not in repr(known_refusals._memory.known)


def test_the_memory_is_bounded():
    for number in range(300):
        refusal = Refusal((LeaveOut((f"key_{number}",)),), "No.")
        remember_refusal(HERE.with_model(f"m{number}"), CHAT_PATH, refusal)
        remember_refusal(HERE.with_model("same"), CHAT_PATH, refusal)
    assert len(known_refusals._memory.known) == 256
    assert len(recall_refusals(HERE.with_model("same"), CHAT_PATH)) == 32
    assert recall_refusals(HERE.with_model("m0"), CHAT_PATH) == ()


def test_refusals_of_one_host_can_be_forgotten():
    refusal, other = Refusal((LeaveOut(("seed",)),), "No."), Endpoint("vertex", "https://other.invalid", "m")
    for endpoint in (HERE, other):
        remember_refusal(endpoint, CHAT_PATH, refusal)
    forget_refusals("gemini.invalid")
    assert recall_refusals(HERE, CHAT_PATH) == ()
    assert recall_refusals(other, CHAT_PATH) == (refusal,)
