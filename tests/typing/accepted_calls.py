"""Constructor calls that type checkers must accept. This file is checked, but never run.

The calls come from the documentation of other chat models, with our class instead of theirs. A call is listed here only
if its arguments mean the same in our class.
"""

from datetime import timedelta
from enum import Enum

import httpx
from google.auth.credentials import AnonymousCredentials
from google.oauth2 import service_account
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import StdOutCallbackHandler
from langchain_core.rate_limiters import InMemoryRateLimiter
from pydantic import BaseModel, SecretStr

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings, Timeouts

URL = "http://127.0.0.1:8080/v1"


class City(BaseModel):
    """A schema."""

    name: str


class ThinkingConfig(BaseModel):
    """Has the same form as `google.genai.types.ThinkingConfig`."""

    thinking_budget: int | None = None


class HarmCategory(str, Enum):
    """Has the same form as `google.genai.types.HarmCategory`."""

    HARM_CATEGORY_DANGEROUS_CONTENT = "HARM_CATEGORY_DANGEROUS_CONTENT"


class HarmBlockThreshold(str, Enum):
    """Has the same form as `google.genai.types.HarmBlockThreshold`."""

    BLOCK_NONE = "BLOCK_NONE"


class MediaResolution(str, Enum):
    """Has the same form as `google.genai.types.MediaResolution`."""

    MEDIA_RESOLUTION_LOW = "MEDIA_RESOLUTION_LOW"


class Modality(str, Enum):
    """Has the same form as `langchain_google_genai.Modality`."""

    TEXT = "TEXT"
    IMAGE = "IMAGE"


def get_api_key() -> str:
    """Return a key."""
    return "k"


async def get_api_key_later() -> str:
    """Return a key."""
    return "k"


def as_chat_openai() -> None:
    """Calls in the documentation of `ChatOpenAI`."""
    ChatGeminiCompat(model="gpt-5-nano")
    ChatGeminiCompat(model="gpt-5-nano", api_key="...")
    ChatGeminiCompat(model="gpt-5-nano", api_key=get_api_key)
    ChatGeminiCompat(model="gpt-5-nano", api_key=get_api_key_later)
    ChatGeminiCompat(model="...", temperature=0, max_tokens=None, timeout=None, max_retries=2)
    ChatGeminiCompat(model_name="gpt-3.5-turbo", temperature=0.7)
    ChatGeminiCompat(model="gpt-4o", openai_api_key="sk-...", openai_api_base="https://gateway.example/v1")
    ChatGeminiCompat(model="gpt-4o", api_key=SecretStr("sk-..."), base_url=URL)
    ChatGeminiCompat(model="o3-mini", reasoning_effort="low")
    ChatGeminiCompat(model="gpt-4o", service_tier="flex")
    ChatGeminiCompat(model="gpt-4o", model_kwargs={"prompt_cache_key": "user-1"})
    ChatGeminiCompat(model="gpt-4o", extra_body={"top_k": 40}, seed=7, n=2, logprobs=True, top_logprobs=3)
    ChatGeminiCompat(model="gpt-4o", stop=["\n"], presence_penalty=0.5, frequency_penalty=0.2, top_p=0.9)
    ChatGeminiCompat(model="gpt-4o", stop_sequences="END", max_completion_tokens=100, request_timeout=(3.0, 60.0))
    ChatGeminiCompat(model="gpt-4o", default_headers={"x-team": "blue"}, default_query={"api-version": "1"})
    ChatGeminiCompat(model="gpt-4o", http_client=httpx.Client(), http_async_client=httpx.AsyncClient())
    ChatGeminiCompat(model="gpt-4o", streaming=True, stream_usage=True, disable_streaming="tool_calling")
    ChatGeminiCompat(model="gpt-4o", rate_limiter=InMemoryRateLimiter(requests_per_second=0.1), cache=InMemoryCache())
    ChatGeminiCompat(model="gpt-4o", callbacks=[StdOutCallbackHandler()], tags=["a"], metadata={"a": 1}, verbose=True)
    ChatGeminiCompat(model="gpt-4o", timeout=httpx.Timeout(10.0, connect=2.0), max_retries=None, name="judge")
    ChatGeminiCompat(model="gpt-4o", output_version="v1", cache=False, custom_get_token_ids=lambda text: [len(text)])
    ChatGeminiCompat(model="gpt-4o", modalities=["text", "audio"])


def as_chat_google_generative_ai() -> None:
    """Calls in the documentation of `ChatGoogleGenerativeAI`."""
    ChatGeminiCompat(model="gemini-3.1-pro-preview", api_key="...")
    ChatGeminiCompat(model="gemini-3.1-pro-preview", google_api_key="...")
    ChatGeminiCompat(model="gemini-3.1-pro-preview", gemini_api_key=SecretStr("..."))
    ChatGeminiCompat(model="gemini-3.1-pro-preview", api_key="...", project="your-project-id", vertexai=True)
    ChatGeminiCompat(model="gemini-3.5-flash", project="your-project-id")
    ChatGeminiCompat(model="gemini-3.5-flash", temperature=1.0, max_tokens=None, timeout=None, max_retries=2)
    ChatGeminiCompat(model="gemini-3.5-flash", max_output_tokens=1024, retries=3, candidate_count=1)
    ChatGeminiCompat(model="gemini-3.5-flash", thinking_budget=1024, include_thoughts=True)
    ChatGeminiCompat(model="gemini-3.1-pro-preview", thinking_level="low")
    ChatGeminiCompat(model="gemini-2.5-flash", thinking_config={"thinking_budget": 0, "include_thoughts": False})
    ChatGeminiCompat(model="gemini-2.5-flash", thinking_config={"thinkingLevel": "low"})
    ChatGeminiCompat(model="gemini-2.5-flash", thinking_config=ThinkingConfig(thinking_budget=1))
    ChatGeminiCompat(model="gemini-3.5-flash", response_mime_type="application/json", response_schema=City)
    ChatGeminiCompat(model="gemini-3.5-flash", response_schema=City.model_json_schema())
    ChatGeminiCompat(model="gemini-3.5-flash", generation_config={"temperature": 0.1, "max_output_tokens": 8000})
    ChatGeminiCompat(model="gemini-3.5-flash", response_modalities=[Modality.TEXT, Modality.IMAGE])
    ChatGeminiCompat(model="gemini-3.5-flash", response_modalities=["TEXT", "IMAGE"])
    ChatGeminiCompat(model="gemini-3.5-flash", media_resolution=MediaResolution.MEDIA_RESOLUTION_LOW)
    ChatGeminiCompat(model="gemini-3.5-flash", media_resolution="MEDIA_RESOLUTION_LOW")
    ChatGeminiCompat(model="gemini-3.5-flash", cached_content="cachedContents/1", seed=7, additional_headers={"a": "b"})
    ChatGeminiCompat(model="gemini-3.5-flash", base_url="https://gateway.example", api_key="...")
    ChatGeminiCompat(model="gemini-3.5-flash", client_options={"api_endpoint": "https://gateway.example"})
    ChatGeminiCompat(model="gemini-3.5-flash", base_url={"api_endpoint": "https://gateway.example"}, api_key="...")
    ChatGeminiCompat(
        model="gemini-3.1-pro-preview",
        safety_settings={HarmCategory.HARM_CATEGORY_DANGEROUS_CONTENT: HarmBlockThreshold.BLOCK_NONE},
    )


def as_chat_vertex_ai(credentials: service_account.Credentials) -> None:
    """Calls in the documentation of `ChatVertexAI`."""
    ChatGeminiCompat(model_name="gemini-2.5-flash", project="p", location="us-central1")
    ChatGeminiCompat(model="gemini-2.5-flash", temperature=0, max_tokens=None, max_retries=6, stop=None)
    ChatGeminiCompat(model="gemini-2.5-flash", project="p", credentials=credentials, quota_project_id="q")
    ChatGeminiCompat(model="gemini-2.5-flash", project="p", api_endpoint="us-central1-aiplatform.googleapis.com")
    ChatGeminiCompat(model="gemini-2.5-flash", safety_settings=[{"category": "a", "threshold": "b"}], timeout=30)


def as_ours(credentials: AnonymousCredentials) -> None:
    """Calls that only this package has."""
    limits: Timeouts = {"first_byte": 60}
    ChatGeminiCompat(project="p", location="us-central1", endpoint_id="123")
    ChatGeminiCompat(model="m", surface="openai_compatible", base_url=URL, api_base=URL, strict=True)
    ChatGeminiCompat(model="m", credentials=credentials, api_version="v1beta1", endpoint_id=None)
    ChatGeminiCompat(model="m", timeout={"connect": 5, "total": None})
    ChatGeminiCompat(model="m", timeout=limits, request_timeout=timedelta(seconds=5), invalid_tool_calls="keep")
    ChatGeminiCompat(model="m", stream_function_call_arguments=True, thought_tag_marker="think")
    ChatGeminiCompat(model="m", extra_headers={"n": 5}, headers={"key": SecretStr("k")}, extra_query={"debug": True})
    GeminiCompatEmbeddings(model="gemini-embedding-001", api_key="...", dimensions=768)
    GeminiCompatEmbeddings(model="m", google_api_key="...", output_dimensionality=8, chunk_size=5, max_retries=None)
    GeminiCompatEmbeddings(model_name="m", base_url=URL, batch_size=5, max_concurrency=2, model_kwargs={"user": "me"})
