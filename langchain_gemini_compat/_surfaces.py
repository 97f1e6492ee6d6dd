"""Where a request goes and what that place takes: URLs, model names, body keys. Pure: arguments in, facts out.

Sources: Google's OpenAI-compatibility pages for Vertex AI and for the Gemini API. Vertex ignores body keys it
does not know, AI Studio answers 400 to them (seen for `store`, `seed`, `frequency_penalty` and others).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from langchain_gemini_compat._families import bare_model_name

Surface: TypeAlias = Literal["vertex", "ai_studio", "openai_compatible"]

AI_STUDIO_URL = "https://generativelanguage.googleapis.com/v1beta/openai"
DEFAULT_LOCATION = "global"
#: Stands in a base URL until google-auth has said which project it is.
PROJECT_PLACEHOLDER = "{project}"

_COMMON_KEYS = frozenset(
    {
        "model", "messages", "stream", "temperature", "top_p", "max_tokens", "n", "stop", "response_format",
        "tools", "tool_choice", "reasoning_effort", "extra_body",
    }
)  # fmt: skip
#: Body keys each Google surface takes; the third surface takes whatever it is given.
BODY_KEYS: dict[Surface, frozenset[str] | None] = {
    "vertex": _COMMON_KEYS
    | {"max_completion_tokens", "seed", "frequency_penalty", "presence_penalty", "web_search_options", "modalities"},
    "ai_studio": _COMMON_KEYS | {"stream_options", "service_tier"},
    "openai_compatible": None,
}
#: Keys under `extra_body.google` that a surface takes for chat; `None` again: whatever it is given.
GOOGLE_KEYS: dict[Surface, frozenset[str] | None] = {
    "vertex": frozenset(
        {
            "safety_settings", "cached_content", "thinking_config", "thought_tag_marker",
            "stream_function_call_arguments", "tools", "media_resolution",
        }
    ),
    "ai_studio": frozenset({"safety_settings", "cached_content", "thinking_config", "tools"}),
    "openai_compatible": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place to send requests to; `model` is the name as that place spells it."""

    surface: Surface
    base_url: str
    model: str
    #: Self-deployed models on Vertex speak plain OpenAI: nothing of Google's is added for them.
    self_deployed: bool = False

    @property
    def speaks_gemini(self) -> bool:
        """Google itself answers: its rules about signatures, turns and schemas hold."""
        return self.surface != "openai_compatible" and not self.self_deployed

    @property
    def host(self) -> str:
        """Host and port of the base URL; tells one gateway from another."""
        return urlsplit(self.base_url).netloc

    def with_model(self, model: str) -> Endpoint:
        """The same place for another model, however the caller spells its name."""
        name = model if self.self_deployed else _spell_model(self.surface, model)
        return replace(self, model=name)


def build_endpoint(
    *,
    surface: Surface,
    model: str,
    project: str | None,
    location: str | None,
    endpoint_id: str | None,
    base_url: str | None,
    api_version: str,
) -> Endpoint:
    """The place that these arguments name; raises `ValueError` where `surface` needs a `base_url` and has none.

    >>> build_endpoint(surface="vertex", model="gemini-3.8-flash", project="p", location="eu",
    ...                endpoint_id=None, base_url=None, api_version="v1").base_url
    'https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/endpoints/openapi'
    """
    return _build_endpoint(surface, model, project, location, endpoint_id, base_url, api_version)


# Applications make the same model again and again, some for each request.
@lru_cache(maxsize=128)
def _build_endpoint(
    surface: Surface,
    model: str,
    project: str | None,
    location: str | None,
    endpoint_id: str | None,
    base_url: str | None,
    api_version: str,
) -> Endpoint:
    if base_url is None:
        if surface == "openai_compatible":
            raise ValueError('`surface="openai_compatible"` needs a `base_url`: up to and without `/chat/completions`.')
        base_url = AI_STUDIO_URL if surface == "ai_studio" else _vertex_url(project, location, endpoint_id, api_version)
    base_url = _trim(base_url)
    own = bool(endpoint_id) or (surface == "vertex" and _names_own_endpoint(base_url))
    return Endpoint(surface, base_url, "", self_deployed=own).with_model(model)


def recognise_surface(
    *, base_url: str | None, has_vertex_arguments: bool, has_api_key: bool, has_project_in_environment: bool
) -> Surface:
    """The surface these arguments mean; raises `ValueError` when they mean none."""
    if base_url is not None:
        path = urlsplit(_trim(base_url)).path
        if path.endswith("/endpoints/openapi"):
            return "vertex"
        if path.endswith("/v1beta/openai"):
            return "ai_studio"
        return "openai_compatible"
    if has_vertex_arguments:
        return "vertex"
    if has_api_key:
        return "ai_studio"
    if has_project_in_environment:
        return "vertex"
    raise ValueError(
        "No endpoint: give `api_key` (or set GOOGLE_API_KEY or GEMINI_API_KEY) for AI Studio, `project` (or set "
        "GOOGLE_CLOUD_PROJECT) for Vertex AI, or `base_url` for any other compatible server."
    )


def _trim(base_url: str) -> str:
    path = base_url.rstrip("/")
    return path.removesuffix("/chat/completions").removesuffix("/embeddings").rstrip("/")


def _spell_model(surface: Surface, model: str) -> str:
    if surface == "openai_compatible":
        return model
    bare = bare_model_name(model)
    if surface == "ai_studio" or "/" in bare:
        return bare
    return f"google/{bare}"


def _vertex_host(location: str) -> str:
    if location == "global":
        return "aiplatform.googleapis.com"
    # The multi-regions have hosts of their own; `us-aiplatform…` is a 400 "Invalid hostname".
    if location in ("us", "eu"):
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def _vertex_url(project: str | None, location: str | None, endpoint_id: str | None, api_version: str) -> str:
    place = location or DEFAULT_LOCATION
    path = f"projects/{project or PROJECT_PLACEHOLDER}/locations/{place}/endpoints/{endpoint_id or 'openapi'}"
    return f"https://{_vertex_host(place)}/{api_version}/{path}"


def _names_own_endpoint(base_url: str) -> bool:
    path = urlsplit(base_url).path.rstrip("/")
    return "/endpoints/" in path and not path.endswith("/endpoints/openapi")
