"""LiteLLM's proxy between the chat model and the fake, by its routes `openai/` and `gemini/`."""

import json
from typing import ClassVar

import pytest
from gateway_routes import Route, RouteTests, ask
from native_server import serve_native
from real_software import free_port, running, tool

from langchain_gemini_compat import errors
from langchain_gemini_compat.testing import FakeGemini, Fault

SECONDS_TO_START = 300
ENVIRONMENT = {
    # The tests use a key for each model, and no master key. The proxy starts without a master key only if this variable
    # is set.
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    # Without this variable, the proxy downloads its list of prices.
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",
}


def entry(name, model, api_base):
    params = {"model": model, "api_base": api_base, "api_key": "fake-key", "num_retries": 0, "max_retries": 0}
    return {"model_name": name, "litellm_params": params}


@pytest.fixture(scope="module")
def compatible_google():
    """Yield a fake of Google's compatible API, and its address."""
    fake = FakeGemini()
    with fake.serve() as url:
        yield fake, url


@pytest.fixture(scope="module")
def native_google():
    """Yield a fake behind Google's native API, and its address."""
    fake = FakeGemini()
    with serve_native(fake) as url:
        yield fake, f"{url}/v1beta"


@pytest.fixture(scope="module")
def proxy(compatible_google, native_google, tmp_path_factory):
    """Yield the address of the proxy, which starts once."""
    models = [
        entry("gemini-3.8-flash", "openai/gemini-3.8-flash", compatible_google[1]),
        entry("embeddings", "openai/gemini-embedding-001", compatible_google[1]),
        entry("native", "gemini/gemini-3.8-flash", native_google[1]),
        entry("native-embeddings", "gemini/gemini-embedding-001", native_google[1]),
    ]
    folder, port = tmp_path_factory.mktemp("litellm"), free_port()
    config = folder / "config.yaml"
    # The proxy reads YAML, and JSON is valid YAML.
    config.write_text(json.dumps({"model_list": models, "litellm_settings": {"num_retries": 0}}))
    command = [tool("litellm", "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    ready = f"{url}/health/liveliness"
    with running(command, ready=ready, seconds=SECONDS_TO_START, env=ENVIRONMENT, cwd=folder):
        yield f"{url}/v1"


class TestRouteGemini(RouteTests):
    """The route to Google's native API."""

    thinking: ClassVar = {"reasoning_effort": "low"}

    @pytest.fixture
    def route(self, proxy, native_google):
        """Return the route of the tests."""
        return Route(native_google[0], proxy, "native", "native-embeddings")


@pytest.mark.filterwarnings("ignore:.*another `extra_body`")
class TestRouteOpenai(RouteTests):
    """The route to Google's compatible API, with Google's rules."""

    loses_reasons = True
    hides_bare_errors = True
    # The proxy moves the content of `extra_body` to the top level of the body, where Google refuses it. So the model
    # needs one retry.
    thinking: ClassVar = {"include_thoughts": True, "max_retries": 1}

    @pytest.fixture
    def route(self, proxy, compatible_google):
        """Return the route of the tests."""
        return Route(compatible_google[0], proxy, embedding_model="embeddings", settings={"surface": "ai_studio"})

    def test_thoughts_need_one_refused_request_in_a_process(self, route, streams):
        """The proxy moves the content of `extra_body` to the top level of the body, where Google refuses it.

        After one refusal, this call and all later calls send `extra_body` inside another `extra_body`.
        """
        route.answer_with("One.", "Two.")
        model = route.chat_model(**self.thinking)
        with pytest.warns(errors.GeminiCompatWarning, match="another `extra_body`"):
            assert ask(model, "Hi", streams=streams).text == "One."
        assert ask(model, "Hi", streams=streams).text == "Two."
        assert [refusal.rule for refusal in route.fake.refusals] == ["unknown-field"]
        assert len(route.fake.requests) == 3


class TestRouteOpenaiWithoutSurface:
    """The route to Google's compatible API, with a model that is built without the argument `surface`.

    So the package does not adapt tool schemas and histories to Gemini.
    """

    streams = RouteTests.streams
    test_agent = RouteTests.test_agent_calls_tools_at_once_and_goes_on_for_three_turns
    test_conversation = RouteTests.test_conversation_without_tools_goes_on

    @pytest.fixture
    def route(self, proxy, compatible_google):
        """Return the route of the tests."""
        return Route(compatible_google[0], proxy)


@pytest.mark.parametrize("route", ["compatible", "native"])
def test_each_retry_is_one_request(proxy, compatible_google, native_google, route):
    """With `num_retries: 0`, the proxy sends each request once. Field case G7."""
    fake, model = (compatible_google[0], "gemini-3.8-flash") if route == "compatible" else (native_google[0], "native")
    through = Route(fake, proxy, model)
    through.answer_with(Fault.overloaded(), Fault.overloaded(), "Hello.")
    assert through.chat_model(max_retries=2).invoke("Hi").text == "Hello."
    assert len(fake.requests) == 3
