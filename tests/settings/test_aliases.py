"""Aliases of parameters from other chat models, misspelled names, and names of secrets."""

import warnings
from types import SimpleNamespace

import pytest
from google.genai import types
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from pydantic import BaseModel, SecretStr
from wire import Wire, completion

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings, errors
from langchain_gemini_compat._settings.fields import RequestFields, aliases_of
from langchain_gemini_compat.errors import GeminiCompatWarning
from langchain_gemini_compat.testing import FakeGemini

CANARY = "sk-canary-0123456789abcdef"
GATEWAY = "http://gateway.test/v1"
STUDIO = "https://generativelanguage.googleapis.com/v1beta/openai"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Set a key of Google in the environment, because many machines have one."""
    for name in ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_API_KEY", "environment-key")


def chat(**arguments):
    return ChatGeminiCompat(**{"model": "gemini-3.8-flash", **arguments})


def body_of(model, **options):
    """Return the body of a call, without its messages."""
    payload, _ = model.preview("hi", **options)
    return {key: value for key, value in payload.items() if key not in ("model", "messages")}


class Everything(BaseCallbackHandler):
    """A callback handler that records all that it gets at the start of a chat model's call."""

    def __init__(self):
        self.texts = []

    def on_chat_model_start(self, *args, **kwargs):
        self.texts.append(repr((args, kwargs)))


@pytest.mark.parametrize("name", ["api_key", "openai_api_key", "google_api_key", "gemini_api_key"])
@pytest.mark.parametrize("make", [ChatGeminiCompat, GeminiCompatEmbeddings])
async def test_key_under_any_name_is_a_secret(name, make):
    """A key under an alias is sent in the header. No body, text, dump or trace contains it. Field case D2."""
    wire = Wire(*[completion()] * 4)
    model = make(model="m", base_url=GATEWAY, **{name: CANARY}, **wire.clients)
    assert model.api_key == SecretStr(CANARY)
    handler = Everything()
    if make is ChatGeminiCompat:
        model.invoke("hi", config={"callbacks": [handler]})
        await model.ainvoke("hi", config={"callbacks": [handler]})
        assert len(handler.texts) == 2
        assert [request.headers["authorization"] for request in wire.requests] == [f"Bearer {CANARY}"] * 2
    else:
        handler.texts.append(f"{model.preview(['hi'])}")
    seen = [repr(model), str(model), dumps(model), f"{model.model_dump()}", f"{wire.bodies}", *handler.texts]
    assert [text for text in seen if CANARY in text] == []


SECRETS = [
    "anthropic_api_key", "azure_openai_api_key", "openrouter_api_key", "x_api_key", "apikey", "hf_token",
    "access_token", "bearer_token", "client_secret", "password", "passwd", "credential", "service_account_credentials",
    "authorization", "Authorization", "cookie", "auth", "azure_ad_token_provider",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("make", [ChatGeminiCompat, GeminiCompatEmbeddings])
@pytest.mark.parametrize("place", [{}, {"base_url": GATEWAY}, {"strict": True}])
def test_unknown_argument_that_looks_like_a_secret_raises(name, make, place):
    """The error names the right argument and does not contain the value. Field case D2."""
    for value in (CANARY, SecretStr(CANARY), {"value": CANARY}, [CANARY], lambda: CANARY):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ValueError, match=f"`{name}`.*pass `(api_key|credentials)`") as caught:
                make(model="m", api_key="k", **place, **{name: value})
        assert CANARY not in str(caught.value)
    with pytest.raises(ValueError, match=f"`{name}` looks like a secret"):
        make(model="m", api_key="k", model_kwargs={name: CANARY})


@pytest.mark.parametrize("name", [*SECRETS, "api_key", "openai_api_key", "google_api_key", "gemini_api_key"])
async def test_secret_as_option_of_a_call_raises_before_tracing(name):
    """Calls and bindings refuse a secret as an option before a tracer sees it. Field case D2."""
    model, handler = FakeGemini("Hello!").chat_model(), Everything()
    config = {"callbacks": [handler]}
    given = {name: CANARY}

    async def read():
        return [chunk async for chunk in model.astream("hi", config, **given)]

    calls = [
        lambda: model.bind(**given),
        lambda: model.bind_tools([], **given),
        lambda: model.preview("hi", **given),
        lambda: model.invoke("hi", config, **given),
        lambda: list(model.stream("hi", config, **given)),
        lambda: model.bind(temperature=0).bind(**given).invoke("hi", config),
    ]
    found = []
    for call in calls:
        with pytest.raises(errors.UnsupportedParameterError) as caught:
            call()
        found.append(str(caught.value))
    for make in (lambda: model.ainvoke("hi", config, **given), read):
        with pytest.raises(errors.UnsupportedParameterError) as caught:
            await make()
        found.append(str(caught.value))
    assert all(f"`{name}`" in text for text in found)
    assert [text for text in (*found, *handler.texts) if CANARY in text] == []


def test_options_with_secret_like_names_are_sent():
    """Numbers such as `min_tokens`, and documented keys such as `prompt_cache_key`, are not secrets. Field case D2."""
    given = {"min_tokens": 3, "stop_token_ids": [1, 2], "skip_special_tokens": True, "prompt_cache_key": "user-1"}
    with pytest.warns(GeminiCompatWarning, match="is sent as a body key"):
        model = ChatGeminiCompat(model="m", base_url=GATEWAY, **given)
    assert body_of(model) == given
    assert body_of(ChatGeminiCompat(model="m", base_url=GATEWAY), **given) == given
    assert body_of(ChatGeminiCompat(model="m", base_url=GATEWAY, extra_body={"api_key": "k"})) == {"api_key": "k"}


@pytest.mark.parametrize(
    ("given", "own"),
    [
        ({"request_timeout": 5}, {"timeout": 5}),
        ({"retries": 4}, {"max_retries": 4}),
        ({"max_output_tokens": 7}, {"max_tokens": 7}),
        ({"max_completion_tokens": 7}, {"max_tokens": 7}),
        ({"stop_sequences": ["END"]}, {"stop": ["END"]}),
        ({"candidate_count": 2}, {"n": 2}),
        ({"response_modalities": ["TEXT"]}, {"modalities": ["TEXT"]}),
        ({"thinking_config": {"thinking_budget": 5}}, {"thinking_budget": 5}),
        ({"thinking_config": {"thinkingLevel": "low", "includeThoughts": True}},
         {"thinking_level": "low", "include_thoughts": True}),
        ({"thinking_config": types.ThinkingConfig(thinking_level="HIGH", include_thoughts=False)},
         {"thinking_level": "HIGH", "include_thoughts": False}),
        ({"response_mime_type": "application/json"}, {"model_kwargs": {"response_format": {"type": "json_object"}}}),
        ({"response_mime_type": "text/plain"}, {"model_kwargs": {}}),
        ({"headers": {"a": "b"}}, {"default_headers": {"a": "b"}}),
        ({"extra_headers": {"a": "b"}}, {"default_headers": {"a": "b"}}),
        ({"openai_api_base": GATEWAY}, {"base_url": GATEWAY, "surface": None}),
        ({"api_base": GATEWAY}, {"base_url": GATEWAY}),
        ({"api_endpoint": GATEWAY}, {"base_url": GATEWAY}),
        ({"api_endpoint": "generativelanguage.googleapis.com"}, {"base_url": STUDIO}),
        ({"client_options": GATEWAY}, {"base_url": GATEWAY}),
        ({"client_options": {"api_endpoint": GATEWAY, "quota_project_id": "q"}},
         {"base_url": GATEWAY, "quota_project_id": "q"}),
        ({"client_options": SimpleNamespace(api_endpoint=GATEWAY, api_key=None)}, {"base_url": GATEWAY}),
        ({"base_url": {"api_endpoint": GATEWAY}}, {"base_url": GATEWAY}),
        ({"vertexai": True, "project": "p", "api_key": None}, {"surface": "vertex", "project": "p"}),
        ({"vertexai": False}, {"surface": "ai_studio"}),
        ({"vertexai": False, "base_url": GATEWAY}, {"surface": None}),
        ({"vertexai": None, "thinking_config": None, "client_options": None, "api_endpoint": None}, {"surface": None}),
        ({"generation_config": {"maxOutputTokens": 7, "thinking_config": {"thinking_budget": 5}}},
         {"max_tokens": 7, "thinking_budget": 5}),
        ({"openai_proxy": None, "use_responses_api": False, "transport": "rest", "organization": None, "top_k": None},
         {"model_kwargs": {}}),
    ],
)  # fmt: skip
def test_names_of_other_chat_models_set_our_fields(given, own):
    """There is no warning, since the meaning is the same. Field case D3."""
    model = chat(**{"api_key": "k", **given})
    assert {name: getattr(model, name) for name in own} == own


def test_response_schema_sets_the_response_format():
    """The schema is a JSON schema with a MIME type, or a class without a MIME type. Field case D3."""

    class City(BaseModel):
        """A city."""

        name: str

    schema = City.model_json_schema()
    for given in ({"response_schema": City}, {"response_schema": schema, "response_mime_type": "application/json"}):
        sent = body_of(chat(api_key="k", **given))["response_format"]
        assert sent["json_schema"]["schema"]["properties"] == {"name": {"type": "string"}}
        assert body_of(chat(api_key="k"), **given)["response_format"] == sent


@pytest.mark.parametrize("name", ["openai_api_base", "api_base", "api_endpoint", "client_options", "base_url"])
@pytest.mark.parametrize("key", ["api_key", "openai_api_key", "google_api_key"])
@pytest.mark.parametrize("make", [ChatGeminiCompat, GeminiCompatEmbeddings])
def test_key_of_a_gateway_is_sent_to_the_gateway_only(name, key, make):
    """The test combines each alias of `base_url` with each alias of `api_key`. Field case D3."""
    info = make(model="m", **{name: GATEWAY, key: "gateway-key"}).endpoint_info()
    assert (info["base_url"], info["surface"]) == (GATEWAY, "openai_compatible")
    assert make(model="m", **{name: GATEWAY}).api_key is None


@pytest.mark.parametrize(
    "name",
    ["base_ur", "baseurl", "endpoint", "endpoint_url", "anthropic_api_url", "host", "gateway_url", "openai_proxy",
     "azure_endpoint", "proxy", "openai_api_bse", "some_setting"],
)  # fmt: skip
@pytest.mark.parametrize("make", [ChatGeminiCompat, GeminiCompatEmbeddings])
def test_unknown_argument_that_names_a_server_raises(name, make):
    """If the argument were ignored, a gateway's key would be sent to Google. Field case D3."""
    with pytest.raises(ValueError, match=rf"`{name}`.*(base_url|http_client)"):
        make(model="m", api_key="gateway-key", **{name: "https://gateway.test/v1"})


@pytest.mark.parametrize(("name", "ours"), [("projct", "project"), ("loction", "location"), ("endpoint_ids", "endpoint_id"),
                                            ("surfce", "surface"), ("default_header", "default_headers")])  # fmt: skip
def test_misspelled_place_argument_raises(name, ours):
    """If the argument were ignored, the request would go to the wrong server. Field case D3."""
    with pytest.raises(ValueError, match=f"has no argument `{name}`. Did you mean `{ours}`"):
        chat(api_key="k", **{name: "x"})


@pytest.mark.parametrize(
    ("name", "ours"),
    [("vertex_ai_project", "project"), ("vertexai_project", "project"), ("google_cloud_project", "project"),
     ("project_id", "project"), ("gcp_project_id", "project"), ("vertex_ai_location", "location"),
     ("google_cloud_location", "location"), ("region", "location"), ("vertex_region", "location")],
)  # fmt: skip
@pytest.mark.parametrize("make", [ChatGeminiCompat, GeminiCompatEmbeddings])
def test_name_of_the_place_in_other_packages_raises(name, ours, make):
    """Without the error, the request would go to AI Studio, or to the wrong region. Field case D3."""
    with pytest.raises(ValueError, match=f"has no argument `{name}`. Did you mean `{ours}`"):
        make(model="m", api_key="k", **{name: "x"})


@pytest.mark.parametrize(
    ("name", "advice"),
    [("vertex_project", "`project`"), ("vertex_location", "`location`"), ("custom_llm_provider", "`base_url`")],
)
@pytest.mark.parametrize("make", [ChatGeminiCompat, GeminiCompatEmbeddings])
def test_place_in_model_kwargs_raises_for_google(name, advice, make):
    """Users of `ChatLiteLLM` set the project in `model_kwargs`. A gateway may read it in the body. Field case D3."""
    with pytest.raises(ValueError, match=f"`{name}` in `model_kwargs` is not a key of a request. Pass {advice}"):
        make(model="m", api_key="k", model_kwargs={name: "x"})
    assert make(model="m", api_key="k", model_kwargs={name: None}).model == "m"
    gateway = make(model="m", api_key="k", base_url=GATEWAY, model_kwargs={name: "x"})
    assert gateway.preview("hi" if make is ChatGeminiCompat else ["hi"])[0][name] == "x"


@pytest.mark.parametrize(
    ("name", "given", "advice"),
    [
        ("gemini/gemini-3.8-flash", {"api_key": "k"}, r"Leave the prefix out\. "),
        ("vertex_ai/gemini-3.8-flash", {"api_key": "k"}, r"Leave the prefix out, and pass `project` for Vertex AI\. "),
        ("vertex_ai_beta/gemini-3.8-flash", {"project": "p"}, r"Leave the prefix out\. "),
        ("litellm_proxy/fast", {"api_key": "k"}, r"Leave the prefix out\. "),
    ],
)
@pytest.mark.parametrize("make", [ChatGeminiCompat, GeminiCompatEmbeddings])
def test_model_with_a_route_of_litellm_raises_for_google(name, given, advice, make):
    """Google would answer 404. A gateway gets the name unchanged, whatever its surface. Field case D3."""
    with pytest.raises(ValueError, match=f"`model` begins with `{name.partition('/')[0]}/`, .*{advice}"):
        make(model=name, **given)
    for surface in (None, "ai_studio"):
        assert make(model=name, base_url=GATEWAY, api_key="k", surface=surface).endpoint_info()["model"] == name


def test_misspelled_argument_warns_with_the_right_name():
    """The warning says whether the key is sent, which depends on the surface. Field case D3."""
    with pytest.warns(GeminiCompatWarning, match="'tempreature' is not an argument.*left out.*mean `temperature`"):
        model = chat(api_key="k", tempreature=0.1)
    assert "tempreature" not in body_of(model)
    with pytest.warns(GeminiCompatWarning, match="'tempreature' is not an argument.*sent as a body key.*`temperature`"):
        model = chat(base_url=GATEWAY, tempreature=0.1)
    assert body_of(model) == {"tempreature": 0.1}
    with pytest.raises(ValueError, match=r"'tempreature'.*Did you mean `temperature`.*strict"):
        chat(api_key="k", tempreature=0.1, strict=True)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("convert_system_message_to_human", "System messages"), ("organization", "default_headers"),
        ("stream_chunk_timeout", "between_chunks"), ("tiktoken_model_name", "tiktoken"),
    ],
)  # fmt: skip
def test_argument_without_meaning_here_is_left_out_with_advice(name, advice):
    """This applies to every surface. Field case D3."""
    for place in ({"api_key": "k"}, {"base_url": GATEWAY}):
        with pytest.warns(GeminiCompatWarning, match=f"'{name}' is not an argument.*left out of requests.*{advice}"):
            model = chat(**place, **{name: "x"})
        assert body_of(model) == {}
        assert name not in repr(model)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"max_tokens": 5, "max_output_tokens": 6}, ["max_tokens", "max_output_tokens"]),
        ({"api_key": CANARY, "openai_api_key": "other"}, ["api_key", "openai_api_key"]),
        ({"base_url": GATEWAY, "openai_api_base": "http://other.test/v1"}, ["base_url", "openai_api_base"]),
        ({"api_endpoint": GATEWAY, "client_options": {"api_endpoint": "http://other.test/v1"}},
         ["api_endpoint", "client_options.api_endpoint"]),
        ({"thinking_budget": 5, "thinking_config": {"thinking_budget": 6}},
         ["thinking_budget", "thinking_config.thinking_budget"]),
        ({"timeout": 5, "request_timeout": 6}, ["timeout", "request_timeout"]),
        ({"model_name": "other"}, ["model", "model_name"]),
        ({"stop": ["a"], "stop_sequences": ["b"]}, ["stop", "stop_sequences"]),
    ],
)  # fmt: skip
def test_two_names_with_different_values_raise(given, named):
    """Without the error, one of the values would be lost silently. The message contains no value. Field case D3."""
    with pytest.raises(ValueError, match="are names of the same parameter") as caught:
        chat(**{"api_key": "k", **given})
    assert all(f"`{name}`" in str(caught.value) for name in named)
    assert CANARY not in str(caught.value)
    same = {name: value for name, value in given.items() if name in ("max_tokens", "timeout")}
    assert chat(api_key="k", **same, openai_api_key="k", max_output_tokens=same.get("max_tokens")).max_tokens in (
        5,
        None,
    )


@pytest.mark.parametrize(
    "given",
    [
        {"vertexai": True, "surface": "ai_studio"}, {"vertexai": True, "base_url": STUDIO},
        {"vertexai": False, "project": "p"}, {"vertexai": False, "location": "eu"},
        {"vertexai": False, "surface": "vertex", "project": "p"}, {"vertexai": "yes"},
        {"vertexai": False, "base_url": "https://x.test/v1/projects/p/locations/l/endpoints/openapi"},
        {"thinking_config": {"budget": 5}}, {"thinking_config": 5}, {"client_options": {"credentials_file": "x"}},
        {"response_mime_type": "text/x.enum"}, {"response_mime_type": "text/plain", "response_schema": {}},
        {"response_mime_type": "application/json", "model_kwargs": {"response_format": {"type": "text"}}},
        {"model_kwargs": {"openai_api_key": "k"}}, {"model_kwargs": {"base_url": GATEWAY}},
        {"generation_config": 5}, {"transport": "grpc"}, {"openai_proxy": "http://proxy.test"},
        {"use_responses_api": True}, {"client": 5}, {"full_model_name": "projects/p/x"}, {"api_endpoint": 5},
    ],
    ids=str,
)  # fmt: skip
def test_contradicting_or_unusable_argument_raises(given):
    """The error is raised at construction, and names the argument to use instead. Field case D3."""
    with pytest.raises(ValueError, match=r"(Pass|Leave|use|Use|takes|has to be)"):
        chat(**{"api_key": "k", **given})


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"max_output_tokens": 700}, {"max_tokens": 700}),
        ({"stop_sequences": ["END"]}, {"stop": ["END"]}),
        ({"thinking_config": {"thinking_level": "low"}}, {"reasoning_effort": "low"}),
        ({"thinking_config": {"thinking_level": "low", "include_thoughts": True}}, None),
        ({"response_mime_type": "application/json"}, {"response_format": {"type": "json_object"}}),
        ({"generation_config": {"max_output_tokens": 700, "stopSequences": ["END"]}},
         {"max_tokens": 700, "stop": ["END"]}),
        ({"max_tokens": 5, "generation_config": types.GenerateContentConfig(response_mime_type="application/json")},
         {"max_tokens": 5, "response_format": {"type": "json_object"}}),
        ({"stop": ["a"], "generation_config": {"stop": ["END"]}}, {"stop": ["END"]}),
        ({"generation_config": None}, {}),
    ],
)  # fmt: skip
def test_options_of_a_call_have_the_same_aliases(given, sent):
    """An alias of an option has the same effect in a call and in a binding. Field case D3."""
    model = chat(api_key="k", max_tokens=9, reasoning_effort="high")
    by_call = body_of(model, **given)
    assert body_of(model, **model.bind(**given).kwargs) == by_call
    if sent is not None:
        assert sent.items() <= by_call.items() or "extra_body" in by_call
    assert by_call.keys() <= {"max_tokens", "stop", "reasoning_effort", "response_format", "extra_body"}
    with pytest.raises(errors.UnsupportedParameterError, match="are names of the same parameter"):
        model.preview("hi", max_tokens=1, max_output_tokens=2)


@pytest.mark.parametrize(("name", "field"), [*aliases_of(RequestFields).items(), ("model_name", "model")])
def test_two_names_of_an_option_with_different_values_raise(name, field):
    """Calls, bindings and `model_kwargs` refuse different values under two names of one option. Field case D3."""
    given = {name: "one", field: "two"}
    model = FakeGemini("Hello!").chat_model()
    calls = [
        lambda: model.invoke("hi", **given),
        lambda: next(model.stream("hi", **given)),
        lambda: model.bind(**given),
        lambda: model.bind_tools([], **given),
        lambda: model.bind(**{name: "one"}).invoke("hi", **{field: "two"}),
        lambda: chat(api_key="k", model_kwargs=given),
    ]
    for call in calls:
        with pytest.raises(
            ValueError, match=f"`({name}|{field})` and `({name}|{field})` are names of the same parameter"
        ):
            call()


@pytest.mark.parametrize("name", ["top_k", "topk", "num_ctx"])
def test_key_of_other_servers_gets_no_wrong_advice(name):
    """`top_k` resembles `top_p`, but means something else."""
    with pytest.warns(GeminiCompatWarning, match=f"'{name}' is not an argument") as caught:
        chat(api_key="k", **{name: 5})
    assert "Did you mean" not in str(caught[0].message)


MISSPELLED = {
    "tempreature": "temperature", "max_token": "max_tokens", "resoning_effort": "reasoning_effort",
    "thinking_bugdet": "thinking_budget",
}  # fmt: skip


@pytest.mark.parametrize(("name", "ours"), MISSPELLED.items())
@pytest.mark.parametrize("place", ["constructor", "call", "binding"])
@pytest.mark.parametrize("surface", ["ai_studio", "openai_compatible"])
def test_misspelled_option_warns_with_the_right_name(name, ours, place, surface):
    """The warning says whether the option is left out or sent as a body key. Field case D3."""
    fake = FakeGemini("Hello!", surface=surface)
    ask = {
        "constructor": lambda: fake.chat_model(**{name: 5}).invoke("hi"),
        "call": lambda: fake.chat_model().invoke("hi", **{name: 5}),
        "binding": lambda: fake.chat_model().bind(**{name: 5}).invoke("hi"),
    }[place]
    # For AI Studio, the constructor warns of an unknown option, and the call warns again when it leaves the option out.
    # Only the first warning is checked.
    with pytest.warns(GeminiCompatWarning) as caught:
        ask()
    assert f"Did you mean `{ours}`?" in str(caught[0].message)
    assert name in str(caught[0].message)
    assert fake.requests[0].body.get(name) == (None if surface == "ai_studio" else 5)


def test_key_of_a_server_is_not_taken_for_a_misspelled_option():
    """A compatible server gets `top_k` and similar parameters without a warning."""
    model = chat(base_url=GATEWAY)
    given = {"top_k": 4, "min_p": 0.1, "min_tokens": 1, "repetition_penalty": 1.1, "logit_bias": {"1": 2}, "user": "me"}
    _, notes = model.preview("hi", **given)
    assert notes == []


def test_model_of_a_call_has_two_names():
    """The two names are `model` and `model_name`. Field case D3."""
    for name in ("model", "model_name"):
        payload, _ = chat(api_key="k").preview("hi", **{name: "gemini-2.5-flash"})
        assert payload["model"] == "gemini-2.5-flash"


@pytest.mark.parametrize(
    "name",
    [
        "timeout",
        "base_url",
        "api_endpoint",
        "client_options",
        "vertexai",
        "max_retries",
        "default_headers",
        "http_client",
    ],
)
def test_parameter_of_the_model_as_option_of_a_call_raises(name):
    """Without the error, the parameter would become a body key. Field case D3."""
    model = FakeGemini("Hello!").chat_model()
    for call in (lambda: model.invoke("hi", **{name: 5}), lambda: model.bind(**{name: 5})):
        with pytest.raises(errors.UnsupportedParameterError, match=f"`{name}` belongs to the model"):
            call()


def test_embeddings_accept_the_names_of_other_embeddings():
    """An unknown argument warns and is sent. Field case D3."""
    given = {
        "openai_api_base": GATEWAY,
        "openai_api_key": "k",
        "chunk_size": 5,
        "output_dimensionality": 8,
        "retries": 1,
    }
    vectors = GeminiCompatEmbeddings(model="m", **given)
    assert (vectors.base_url, vectors.batch_size, vectors.dimensions, vectors.max_retries) == (GATEWAY, 5, 8, 1)
    with pytest.warns(GeminiCompatWarning, match="'dimensoins' is not an argument.*sent as a body key.*`dimensions`"):
        GeminiCompatEmbeddings(model="m", base_url=GATEWAY, dimensoins=8)
    with pytest.warns(GeminiCompatWarning, match="'request_options' is not an argument.*left out"):
        assert GeminiCompatEmbeddings(model="m", base_url=GATEWAY, request_options={}).preview(["a"])[0].keys() == {
            "model", "input",
        }  # fmt: skip


HTTP_OPTIONS = {"base_url": GATEWAY, "headers": {"x-goog-api-key": "canary-key-5"}}


@pytest.mark.parametrize(
    "given",
    [
        {"http_options": HTTP_OPTIONS}, {"http_options": types.HttpOptions(**HTTP_OPTIONS)},
        {"generation_config": {"http_options": HTTP_OPTIONS}}, {"generation_config": {"httpOptions": HTTP_OPTIONS}},
        {"generation_config": types.GenerateContentConfig(http_options=HTTP_OPTIONS)},
        {"model_kwargs": {"http_options": HTTP_OPTIONS}},
    ],
    ids=["argument", "object", "config", "camel case", "config object", "model_kwargs"],
)  # fmt: skip
@pytest.mark.parametrize("place", ["constructor", "call", "bind", "preview"])
def test_http_options_of_google_raise_and_show_no_secret(given, place):
    """`http_options` choose the server and may contain a key, which must not be in a body or a message.

    Field case D2.
    """
    fake = FakeGemini("hi", surface="openai_compatible")
    options = given.get("model_kwargs", given)
    act = {
        "constructor": lambda: fake.chat_model(**given),
        "call": lambda: fake.chat_model().invoke("hi", **options),
        "bind": lambda: fake.chat_model().bind(**options),
        "preview": lambda: fake.chat_model().preview("hi", **options),
    }[place]
    with pytest.raises(ValueError, match=r"http_options.*Pass `base_url`") as caught:
        act()
    assert "canary" not in str(caught.value)
    assert fake.requests == []


@pytest.mark.parametrize("name", ["max_tokens", "max_output_tokens", "max_completion_tokens"])
def test_generation_config_overrides_every_name_of_a_parameter(name):
    model = chat(api_key="k", generation_config={"maxOutputTokens": 5}, **{name: 6})
    assert model.max_tokens == 5
