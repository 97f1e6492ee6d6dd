"""The integration suite of langchain-tests, offline under the rules of the fake endpoint, on both Google surfaces."""

import base64
from functools import cached_property

import httpx
import pytest
from langchain_tests.integration_tests import ChatModelIntegrationTests
from standard_rule import answer

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.testing import FakeGemini

pytestmark = [
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning"),
    # The suite of langchain-tests sends a history with Anthropic's cache marks. The package leaves the marks out and
    # warns.
    pytest.mark.filterwarnings("ignore::langchain_gemini_compat.errors.GeminiCompatWarning"),
]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(autouse=True)
def downloads_are_local(monkeypatch):
    """Replace the downloads of the media tests from public sites by fixed bytes."""
    request = httpx.Request("GET", "https://files.example/x")
    monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "tests@example.com")
    monkeypatch.setattr(httpx, "get", lambda url, **_: httpx.Response(200, content=PIXEL, request=request))


class StandardIntegrationTests(ChatModelIntegrationTests):
    surface = ""

    @cached_property
    def fake(self):
        return FakeGemini(answer, surface=self.surface)

    @pytest.fixture(autouse=True)
    def every_request_is_legal(self):
        """Assert that Google would accept every request."""
        yield
        assert self.fake.refusals == []

    @property
    def chat_model_class(self):
        return ChatGeminiCompat

    @property
    def chat_model_params(self):
        return {"model": "gemini-3.8-flash", **self.fake.connection()}

    @property
    def model_override_value(self):
        return "gemini-3.1-pro-preview"

    @property
    def supports_json_mode(self):
        return True

    @property
    def supports_image_inputs(self):
        return True

    @property
    def supports_image_urls(self):
        return True

    @property
    def supports_pdf_inputs(self):
        return True

    @property
    def supports_audio_inputs(self):
        return True

    @property
    def supports_image_tool_message(self):
        return True

    @property
    def supports_pdf_tool_message(self):
        return True

    @property
    def supports_anthropic_inputs(self):
        return True


class TestAiStudioIntegration(StandardIntegrationTests):
    surface = "ai_studio"


class TestVertexIntegration(StandardIntegrationTests):
    surface = "vertex"
