"""The embeddings suites of langchain-tests.

The unit suite gets its settings from arguments and from the environment. The integration suite runs offline.
"""

from functools import cached_property

import pytest
from langchain_core.load import dumpd, load
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from langchain_gemini_compat import GeminiCompatEmbeddings
from langchain_gemini_compat.testing import FakeGemini


class TestAiStudioUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self):
        return GeminiCompatEmbeddings

    @property
    def embedding_model_params(self):
        return {"model": "gemini-embedding-001", "api_key": "test"}

    @property
    def init_from_env_params(self):
        return {"GOOGLE_API_KEY": "from-env"}, {"model": "gemini-embedding-001"}, {"api_key": "from-env"}


class TestCompatibleUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self):
        return GeminiCompatEmbeddings

    @property
    def embedding_model_params(self):
        return {"model": "nomic-embed-text", "base_url": "http://127.0.0.1:9/v1"}


class IntegrationTests(EmbeddingsIntegrationTests):
    surface = ""

    @cached_property
    def fake(self):
        return FakeGemini(surface=self.surface)

    @pytest.fixture(autouse=True)
    def every_request_is_legal(self):
        """Assert that the server would accept every request."""
        yield
        assert self.fake.refusals == []

    @property
    def embeddings_class(self):
        return GeminiCompatEmbeddings

    @property
    def embedding_model_params(self):
        return {"model": "gemini-embedding-001", **self.fake.connection()}


class TestAiStudioIntegration(IntegrationTests):
    surface = "ai_studio"


class TestCompatibleIntegration(IntegrationTests):
    surface = "openai_compatible"


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_embeddings_survive_dump_and_load_without_their_key(monkeypatch):
    """`dumps` keeps the arguments and not the key. `load` reads the key from the environment."""
    monkeypatch.setenv("GOOGLE_API_KEY", "key-of-the-environment")
    embeddings = GeminiCompatEmbeddings(model="gemini-embedding-001", api_key="key-of-the-argument", dimensions=5)
    dumped = dumpd(embeddings)
    assert "key-of-the-argument" not in str(dumped)
    loaded = load(
        dumped,
        allowed_objects=[GeminiCompatEmbeddings],
        secrets_from_env=True,
        valid_namespaces=["langchain_gemini_compat"],
    )
    assert (loaded.model, loaded.dimensions) == ("gemini-embedding-001", 5)
    assert loaded.api_key.get_secret_value() == "key-of-the-environment"
