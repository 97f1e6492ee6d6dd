"""The fault matrix: every fault through every entry point, and the page that says what came of it.

`python tests/support/fault_matrix.py` runs it and writes `docs/reference/faults.md`. Its one rule: the page says what was
seen, and nothing that changes from run to run.
"""

import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from fault_calls import CALLS, REQUESTS
from fault_entries import ENTRIES, start
from fault_rows import COUNTS, ERRORS, REPLIES, STREAMED, STREAMS, THOUGHTS
from langchain_core._api import LangChainBetaWarning

from langchain_gemini_compat.errors import GeminiCompatWarning

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"
COMMAND = "python tests/support/fault_matrix.py"
GROUPS = {
    "Errors with a status": ERRORS,
    "Streams that break": STREAMS,
    "Replies": REPLIES,
    "Thoughts": THOUGHTS,
    "Token counts": COUNTS,
    "Tool calls": CALLS,
    "What would be refused on the way in": REQUESTS,
}
CASES = {case.name: case for cases in GROUPS.values() for case in cases}
#: Most of the time of a retry is waiting.
_THREADS = 48
_UNSTREAMED = ("invoke", "ainvoke", "agent")
_SPELLED = {"agent": "agent", "agent_stream": "streamed agent", "structured": "structured"}
_HEAD = f"""# Faults

What comes of every fault that Google's service, or a gateway before it, was seen to have. The test suite puts each
of them through every entry point, against [`FakeGemini`](../how-to/testing-your-agent.md), and compares this page
with what it saw; `{COMMAND}` writes it anew.

- **Entry points**: `invoke`, `ainvoke`, an agent of `create_agent` and `with_structured_output` ask for a whole reply;
  `stream`, `astream`, `stream_events(version="v3")` and an agent that streams its tokens ask for a stream. One word
  stands for all of them; otherwise *whole* is the first three, *streams* the four after, *structured* the other.
- **The name of a fault** leads to a public report or to the page that documents it; one that leads nowhere was seen in
  public files whose address is not known.
- **right** is what the server meant to say: the text, the calls with their arguments, the object that was asked for;
  of an agent, the answer after its tools ran. A name is the class of an [error](errors.md).
- **with a stand-in**: a call went back without a signature of its own, with the word that Google gives for that. Where
  a signature came, in whatever place, it goes back.
- **part, then …**: something had been handed out before the error came. It is not asked again then.
- **one request** is what comes with `max_retries=0`, **with a retry** what comes with `max_retries=1` when the next
  reply is good; *same* where the fault is not asked again.

An empty message is no outcome anywhere: a reply that holds nothing is an error.
"""


@cache
def run_matrix():
    """Name of a case to two tables of words by entry point: of one request, and with a retry."""
    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        warnings.simplefilter("ignore", LangChainBetaWarning)
        # Parameters that are dropped or changed are told; the word says what came of the request.
        warnings.simplefilter("ignore", GeminiCompatWarning)
        cells = {
            name: [{entry: start(pool, case, entry, retries) for entry in ENTRIES} for retries in (0, 1)]
            for name, case in CASES.items()
        }
        return {name: tuple(_words(table) for table in tables) for name, tables in cells.items()}


def _words(table):
    return {entry: cell.word() for entry, cell in table.items()}


def print_page(seen):
    """The page for what was seen."""
    return _HEAD + "".join(_print_group(title, cases, seen) for title, cases in GROUPS.items())


def _print_group(title, cases, seen):
    lines = ["", f"## {title}", "", "| fault | one request | with a retry |", "|---|---|---|"]
    for case in cases:
        once, again = seen[case.name]
        name = f"[{case.name}]({case.source})" if case.source else case.name
        lines.append(f"| {name} | {_join(once)} | {'same' if again == once else _join(again)} |")
    return "\n".join(lines) + "\n"


def _join(words):
    """Entry points with the same word together."""
    groups = {}
    for entry in ENTRIES:
        groups.setdefault(words[entry], []).append(entry)
    if len(groups) == 1:
        return _print_word(words["invoke"])
    return "; ".join(f"{_print_entries(entries)}: {_print_word(word)}" for word, entries in groups.items())


def _print_entries(entries):
    names = []
    for name, members in (("whole", _UNSTREAMED), ("streams", STREAMED)):
        if set(members) <= set(entries):
            names.append(name)
            entries = [entry for entry in entries if entry not in members]
    return ", ".join(names + [_SPELLED.get(entry, f"`{entry}`") for entry in entries])


def _print_word(word):
    return " ".join(f"`{part}`" if part.endswith(("Error", "Exception")) else part for part in word.split())


if __name__ == "__main__":
    PAGE.write_text(print_page(run_matrix()), encoding="utf-8")
