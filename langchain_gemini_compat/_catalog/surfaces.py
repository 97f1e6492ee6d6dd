"""Defines surfaces and endpoints: their URLs, their spelling of model names, and what they accept in a request.

This module does no I/O. Sources: Google's OpenAI-compatibility pages for Vertex AI and for the Gemini API. Vertex AI
ignores unknown body keys. AI Studio answers 400 to unknown body keys (seen for `store`, `seed` and others).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

from langchain_gemini_compat._catalog.models import bare_model_name, family_of

if TYPE_CHECKING:
    from langchain_gemini_compat._catalog.models import ModelFamily

Surface: TypeAlias = Literal["vertex", "ai_studio", "openai_compatible"]

AI_STUDIO_URL = "https://generativelanguage.googleapis.com/v1beta/openai"
DEFAULT_LOCATION = "global"
#: Placeholder in a base URL until google-auth has found the project.
PROJECT_PLACEHOLDER = "{project}"

#: The arguments that become segments of a URL. Each has a pattern of its valid values, and a description of them for
#: error messages.
_SEGMENTS = {
    "project": (
        re.compile(r"(?:[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+:)?[A-Za-z0-9][A-Za-z0-9_-]{0,62}"),
        "a project ID or number: letters, digits and hyphens. A domain may precede the ID: `example.com:my-project`",
    ),
    "location": (
        re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"),
        "a region, `us`, `eu` or `global`: lower-case letters, digits and hyphens, such as `us-central1`",
    ),
    "endpoint_id": (
        re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}"),
        "the last part of the endpoint's resource name: letters, digits, hyphens and underscores, such as `123`",
    ),
    "api_version": (re.compile(r"v[0-9][a-z0-9]{0,30}"), "a version such as `v1` or `v1beta1`"),
}
_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*")
#: Domains of all Google APIs, and of the dedicated endpoints of Vertex AI.
_GOOGLE_DOMAINS = (".googleapis.com", ".prediction.vertexai.goog")
#: Matches hosts of Vertex AI: public hosts, hosts for client certificates, and hosts for Private Service Connect. The
#: groups contain the location.
_VERTEX_HOST = re.compile(
    r"(?:(?P<region>[a-z]+-[a-z]+[0-9]+)-|(?:[a-z0-9-]+-)?)?aiplatform(?:\.(?P<multi_region>[a-z]+)\.rep)?"
    r"(?:\.mtls)?(?:-[a-z0-9-]+)?(?:\.p)?\.googleapis\.com"
)
#: Matches hosts that serve all Google APIs inside a private network.
_SHARED_HOST = re.compile(r"(?:[a-z0-9-]+\.p|private|restricted)\.googleapis\.com")
#: Matches the host of one dedicated endpoint: its ID, its location, and the number of its project.
_DEDICATED_HOST = re.compile(
    r"(?P<endpoint>[a-z0-9-]+)\.(?P<region>[a-z]+-[a-z]+[0-9]+)-(?P<project>[0-9]+)\.prediction\.vertexai\.goog"
)
#: Matches the beginning of an endpoint's path, at most up to `/endpoints`, such as `/v1/projects/p`.
_PATH_BEGINNING = re.compile(
    r"(?P<root>(?:/v[0-9][a-z0-9]{0,30})?)"
    r"(?:/projects(?:/(?P<project>[\w.:-]+)(?:/locations(?:/(?P<location>[\w-]+)(?:/endpoints)?)?)?)?)?"
)
#: Matches `/endpoints/ID` in a path if the ID is that of your own endpoint.
_OWN_ENDPOINT = re.compile(r"/endpoints/(?!openapi(?:/|$))(?P<endpoint>[^/]+)")
_RESOURCE = re.compile(
    r"(?:/v[0-9][a-z0-9]{0,30})?/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)(?:/endpoints/(?P<endpoint_id>[^/]+))?"
)

_COMMON_KEYS = frozenset(
    {
        "model", "messages", "stream", "temperature", "top_p", "max_tokens", "n", "stop", "response_format",
        "tools", "tool_choice", "reasoning_effort", "extra_body",
    }
)  # fmt: skip
#: Body keys that each Google surface accepts. Other servers may accept any key.
BODY_KEYS: dict[Surface, frozenset[str] | None] = {
    "vertex": _COMMON_KEYS
    | {"max_completion_tokens", "seed", "frequency_penalty", "presence_penalty", "web_search_options", "modalities"},
    "ai_studio": _COMMON_KEYS | {"stream_options", "service_tier"},
    "openai_compatible": None,
}
#: Keys that each Google surface accepts under `extra_body.google` in a chat request.
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
#: Values of `reasoning_effort` that each Google surface accepts. Vertex AI's page lists low, medium and high. Three
#: error messages of 2026 (status 400) list five values: "Expected 'reasoning_effort' to be one of:
#: 'high','low','max','medium','minimal'".
_EFFORTS: dict[Surface, frozenset[str] | None] = {
    "vertex": frozenset({"minimal", "low", "medium", "high", "max"}),
    "ai_studio": frozenset({"none", "minimal", "low", "medium", "high"}),
    "openai_compatible": None,
}
#: The only values of `reasoning_effort` that are sent to Vertex AI for models with a thinking budget. Vertex AI's page
#: maps these values to budgets.
_VERTEX_BUDGET_EFFORTS = frozenset({"low", "medium", "high"})
#: The HTTP header in which Vertex AI expects `service_tier="priority"`. No source shows that the header works for other
#: tiers on the compatible endpoint. Source for `priority`:
#: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo
TIER_HEADER = "X-Vertex-AI-LLM-Shared-Request-Type"
#: Prefixes of the MIME types of Office and OpenDocument files.
_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
OFFICE_TYPES = frozenset(
    {
        f"{_OFFICE}wordprocessingml.document", f"{_OFFICE}spreadsheetml.sheet", f"{_OFFICE}presentationml.presentation",
        f"{_OPEN_DOCUMENT}text", f"{_OPEN_DOCUMENT}spreadsheet", f"{_OPEN_DOCUMENT}presentation",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address to which requests are sent, and what a request to this address may contain."""

    surface: Surface
    base_url: str
    #: The model's name as this endpoint spells it. It is empty if the endpoint needs no name.
    model: str
    #: Whether the model is your own deployment on Vertex AI. It accepts OpenAI requests without Google's fields.
    self_deployed: bool = False
    #: Path of the caller's file with facts about models; `None` if there is none.
    catalog: str | None = None

    @property
    def family(self) -> ModelFamily:
        """The facts about the model, with the caller's corrections."""
        return family_of(self.model, self.catalog)

    @property
    def speaks_gemini(self) -> bool:
        """Whether `surface` is one of Google's, and the model is not your own deployment.

        Google's rules for requests then apply, even if a gateway is in front of Google.
        """
        return self.surface != "openai_compatible" and not self.self_deployed

    @property
    def dialect(self) -> Surface:
        """The surface whose request format applies; `openai_compatible` for a self-deployed model."""
        return "openai_compatible" if self.self_deployed else self.surface

    @property
    def body_keys(self) -> frozenset[str] | None:
        """Keys that the request body may have; `None` for any."""
        return BODY_KEYS[self.dialect]

    @property
    def google_keys(self) -> frozenset[str] | None:
        """Keys that `extra_body.google` may have in a chat request; `None` for any."""
        return GOOGLE_KEYS[self.dialect]

    @property
    def needs_model(self) -> bool:
        """Whether requests must name the model. Your own endpoint on Vertex AI serves one model and needs no name."""
        return not self.self_deployed and not (is_google_host(self.base_url) and _own_endpoint(self.base_url))

    @property
    def name(self) -> str:
        """The model's name. For an endpoint without a model name: `endpoints/ID`, or the host if there is no ID."""
        if self.model:
            return self.model
        endpoint = _own_endpoint(self.base_url)
        return f"endpoints/{endpoint}" if endpoint else self.host

    @property
    def takes_calls_without_credentials(self) -> bool:
        """Whether a request without a key or token can succeed."""
        return self.surface == "openai_compatible"

    @property
    def needs_api_key(self) -> bool:
        """Whether requests need an API key if no `credentials` are given."""
        return self.surface == "ai_studio"

    @property
    def uses_default_credentials(self) -> bool:
        """Whether application default credentials are used if neither a key nor `credentials` are given."""
        return self.surface == "vertex"

    @property
    def key_variable(self) -> str:
        """The environment variable from which LangChain's `load` reads the API key of Google or of a gateway."""
        return "GOOGLE_API_KEY" if self.surface == "ai_studio" else "GEMINI_COMPAT_API_KEY"

    @property
    def serves_embeddings(self) -> bool:
        """Whether the surface has `/embeddings`."""
        return self.surface != "vertex"

    @property
    def takes_empty_texts(self) -> bool:
        """Whether an empty text can be embedded. Google refuses empty texts."""
        return self.surface == "openai_compatible"

    @property
    def always_streams_usage(self) -> bool:
        """Whether a stream has token counts without `stream_options`. Vertex AI ignores that key."""
        return self.dialect == "vertex"

    @property
    def takes_files_by_url(self) -> bool:
        """Whether the server reads audio, video and documents from `https:` and `gs:` URLs, and images from `gs:` URLs.

        Check this property for Google's surfaces only, because it is not known which URLs a gateway accepts.
        """
        return self.dialect == "vertex"

    @property
    def takes_plain_image_url(self) -> bool:
        """Whether `image_url` may be a string instead of an object."""
        return self.dialect == "vertex"

    @property
    def takes_validated_choice(self) -> bool:
        """Whether `tool_choice="validated"` is sent. Among Google's surfaces, only Vertex AI documents it."""
        return self.surface != "ai_studio"

    @property
    def takes_thinking_config_beside_effort(self) -> bool:
        """Whether one request may have both `reasoning_effort` and a `thinking_config`."""
        return self.dialect != "vertex"

    @property
    def takes_tier_as_header(self) -> bool:
        """Whether `service_tier` is a header of the request instead of a key of its body."""
        return self.dialect == "vertex"

    @property
    def needs_thought_marker(self) -> bool:
        """Whether `thought_tag_marker` must be sent, so that thoughts arrive between tags."""
        return self.dialect == "vertex"

    def takes_efforts(self, family: ModelFamily) -> bool:
        """Whether at least one value of `reasoning_effort` is accepted for the model."""
        return self.dialect != "ai_studio" or family.takes_effort_on_ai_studio

    def takes_effort(self, effort: str, family: ModelFamily) -> bool:
        """Whether `effort` is a `reasoning_effort` that the surface accepts. A model may accept fewer values."""
        if not self.takes_efforts(family):
            return False
        counts_tokens = self.dialect == "vertex" and family.thinking == "budget"
        known = _VERTEX_BUDGET_EFFORTS if counts_tokens else _EFFORTS[self.dialect]
        return known is None or effort in known

    def may_stop_thinking(self, family: ModelFamily) -> bool:
        """Whether a thinking budget of 0 is accepted and switches thinking off."""
        return family.may_stop_thinking or (self.dialect == "vertex" and family.may_stop_thinking_on_vertex)

    def takes_several_candidates(self, family: ModelFamily) -> bool:
        """Whether `n` above 1 is accepted. Vertex AI accepts it only for models other than Gemini."""
        return not self.speaks_gemini or (self.surface == "vertex" and not family.is_gemini)

    def takes_text_beside_calls(self, family: ModelFamily) -> bool:
        """Whether an assistant message may have both text and tool calls."""
        return self.dialect != "vertex" or family.text_beside_calls

    def takes_json_beside_functions(self, family: ModelFamily) -> bool:
        """Whether a request may have both a JSON `response_format` and function declarations."""
        return not self.speaks_gemini or family.takes_json_beside_functions

    def takes_media_in_results(self, family: ModelFamily) -> bool:
        """Whether a tool result may contain media in its `extra_content`."""
        return self.dialect == "vertex" and family.takes_media_in_results

    def takes_office_files(self, family: ModelFamily) -> bool:
        """Whether the model reads Office and OpenDocument files."""
        return self.dialect == "vertex" and not OFFICE_TYPES.isdisjoint(family.result_types)

    def takes_in_result(self, mime_type: str | None, family: ModelFamily) -> bool:
        """Whether a tool result may contain media of this MIME type in its `extra_content`."""
        return self.takes_media_in_results(family) and mime_type in family.result_types

    def may_be_reached_as(self, surface: object) -> bool:
        """Whether this server may be configured with this value of the argument `surface`.

        A gateway can be configured as `openai_compatible` or as one of Google's surfaces.
        """
        return surface == self.surface or "openai_compatible" in (surface, self.surface)

    @property
    def is_google(self) -> bool:
        """Whether the host is Google's and the model is not your own deployment.

        Message keys that only gateways use are not sent to such an endpoint.
        """
        return not self.self_deployed and _is_in_google_domain(self.base_url)

    @property
    def host(self) -> str:
        """The host and port that identify the server. For your own deployment, also the path of the URL.

        One Vertex AI host serves many deployments, so the host alone does not identify a deployment.
        """
        url = urlsplit(self.base_url)
        return f"{url.netloc}{url.path}" if self.self_deployed else url.netloc

    def with_model(self, model: str) -> Endpoint:
        """Return a copy of the endpoint with another model.

        `model` may be empty, or may have one of Google's prefixes, such as `google/`.
        """
        name = model if self.self_deployed or not model else _spell_model(self.surface, model)
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
    keeps_path: bool = False,
) -> Endpoint:
    """Return the endpoint for these arguments.

    On Vertex AI, the path of the endpoint is added to a `base_url` without a path, unless `keeps_path` is true.

    Raises:
        ValueError: An argument is not valid, `base_url` is missing, or `model` is missing and the endpoint needs it.

    >>> build_endpoint(surface="vertex", model="gemini-3.8-flash", project="p", location="eu",
    ...                endpoint_id=None, base_url=None, api_version="v1").base_url
    'https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/endpoints/openapi'
    """
    for name, value in (("project", project), ("location", location), ("endpoint_id", endpoint_id)):
        if value is not None:
            check_segment(name, value)
    check_segment("api_version", api_version)
    if base_url is not None and surface == "vertex" and not keeps_path and _lacks_vertex_path(base_url):
        host = _DEDICATED_HOST.fullmatch(urlsplit(base_url).hostname or "")
        endpoint_id = endpoint_id or (host["endpoint"] if host else None)
        root, base_url = _cut_resource(_trim(base_url)), None
    else:
        root = ""
    return _build_endpoint(surface, model, project, location, endpoint_id, base_url, api_version, root)


# Cached because some applications construct the same model for each request.
@lru_cache(maxsize=128)
def _build_endpoint(
    surface: Surface,
    model: str,
    project: str | None,
    location: str | None,
    endpoint_id: str | None,
    base_url: str | None,
    api_version: str,
    root: str,
) -> Endpoint:
    if base_url is None:
        if surface == "openai_compatible":
            raise ValueError(
                '`surface="openai_compatible"` needs `base_url`. Pass the URL up to, but without, `/chat/completions`.'
            )
        if surface == "ai_studio":
            base_url = AI_STUDIO_URL
        else:
            base_url = _vertex_url(root, project, location, endpoint_id, api_version)
    base_url = _trim(base_url)
    # The endpoint ID `openapi` selects Google's shared endpoint, not an endpoint of your own.
    own = endpoint_id not in (None, "openapi") or (surface == "vertex" and _names_own_endpoint(base_url))
    endpoint = Endpoint(surface, base_url, "", self_deployed=own).with_model(model)
    if not model and endpoint.needs_model:
        raise ValueError(
            '`model` is missing: pass the name of a model, such as `model="gemini-3.8-flash"`. Only a Vertex AI '
            "endpoint of your own (`endpoint_id`) works without a name."
        )
    return endpoint


def recognise_surface(
    *, base_url: str | None, has_vertex_arguments: bool, has_api_key: bool, has_project_in_environment: bool
) -> Surface:
    """Return the surface that these arguments select. Raise `ValueError` if they select none."""
    if base_url is not None:
        if leads_to_vertex(base_url, has_vertex_arguments=has_vertex_arguments):
            return "vertex"
        if urlsplit(_trim(base_url)).path.endswith("/v1beta/openai"):
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


def check_segment(name: str, value: object, source: str = "") -> None:
    """Raise `ValueError` unless `value` is one plain URL segment that is valid for the argument `name`.

    Without this check, a value such as `attacker.example/#` would choose the host that gets the credential. The error
    does not quote the value. `source` is the name of the environment variable with the value, or empty.
    """
    pattern, allowed = _SEGMENTS[name]
    if not isinstance(value, str) or not pattern.fullmatch(value):
        found = f" (from the environment variable {source})" if source else ""
        raise ValueError(f"`{name}`{found} is not valid. Set it to {allowed}.")


@lru_cache(maxsize=64)
def _is_in_google_domain(base_url: str) -> bool:
    """Whether the host of `base_url` is Google's.

    The result is cached, because encoding a history needs the result for each message. Without the cache, this function
    took 9 % of the time of encoding.
    """
    return (urlsplit(base_url).hostname or "").endswith(_GOOGLE_DOMAINS)


def is_google_host(base_url: str) -> bool:
    """Whether `base_url` leads to one of Google's own API hosts, over TLS."""
    url = urlsplit(base_url)
    host = url.hostname or ""
    return url.scheme == "https" and bool(_HOST.fullmatch(host)) and host.endswith(_GOOGLE_DOMAINS)


def is_encrypted_or_loopback(base_url: str) -> bool:
    """Whether `base_url` is an `https` URL or its host is this machine."""
    url = urlsplit(base_url)
    return url.scheme == "https" or url.hostname in ("localhost", "127.0.0.1", "::1")


def is_bare_vertex_host(base_url: str, *, has_vertex_arguments: bool) -> bool:
    """Whether `base_url` is a host of Vertex AI without the path of an endpoint, as for Private Service Connect."""
    return _is_vertex_host(base_url, takes_shared=has_vertex_arguments) and _is_bare(base_url)


def leads_to_vertex(base_url: str, *, has_vertex_arguments: bool) -> bool:
    """Whether `base_url` is an address of Vertex AI, or of a server in front of Vertex AI."""
    url = urlsplit(_trim(base_url))
    if url.path.endswith("/endpoints/openapi"):
        return True
    if is_bare_vertex_host(base_url, has_vertex_arguments=has_vertex_arguments):
        return True
    resource = _RESOURCE.match(url.path)
    if resource is None or not _is_vertex_host(base_url, takes_shared=True):
        return False
    # On Vertex AI's public host, a `base_url` with `/endpoints/ID` (your own endpoint) counts as a compatible server.
    return not (resource["endpoint_id"] and (url.hostname or "").endswith("aiplatform.googleapis.com"))


def _is_vertex_host(base_url: str, *, takes_shared: bool) -> bool:
    """Whether the host is Vertex AI's.

    If `takes_shared` is true, the result is also true for hosts that serve all Google APIs.
    """
    host = urlsplit(base_url).hostname or ""
    hosts = (_VERTEX_HOST, _DEDICATED_HOST, *([_SHARED_HOST] if takes_shared else []))
    return any(pattern.fullmatch(host) for pattern in hosts)


def _lacks_vertex_path(base_url: str) -> bool:
    """Whether the path of a Vertex AI endpoint is missing in `base_url`.

    If the host is not Google's, any path may lead to an endpoint, so only an empty path counts as missing.
    """
    url = urlsplit(_trim(base_url))
    return not url.path or (is_google_host(base_url) and _is_bare(base_url))


def find_location(base_url: str) -> str | None:
    """Return the location in the path of `base_url`, else in its Vertex AI host; `None` if neither contains one."""
    url = urlsplit(_trim(base_url))
    path = _PATH_BEGINNING.fullmatch(url.path)
    if path and path["location"]:
        return path["location"]
    dedicated = _DEDICATED_HOST.fullmatch(url.hostname or "")
    if dedicated:
        return dedicated["region"]
    match = _VERTEX_HOST.fullmatch(url.hostname or "")
    return (match["region"] or match["multi_region"]) if match else None


def find_project(base_url: str) -> str | None:
    """Return the project in the path of `base_url`, else in its dedicated host; `None` if neither contains one."""
    url = urlsplit(_trim(base_url))
    path = _PATH_BEGINNING.fullmatch(url.path)
    if path and path["project"]:
        return path["project"]
    dedicated = _DEDICATED_HOST.fullmatch(url.hostname or "")
    return dedicated["project"] if dedicated else None


def read_place(base_url: str) -> dict[str, str]:
    """Return the project, location and endpoint ID that the path of `base_url` contains."""
    path = urlsplit(_trim(base_url)).path
    match = _RESOURCE.match(path) or _PATH_BEGINNING.fullmatch(path)
    return {name: value for name, value in match.groupdict().items() if value and name != "root"} if match else {}


def _cut_resource(base_url: str) -> str:
    """Return `base_url` without the part of its path that follows the API version."""
    url = urlsplit(base_url)
    path = _PATH_BEGINNING.fullmatch(url.path)
    return f"{base_url[: len(base_url) - len(url.path)]}{path['root']}" if path else base_url


def _is_bare(base_url: str) -> bool:
    return bool(_PATH_BEGINNING.fullmatch(urlsplit(_trim(base_url)).path))


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
    # Multi-regions have hosts of their own. `us-aiplatform…` answers 400 "Invalid hostname".
    if location in ("us", "eu"):
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def _vertex_url(
    base_url: str, project: str | None, location: str | None, endpoint_id: str | None, api_version: str
) -> str:
    """Return the base URL of an endpoint on Vertex AI.

    `base_url` may end in an API version and has no other path. If `base_url` is empty, use the public host of the
    location.
    """
    place = location or find_location(base_url) or DEFAULT_LOCATION
    path = f"projects/{project or PROJECT_PLACEHOLDER}/locations/{place}/endpoints/{endpoint_id or 'openapi'}"
    root = base_url or f"https://{_vertex_host(place)}"
    return f"{root}/{path}" if urlsplit(root).path else f"{root}/{api_version}/{path}"


def _names_own_endpoint(base_url: str) -> bool:
    path = urlsplit(base_url).path.rstrip("/")
    return "/endpoints/" in path and not path.endswith("/endpoints/openapi")


def _own_endpoint(base_url: str) -> str:
    """Return the ID of your own Vertex AI endpoint in the path of `base_url`, else in its dedicated host, else `""`."""
    url = urlsplit(base_url)
    found = _OWN_ENDPOINT.search(url.path)
    if found:
        return found["endpoint"]
    dedicated = _DEDICATED_HOST.fullmatch(url.hostname or "")
    return dedicated["endpoint"] if dedicated else ""
