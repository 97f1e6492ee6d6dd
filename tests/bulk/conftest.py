"""The fake, the model and the output of the tests of `run_bulk`."""

import pytest

from langchain_gemini_compat.testing import FakeGemini


@pytest.fixture
def fake():
    return FakeGemini(lambda request: f"About {request.prompt}")


@pytest.fixture
def model(fake):
    return fake.chat_model(max_retries=0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "answers.jsonl"
