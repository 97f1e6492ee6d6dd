"""Turn token counts into the `usage` object of a surface.

Surfaces count thoughts differently (Google's examples page, captures of AI Studio). AI Studio adds thoughts only to the
total. Vertex AI does the same, and also sends the number of thought tokens in a separate field. OpenAI includes
thoughts in `completion_tokens`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.replies import Usage
from langchain_gemini_compat.testing._render.calls import arguments_text

if TYPE_CHECKING:
    from langchain_gemini_compat.testing._model.json_values import JsonObject
    from langchain_gemini_compat.testing._model.replies import Reply
    from langchain_gemini_compat.testing._render.context import RenderContext


def write_usage(reply: Reply, context: RenderContext, *, share: float = 1.0) -> JsonObject:
    """Return the `usage` object. `share` is the fraction of the reply that has been sent so far."""
    usage = reply.usage
    if usage is None:
        usage = _estimate(reply, context)
    if not isinstance(usage, Usage):
        return dict(usage)
    completion = round(usage.completion * share)
    written: JsonObject = {"prompt_tokens": usage.prompt}
    if usage.cached:
        written["prompt_tokens_details"] = {"cached_tokens": usage.cached}
    if context.surface == "openai_compatible":
        completion += usage.thoughts
        return {**written, "completion_tokens": completion, "total_tokens": usage.prompt + completion}
    written |= {"completion_tokens": completion, "total_tokens": usage.prompt + completion + usage.thoughts}
    if context.surface == "vertex":
        written["extra_properties"] = {"google": {"traffic_type": context.traffic_type}}
        if usage.thoughts:
            written["completion_tokens_details"] = {"reasoning_tokens": usage.thoughts}
    return written


def _estimate(reply: Reply, context: RenderContext) -> Usage:
    """Return estimated token counts. Four characters count as about one token."""
    said = reply.text + "".join(call.name + arguments_text(call) for call in reply.calls)
    tokens = 1120 if reply.image is not None else -(-len(said) // 4)
    return Usage(context.prompt_tokens, tokens, -(-len(reply.thoughts) // 4))
