"""Targets of the benchmark: upper limits for a result, or for its ratio to the result of a peer."""

from dataclasses import dataclass

from cases import (
    AGENTS,
    CALLS,
    CONNECTIONS,
    EMBEDDINGS,
    EVENTS,
    FIRST,
    HISTORIES,
    LIVE,
    REQUESTS,
    STALLS,
    STRUCTURED,
    TOGETHER,
    TOOLS,
)

OURS, AIOHTTP, BRIDGED = "ChatGeminiCompat", "ChatGeminiCompat, aiohttp", "ChatGeminiCompat, bridged"
CONSTRUCTORS, CHAT_OPENAI = "constructors", "ChatOpenAI"
PROCESS, MODULES, MEMORY = "A process, s of CPU", "Import, modules", "Memory, MB"


@dataclass(frozen=True)
class Target:
    """An upper limit for the results of `ours`, a variant of this package, in some cases of the benchmark.

    Without a `peer`, `most` limits the result itself, in the unit of the table. With a `peer`, `most` limits the result
    divided by that of `peer`.
    """

    group: str
    #: The target applies to the cases of `group` whose names begin with this text.
    case: str
    most: float
    peer: str | None = CHAT_OPENAI
    ours: str = OURS


TARGETS = (
    Target(AGENTS, "20 steps, 50 tools", 0.40),
    Target(AGENTS, "30 steps, 1 tool", 0.33),
    Target(TOOLS, "500 tools, sent before", 0.35),
    Target(STRUCTURED, "", 0.42),
    Target(STALLS, "", 5, peer=None),
    Target(REQUESTS, "", 0.75),
    Target(CONNECTIONS, "", 1, peer=None),
    Target(PROCESS, "first answer", 0.60),
    Target(MEMORY, "after the first answer", 0.78),
    Target(PROCESS, "import", 1.12, peer=CONSTRUCTORS),
    Target(LIVE, "async, 20 streams", 0.33, ours=AIOHTTP),
    Target(LIVE, "async, 200 streams", 0.27, ours=AIOHTTP),
    Target(LIVE, "sync", 0.38),
    Target(FIRST, "", 0.55),
    Target(TOGETHER, "abatch", 0.30, ours=AIOHTTP),
    Target(HISTORIES, "1,000", 0.09),
    Target(EMBEDDINGS, "", 0.80),
    Target(CALLS, "plain", 0.6),
    Target(EVENTS, "", 1.0, peer=BRIDGED),
    Target(MEMORY, "peak", 1.1, peer=CONSTRUCTORS),
)


def targets_of(group, name):
    """Return the targets of a case."""
    return [one for one in TARGETS if one.group == group and name.startswith(one.case)]
