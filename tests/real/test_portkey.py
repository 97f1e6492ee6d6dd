"""Tests with Portkey's gateway between the chat model and the fake, with strict compliance off and on.

The gateway uses its provider `google`, which calls Google's native API.
"""

from typing import ClassVar

import pytest
from gateway_routes import QUESTIONS, SCRIPT, Route, RouteTests, ask, run_agent
from native_server import serve_native
from real_software import free_port, npm_program, running

from langchain_gemini_compat import errors
from langchain_gemini_compat.testing import FakeGemini


@pytest.fixture(scope="module")
def native_google():
    """Yield a fake that answers in the format of Google's native API, and the address of its server."""
    fake = FakeGemini()
    with serve_native(fake) as url:
        yield fake, f"{url}/v1beta"


@pytest.fixture(scope="module")
def gateway():
    """Yield the address of the gateway, which starts once."""
    port = free_port()
    command = ["node", npm_program("gateway"), f"--port={port}", "--headless"]
    with running(command, ready=port):
        yield f"http://127.0.0.1:{port}/v1"


class TestStrictOff(RouteTests):
    """Without strict compliance, Portkey sends signatures and thoughts."""

    strict = "false"
    surface = None
    #: Portkey leaves out the details of Google's errors. So the package cannot tell a daily quota from other quotas.
    loses_quotas = True
    thinking: ClassVar = {"extra_body": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}

    @pytest.fixture
    def route(self, gateway, native_google):
        """Return a route through the gateway to a fake of Google's native API."""
        fake, address = native_google
        headers = {
            "x-portkey-provider": "google",
            "x-portkey-custom-host": address,
            "x-portkey-strict-open-ai-compliance": self.strict,
        }
        settings = {"default_headers": headers, "surface": self.surface}
        # Portkey joins all texts of an embedding request into one, so each request must have only one text.
        return Route(fake, gateway, settings=settings, embedding_settings={"default_headers": headers, "batch_size": 1})


class TestStrictOffWithGooglesRules(TestStrictOff):
    """Strict compliance is off. With `surface="ai_studio"`, the requests follow Google's rules."""

    surface = "ai_studio"


class TestStrictOn(TestStrictOff):
    """With strict compliance, which is the default, Portkey removes signatures and thoughts."""

    strict = "true"
    # `None` turns off a test of the base class. This test needs signatures, which strict compliance removes.
    test_file_in_a_tool_result_that_google_cannot_read = None

    def test_agent_calls_tools_at_once_and_goes_on_for_three_turns(self, route, streams):
        """The gateway removes signatures, so the agent fails. In the base class, the agent succeeds. Field case G6."""
        route.answer_with(*SCRIPT)
        with pytest.raises(errors.MissingSignatureError, match=r"`127.0.0.1:\d+` does not pass thought signatures on"):
            run_agent(route, QUESTIONS, streams=streams)

    def test_thoughts_are_reasoning_and_do_not_break_the_next_turn(self, route, streams):
        """Portkey removes the thoughts, so the message has only text."""
        route.answer_with(SCRIPT[1])
        message = ask(route.chat_model(**self.thinking), "Rome?", streams=streams)
        assert [block["type"] for block in message.content_blocks] == ["text"]
