"""Read from a request how to render its reply: surface, model, options, ids and signatures.

Ids are not random: they are derived from the messages of the request and the number of the reply. A test therefore
always gets the same bytes, and the calls of two replies never share an id.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

from langchain_gemini_compat.testing._model.json_values import as_text, dump, read_path
from langchain_gemini_compat.testing._model.replies import Style
from langchain_gemini_compat.testing._rules.body import place_google_fields
from langchain_gemini_compat.testing._rules.models import bare_name, rules_for
from langchain_gemini_compat.testing._rules.signatures import Issued, issue_signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_gemini_compat.testing._model.json_values import JsonObject, Surface
    from langchain_gemini_compat.testing._model.replies import Call

#: The header with which Vertex AI accepts a service tier. Source:
#: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo (read on 2026-11-29)
_TIER_HEADER = "x-vertex-ai-llm-shared-request-type"
_EPOCH = 1_790_000_000
_STUDIO = Style(
    index="absent",
    ids="present",
    names="once",
    args="whole",
    cut_every=12,
    calls_per_frame=1,
    finish="stop",
    signature="on_call",
    thoughts="flagged",
    tag_cut=False,
    usage="last",
    content="absent",
)
_VERTEX = replace(_STUDIO, index="right", ids="repeated", names="repeated", finish="tool_calls")
_COMPATIBLE = replace(_STUDIO, index="right", args="cut", finish="tool_calls", usage="trailer")


@dataclass(frozen=True, slots=True)
class RenderContext:
    """How the reply to one request is rendered.

    Attributes:
        surface: The surface whose dialect the reply has.
        model: The model of the request.
        number: The number of the reply, from 1.
        seed: A hash of the messages. Ids and signatures depend on it.
        stream: Whether the request asks for a stream.
        include_usage: Whether the request asks for usage in the stream.
        thought_tag: The tag around thoughts. `None`: thoughts are hidden. Empty: thoughts have no tags.
        streams_arguments: Whether the request asks for the arguments of calls in pieces.
        prompt_tokens: The estimated number of tokens of the messages.
        traffic_type: How Vertex AI bills the request.
    """

    surface: Surface
    model: str
    number: int
    seed: str
    stream: bool
    include_usage: bool
    thought_tag: str | None
    streams_arguments: bool
    prompt_tokens: int
    traffic_type: str

    @property
    def signs(self) -> bool:
        """Whether the model issues signatures on the surface. In captures, models before Gemini 3 issue none."""
        return self.surface != "openai_compatible" and rules_for(self.model).demands_signatures

    @property
    def reply_id(self) -> str:
        """The id of the reply: 22 characters on Google's surfaces, or `chatcmpl-` and 32 digits on other surfaces."""
        digest = self._digest("reply")
        if self.surface == "openai_compatible":
            return f"chatcmpl-{digest.hex()[:32]}"
        return urlsafe_b64encode(digest[:16]).decode().rstrip("=")

    @property
    def created(self) -> int:
        """The time of the reply in seconds since 1970. Each reply is one second later than the previous one."""
        return _EPOCH + self.number

    def call_id(self, call: Call, place: int) -> str:
        """Return the id of `call`, or a new id in the form of the surface if `call` has none.

        `place` is the index of the call.
        """
        if call.id is not None:
            return call.id
        digest = self._digest(f"call/{place}/{call.name}/{call.args}")
        if self.surface == "vertex":
            return f"function-call-{UUID(bytes=digest[:16])}"
        if self.surface == "openai_compatible":
            return f"chatcmpl-tool-{digest.hex()[:32]}"
        return f"call_{int.from_bytes(digest[:5], 'big') % 10**9:09d}"

    def signature(self, call: str = "", place: int = 0) -> str:
        """Return the signature of a tool call or of the text.

        `call` is the name of the called function, or empty for the text. `place` is the index of the call.
        """
        nonce = self._digest(f"signature/{place}/{call}").hex()
        return issue_signature(Issued(self.surface, bare_name(self.model), call, place, nonce))

    def _digest(self, what: str) -> bytes:
        return sha256(f"{self.seed}/{self.number}/{what}".encode()).digest()


def build_context(
    body: JsonObject, surface: Surface, number: int, headers: Mapping[str, str] | None = None
) -> RenderContext:
    """Return the context in which to render the reply to the request `body`.

    `number` counts the replies from 1. It is 0 for an answer that does not count as a reply, such as a refusal.
    `headers` are those of the request, with lowercase names.
    """
    body = place_google_fields(body, surface)
    messages = dump(body.get("messages"))
    google = ("extra_body", "google")
    return RenderContext(
        surface=surface,
        # The request to a self-deployed model may have no model name, but the reply always has one.
        model=as_text(body.get("model")) or "deployed-model",
        number=number,
        seed=sha256(messages.encode("utf-8", "surrogatepass")).hexdigest(),
        stream=body.get("stream") is True,
        include_usage=read_path(body, "stream_options", "include_usage") is True,
        thought_tag=_thought_tag(body, surface),
        streams_arguments=read_path(body, *google, "stream_function_call_arguments") is True,
        prompt_tokens=len(messages) // 4 + 1,
        traffic_type="ON_DEMAND_PRIORITY" if (headers or {}).get(_TIER_HEADER) == "priority" else "ON_DEMAND",
    )


def resolve_style(style: Style, context: RenderContext) -> Style:
    """Return `style` with the surface's default in each field that is `None`."""
    if context.surface == "ai_studio":
        defaults = _STUDIO
    elif context.surface == "openai_compatible":
        defaults = replace(_COMPATIBLE, thoughts="reasoning_content")
    elif context.streams_arguments:
        defaults = replace(_VERTEX, index="lying", args="cut")
    else:
        defaults = _VERTEX
    if context.surface == "vertex" and context.thought_tag == "":
        defaults = replace(defaults, thoughts="untagged")
    # Vertex AI sends usage in every stream. Other surfaces send usage only if the request asks for it.
    if context.surface != "vertex" and not context.include_usage:
        defaults = replace(defaults, usage="absent")
    given = {item.name: getattr(style, item.name) for item in fields(style)}
    return replace(defaults, **{name: value for name, value in given.items() if value is not None})


def _thought_tag(body: JsonObject, surface: Surface) -> str | None:
    if surface == "openai_compatible":
        return "think"
    google = read_path(body, "extra_body", "google")
    if read_path(google, "thinking_config", "include_thoughts") is not True:
        return None
    return "thought" if surface == "ai_studio" else as_text(read_path(google, "thought_tag_marker"))
