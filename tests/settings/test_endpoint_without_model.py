"""An endpoint of your own on Vertex AI serves one model, so the model may have no name. Field case D14."""

import pytest
from google.auth.credentials import AnonymousCredentials
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage
from wire import Wire, chunk, completion, reply

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings, errors
from langchain_gemini_compat.testing import Call, FakeGemini

OWN = "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/endpoints/123"
DEDICATED = "https://123.us-central1-5.prediction.vertexai.goog"
NOT_FOUND = reply({"error": {"code": 404, "message": "Not found.", "status": "NOT_FOUND"}}, 404)
PLACES = {
    "endpoint_id": {"project": "p", "location": "us-central1", "endpoint_id": "123"},
    "full address": {"base_url": OWN},
    "full address on Vertex AI": {"base_url": OWN, "surface": "vertex"},
    "dedicated host": {"base_url": DEDICATED},
    "dedicated host with a path": {"base_url": f"{DEDICATED}/v1/projects/5/locations/us-central1/endpoints/123"},
    "dedicated host with a route": {"base_url": f"{DEDICATED}/v1/projects/5/locations/l/endpoints/123/invoke/v1"},
}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"):
        monkeypatch.delenv(name, raising=False)


def build(place, *answers, **arguments):
    """Return a model without a name, and the requests that it sends."""
    wire = Wire(*answers)
    return ChatGeminiCompat(credentials=AnonymousCredentials(), **PLACES[place], **wire.clients, **arguments), wire


class Seen(BaseCallbackHandler):
    """A callback handler that records what a tracer gets about the model."""

    def on_chat_model_start(self, serialized, messages, *, metadata, invocation_params, **kwargs):
        self.name = metadata["ls_model_name"]
        self.params = invocation_params


def without_name(reply):
    return {key: value for key, value in reply.items() if key != "model"}


@pytest.mark.parametrize("place", PLACES)
async def test_request_without_a_model_names_the_endpoint(place):
    """Without a model name, `endpoint_info()` and the trace name the endpoint.

    The message names the model that the server's reply names. If the reply names none, the message names the endpoint.
    """
    replies = [completion(), without_name(completion()), completion()]
    model, wire = build(place, *replies)
    handler = Seen()
    answers = [
        model.invoke("hi", config={"callbacks": [handler]}), model.invoke("hi"), await model.ainvoke("hi"),
    ]  # fmt: skip
    assert [body.keys() & {"model"} for body in wire.bodies] == [set()] * 3
    assert "model" not in model.preview("hi")[0]
    assert model.endpoint_info()["model"] == handler.name == handler.params["model"] == "endpoints/123"
    named = [answer.response_metadata["model_name"] for answer in answers]
    assert named == ["gemini-3.8-flash", "endpoints/123", "gemini-3.8-flash"]
    assert (model.model, model.model_name, model.profile) == ("", "", None)


@pytest.mark.parametrize(
    ("reply", "name"), [(completion(), "gemini-3.8-flash"), (without_name(completion()), "endpoints/123")]
)
def test_result_of_generate_names_the_model_or_the_endpoint(reply, name):
    model, _ = build("endpoint_id", reply)
    assert model.generate([[HumanMessage("hi")]]).llm_output["model_name"] == name


@pytest.mark.parametrize("name", [None, ""])
def test_empty_model_is_a_model_without_a_name(name):
    """An empty `model` may come from an environment variable that is not set."""
    model, _ = build("endpoint_id", model=name)
    assert model.endpoint_info()["model"] == "endpoints/123"


async def test_stream_without_a_model_has_the_name_of_the_reply():
    """Streams and whole replies are decoded by different code, so streams have a test of their own."""
    model, wire = build("endpoint_id", *[[chunk(content="a"), chunk("stop", content="b")]] * 3)
    whole = None
    for part in model.stream("hi"):
        whole = part if whole is None else whole + part
    assert (whole.text, whole.response_metadata["model_name"]) == ("ab", "gemini-3.8-flash")
    parts = [part async for part in model.astream("hi")]
    assert "".join(part.text for part in parts) == "ab"
    assert [body.keys() & {"model"} for body in wire.bodies] == [set()] * 2


def test_call_can_name_the_model_of_an_endpoint():
    """A call may pass `model`, because an endpoint of vLLM may serve several adapters."""
    model, wire = build("endpoint_id", completion())
    model.invoke("hi", model="adapter")
    assert wire.bodies[0]["model"] == "adapter"
    assert model._get_ls_params(model="adapter")["ls_model_name"] == "adapter"


def test_history_goes_back_to_an_endpoint_without_a_model_name():
    """Extra fields of a call return to the endpoint that sent them."""
    call = {
        "id": "1",
        "type": "function",
        "function": {"name": "f", "arguments": '{"a": 1}'},
        "extra_content": {"x": {"y": 1}},
    }
    model, wire = build("endpoint_id", completion(None, finish="tool_calls", tool_calls=[call]), completion())
    message = model.bind_tools([{"type": "function", "function": {"name": "f"}}]).invoke("hi")
    model.invoke(
        [HumanMessage("hi"), message, {"role": "tool", "tool_call_id": message.tool_calls[0]["id"], "content": "1"}]
    )
    assert wire.bodies[1]["messages"][1]["tool_calls"][0]["extra_content"] == {"x": {"y": 1}}


def test_cache_tells_endpoints_apart():
    """The cache key of a model without a name contains its endpoint."""
    cache = InMemoryCache()
    for endpoint in ("123", "124"):
        wire = Wire(completion(f"from {endpoint}"))
        place = {**PLACES["endpoint_id"], "endpoint_id": endpoint}
        model = ChatGeminiCompat(credentials=AnonymousCredentials(), **place, cache=cache, **wire.clients)
        assert [model.invoke("hi").text for _ in range(2)] == [f"from {endpoint}"] * 2
        assert len(wire.bodies) == 1


def test_error_of_an_endpoint_without_a_model_has_a_remedy():
    """No model name is known, so the remedy names both `model` and `endpoint_id`."""
    model, _ = build("endpoint_id", NOT_FOUND, max_retries=0)
    with pytest.raises(errors.ModelNotFoundError, match="Check `model` or `endpoint_id`"):
        model.invoke("hi")


@pytest.mark.parametrize(
    "arguments",
    [
        {"api_key": "k"}, {"base_url": "http://127.0.0.1:1/v1"}, {"api_key": "k", "model": ""},
        {"base_url": "https://gateway.test/endpoints/123", "api_key": "k"}, {"api_key": "k", "model_name": None},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("model", [ChatGeminiCompat, GeminiCompatEmbeddings])
def test_missing_model_raises_at_construction(model, arguments):
    """Without a model name, the same error is raised, except for an endpoint of your own on Vertex AI."""
    with pytest.raises(ValueError, match="`model` is missing: pass the name"):
        model(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"project": "p"}, {"project": "p", "endpoint_id": "openapi"}, {"base_url": OWN.replace("/123", "/openapi")}],
    ids=str,
)
def test_missing_model_on_googles_shared_endpoint_raises(arguments):
    """The shared endpoint serves many models."""
    with pytest.raises(ValueError, match="`model` is missing: pass the name"):
        ChatGeminiCompat(credentials=AnonymousCredentials(), **arguments)


def test_embeddings_of_an_endpoint_need_no_model():
    """For embeddings, a base URL with the full path of an endpoint counts as a compatible server."""
    wire = Wire({"data": [{"index": 0, "embedding": [1.0]}]})
    model = GeminiCompatEmbeddings(base_url=OWN, api_key="k", **wire.clients)
    assert model.embed_query("hi") == [1.0]
    assert wire.bodies == [{"input": ["hi"]}]
    assert model.endpoint_info()["model"] == "endpoints/123"


def test_fake_answers_an_endpoint_without_a_model():
    """The fake answers with a model name. At a URL without an endpoint, it refuses a request without a model."""
    fake = FakeGemini([Call("add")], surface="vertex")
    url = "https://gemini.invalid/v1/projects/p/locations/us-central1/endpoints/123/chat/completions"
    headers = {"Authorization": "Bearer k"}
    body = {"messages": [{"role": "user", "content": "hi"}]}
    answer = fake.http_client.post(url, json=body, headers=headers).json()
    assert answer["model"] == "deployed-model"
    assert fake.http_client.post(url.replace("/123/", "/openapi/"), json=body, headers=headers).status_code == 400
