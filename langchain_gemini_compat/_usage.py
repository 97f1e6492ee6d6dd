"""Token counts of the wire as counts that add up: input + output = total, in every mode.

Google's `completion_tokens` leave thoughts out; Vertex itemises them, AI Studio shows them only in the total.
Source: usage of Google's examples page (27 + 45 + 504 = 576) and captures of AI Studio (11 + 25 of 727).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_gemini_compat._wire import object_at, text_at

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A count above this is none.
_MOST = 2**53


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


def decode_usage(usage: Mapping[str, object]) -> Usage:
    """Reconcile the counts of a wire `usage`, whichever of the servers' two meanings they have.

    >>> decode_usage({"prompt_tokens": 11, "completion_tokens": 25, "total_tokens": 727})
    Usage(input_tokens=11, output_tokens=716, cached_tokens=None, reasoning_tokens=691, traffic_type=None)
    """
    prompt = _count(usage, "prompt_tokens") or 0
    completion = _count(usage, "completion_tokens")
    total = _count(usage, "total_tokens")
    reasoning = _count(object_at(usage, "completion_tokens_details"), "reasoning_tokens")
    output = completion or 0
    if total is not None and total > prompt + output:
        output = total - prompt
        if reasoning is None and completion is not None:
            reasoning = output - completion
    elif total is None and reasoning is not None and reasoning > output:
        # A count of thoughts above the count that should include them: this server excludes them.
        output += reasoning
    cached = _count(object_at(usage, "prompt_tokens_details"), "cached_tokens")
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_tokens=None if cached is None else min(cached, prompt),
        reasoning_tokens=None if reasoning is None else min(reasoning, output),
        traffic_type=text_at(object_at(object_at(usage, "extra_properties"), "google"), "traffic_type") or None,
    )


def _count(usage: Mapping[str, object], key: str) -> int | None:
    value = usage.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None
