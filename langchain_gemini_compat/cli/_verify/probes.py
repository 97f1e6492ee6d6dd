"""The list of all probes, in the order in which they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat.cli._verify import (
    history,
    limits,
    media,
    parameters,
    schemas,
    signatures,
    text,
    thinking,
    tool_calls,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_gemini_compat.cli._verify.probe import Probe

#: The probes of each topic. `--only` accepts the names of the topics.
TOPICS: Mapping[str, Sequence[Probe]] = {
    "answers": text.PROBES,
    "parameters": parameters.PROBES,
    "thinking": thinking.PROBES,
    "tools": tool_calls.PROBES,
    "schemas": schemas.PROBES,
    "signatures": signatures.PROBES,
    "history": history.PROBES,
    "media": media.PROBES,
    "limits": limits.PROBES,
}
PROBES: Sequence[Probe] = tuple(probe for probes in TOPICS.values() for probe in probes)
