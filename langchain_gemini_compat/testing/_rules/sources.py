"""The source of each rule of the fake endpoint, by the name of the rule.

A source is a page that documents the rule, or a public report or capture of a server's refusal. For compatible servers,
a rule has the name of Google's rule, and the source https://platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: Three texts that `SOURCES` contains in place of a URL, for rules whose source has no URL.
OUR_CONCLUSION = "our conclusion: no source shows the refusal"
CAPTURE = "a public capture of 2026 without a lasting address"
THE_FAKE = "the fake itself"

_GITHUB = "https://github.com/"
_VERTEX = "https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/migrate/openai/overview"
_STUDIO = "https://ai.google.dev/gemini-api/docs/openai"
_SIGNATURES = "https://ai.google.dev/gemini-api/docs/thought-signatures"
_THINKING = "https://ai.google.dev/gemini-api/docs/thinking"
_HYDROGEN = "https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/guides/gemini-4-hydrogen"
_BATCHES = (_STUDIO, "https://platform.openai.com/docs/guides/batch")
_EMPTY = (f"{_GITHUB}Portkey-AI/gateway/issues/462", f"{_GITHUB}langchain-ai/langchain-google/pull/1935")
_ORDER = (f"{_GITHUB}google-gemini/gemini-cli/issues/26486",)
_COUNT = (f"{_GITHUB}microsoft/vscode/issues/299295",)
#: The page of Vertex AI that documents the `parameters` of a function as an OpenAPI schema.
_OPENAPI = (_VERTEX,)

SOURCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "batch-custom-id": _BATCHES,
        "batch-empty": _BATCHES,
        "batch-endpoint": _BATCHES,
        "batch-file": _BATCHES,
        "batch-json": _BATCHES,
        "batch-model": _BATCHES,
        "batch-size": (f"{_GITHUB}geldata/gel/issues/9032",),
        "batch-stream": _BATCHES,
        "batch-url": _BATCHES,
        "batch-window": _BATCHES,
        "cached-content": (_HYDROGEN,),
        "call-arguments": (CAPTURE,),
        "call-id": (OUR_CONCLUSION,),
        "call-name": (OUR_CONCLUSION,),
        "call-order": _ORDER,
        "dimensions": ("https://ai.google.dev/gemini-api/docs/embeddings",),
        "empty-content": _EMPTY,
        "empty-text": _EMPTY,
        "empty-tools": (OUR_CONCLUSION,),
        "function-name": ("https://ai.google.dev/api/python/google/generativeai/protos/FunctionCall",),
        "function-twice": (OUR_CONCLUSION,),
        "gs-url": (OUR_CONCLUSION,),
        "json": (OUR_CONCLUSION,),
        "max-tokens": (CAPTURE, _HYDROGEN),
        "media-type": (
            f"{_GITHUB}google/adk-python/issues/5693",
            f"{_GITHUB}epam/ai-dial-adapter-vertexai/issues/148",
        ),
        "model-kind": ("https://pypi.org/project/litellm/1.110.2/",),
        "model-location": (f"{_GITHUB}google-gemini/gemini-cli/issues/14262", _HYDROGEN),
        "model-name": (CAPTURE, _VERTEX),
        "n": (CAPTURE,),
        "no-contents": (f"{_GITHUB}langchain-ai/langchain-google/issues/1351",),
        "orphan-result": _COUNT,
        "part-type": (_VERTEX, _STUDIO),
        "penalty": (
            f"{_GITHUB}Ikalus1988/MisakaNet/issues/1473",
            f"{_GITHUB}PublicAffairs/openai-gemini/issues/63",
        ),
        "placeholder-misplaced": (OUR_CONCLUSION,),
        "response-format": (_VERTEX,),
        "result-media": ("https://pypi.org/project/pydantic-ai-slim/2.68.0/", _HYDROGEN),
        "result-name": (
            f"{_GITHUB}NousResearch/hermes-agent/pull/19728",
            f"{_GITHUB}openclaw/openclaw/issues/47857",
        ),
        "result-order": _ORDER,
        "result-reference": (
            f"{_GITHUB}BerriAI/litellm/issues/38223",
            f"{_GITHUB}vercel/ai/issues/14369",
        ),
        "role": (_VERTEX,),
        "schema": (f"{_GITHUB}langchain-ai/langchain-google/issues/1216", *_OPENAPI),
        "schema-empty": (CAPTURE,),
        "schema-enum": _OPENAPI,
        "schema-format": (CAPTURE,),
        "schema-items": _OPENAPI,
        "schema-required": _OPENAPI,
        "schema-type": _OPENAPI,
        "schema-value": _OPENAPI,
        "signature-invalid": (_SIGNATURES, f"{_GITHUB}decolua/9router/issues/4136"),
        "signature-missing": (
            _SIGNATURES,
            f"{_GITHUB}manthanabc/paws/issues/103",
            f"{_GITHUB}openai/openai-agents-python/issues/2137",
        ),
        "test-code": (THE_FAKE,),
        "text-beside-calls": (f"{_GITHUB}NousResearch/hermes-agent/issues/69231",),
        "thinking-budget": (_THINKING, f"{_GITHUB}RooCodeInc/Roo-Code/issues/4399"),
        "thinking-level": (
            _THINKING,
            f"{_GITHUB}BerriAI/litellm/issues/37314",
            f"{_GITHUB}Kilo-Org/kilocode/pull/12149",
        ),
        "thinking-twice": (_VERTEX, _STUDIO),
        "thinking-unsupported": (_THINKING,),
        "tool-choice": (_VERTEX,),
        "tool-type": (_VERTEX, _STUDIO),
        "trailing-assistant": (f"{_GITHUB}envoyproxy/ai-gateway/pull/2686",),
        "unanswered-call": _COUNT,
        "unknown-field": (
            f"{_GITHUB}Vali-98/ChatterUI/issues/227",
            f"{_GITHUB}zed-industries/zed/issues/44875",
        ),
    }
)
