"""Token counts of the wire as counts that add up: input + output = total, in every mode.

Google's `completion_tokens` leave thoughts out; Vertex itemises them, AI Studio shows them only in the total.
Source: usage of Google's examples page (27 + 45 + 504 = 576) and captures of AI Studio (11 + 25 of 727).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_gemini_compat._wire import JsonObject, JsonValue, WireUsage


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one reply; `output_tokens` include `reasoning_tokens`, `input_tokens` include `cached_tokens`.

    `cached_tokens` and `reasoning_tokens` are `None` where the server says nothing of them.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    traffic_type: str | None = None

    @property
    def total_tokens(self) -> int:
        """Input plus output."""
        return self.input_tokens + self.output_tokens


def decode_usage(usage: WireUsage) -> Usage:
    """Reconcile the counts of `usage`, whichever of the servers' two meanings they have.

    >>> decode_usage({"prompt_tokens": 11, "completion_tokens": 25, "total_tokens": 727})
    Usage(input_tokens=11, output_tokens=716, cached_tokens=None, reasoning_tokens=691, traffic_type=None)
    """
    prompt = _count(usage.get("prompt_tokens")) or 0
    completion = _count(usage.get("completion_tokens")) or 0
    total = _count(usage.get("total_tokens"))
    itemised = _detail(usage.get("completion_tokens_details"), "reasoning_tokens")
    output, hidden = completion, 0
    if total is not None and total > prompt + completion:
        output = total - prompt
        hidden = output - completion
    elif total is None and itemised is not None and itemised > completion:
        # A count of thoughts above the count that should include them: this server excludes them.
        output = completion + itemised
    reasoning = itemised if itemised is not None else (hidden or None)
    cached = _detail(usage.get("prompt_tokens_details"), "cached_tokens")
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_tokens=None if cached is None else min(cached, prompt),
        reasoning_tokens=None if reasoning is None else min(reasoning, output),
        traffic_type=_traffic_type(usage.get("extra_properties")),
    )


def _count(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _detail(details: JsonObject | None, key: str) -> int | None:
    return _count(details.get(key)) if isinstance(details, dict) else None


def _traffic_type(extra: JsonObject | None) -> str | None:
    google = extra.get("google") if isinstance(extra, dict) else None
    traffic = google.get("traffic_type") if isinstance(google, dict) else None
    return traffic if isinstance(traffic, str) else None
