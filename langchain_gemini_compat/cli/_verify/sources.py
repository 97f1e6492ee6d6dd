"""The sources of the claims."""

from __future__ import annotations

from langchain_gemini_compat.cli._verify.probe import Source

_VERTEX = "https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/migrate/openai"
#: Google's pages about the OpenAI-compatible API.
VERTEX_OVERVIEW = Source("documented", f"{_VERTEX}/overview")
VERTEX_EXAMPLES = Source("documented", f"{_VERTEX}/examples")
STUDIO = Source("documented", "https://ai.google.dev/gemini-api/docs/openai")
SIGNATURES = Source("documented", "https://ai.google.dev/gemini-api/docs/thought-signatures")
THINKING = Source("documented", "https://ai.google.dev/gemini-api/docs/thinking")
OPENAI = Source("documented", "https://platform.openai.com/docs/api-reference/chat")
#: For claims that no page or report states. They are our conclusion from the sources of related features.
UNTRIED = Source("untried", "our conclusion")


def observed(place: str) -> Source:
    """Return the source of a claim that others observed and published.

    `place` is the URL of their report, or a description.
    """
    return Source("observed", place)
