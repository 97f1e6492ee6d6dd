"""Targets of the benchmark: the largest ratio to a peer in a case."""

OURS, BRIDGED, FLOOR = "ChatGeminiCompat", "ChatGeminiCompat, bridged", "LangChain's floor"
TYPED, CHAT_OPENAI = "openai SDK, typed", "ChatOpenAI"
CHAT_GOOGLE, CHAT_LITELLM = "ChatGoogleGenerativeAI", "ChatLiteLLM"
_TEXT, _TOOLS = "Text stream, µs per chunk", "Tool stream, calls × deltas, µs per delta"
_ADDED = "Tool stream added with `+`, µs per delta"
_CALLS, _HISTORIES = "Calls, ms", "Histories, ms per call"
_TOGETHER = "100 concurrent calls, ms per call"

#: The group, the start of the case's name, the peer, and the largest ratio.
TARGETS = (
    *(
        (_TEXT, kind, *limit)
        for kind in ("sync", "async")
        for limit in ((TYPED, 0.25), (CHAT_OPENAI, 0.17), (FLOOR, 2.0))
    ),
    (_TEXT, "added", CHAT_OPENAI, 0.35),
    (_ADDED, "", CHAT_OPENAI, 0.35),
    (_TOOLS, "", CHAT_OPENAI, 0.25),
    ("v3 events, µs per chunk", "", BRIDGED, 1.0),
    (_CALLS, "plain", TYPED, 1.0),
    (_CALLS, "plain", CHAT_OPENAI, 0.6),
    (_CALLS, "1 MB", TYPED, 0.55),
    (_HISTORIES, "1,000", CHAT_OPENAI, 0.06),
    (_TOGETHER, "", CHAT_OPENAI, 0.75),
    ("Construction, µs", "", FLOOR, 3.0),
    ("A process, s of CPU", "import", FLOOR, 1.15),
    ("A process, s of CPU", "import", CHAT_OPENAI, 0.5),
    ("A process, s of CPU", "first answer", TYPED, 1.0),
    ("A process, s of CPU", "first answer", CHAT_OPENAI, 1.0),
    ("A process, s of CPU", "first answer", CHAT_GOOGLE, 1.0),
    ("A process, s of CPU", "first answer", CHAT_LITELLM, 1.0),
    ("Memory, MB", "peak", FLOOR, 1.1),
)


def targets_of(group, name):
    """Return the targets of a case."""
    return [(peer, most) for where, start, peer, most in TARGETS if where == group and name.startswith(start)]
