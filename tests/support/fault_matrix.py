"""The fault matrix: every fault at every entry point, and the page with the outcomes.

`python tests/support/fault_matrix.py` runs it and writes `docs/reference/faults.md`. The page has only observed
outcomes, and nothing that changes from run to run.
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
    "Requests that the server would refuse": REQUESTS,
}
CASES = {case.name: case for cases in GROUPS.values() for case in cases}
#: More threads than cores: a retry spends most of its time waiting.
_THREADS = 48
_UNSTREAMED = ("invoke", "ainvoke", "agent")
_SPELLED = {"agent": "agent", "agent_stream": "streamed agent", "structured": "structured"}
_HEAD = f"""# Faults

The outcome of each known fault of Google's service and of gateways, at each entry point. The test suite produces the
faults with [`FakeGemini`](../how-to/testing-your-agent.md) and compares the outcomes with this page. To write the page
again, run `{COMMAND}`.

The name of a fault links to a public report or to the page that documents it. A fault without a link was seen in public
files whose address is not known.

| column | request |
|---|---|
| one request | `max_retries=0` |
| with a retry | `max_retries=1`, and the reply after the fault is good; *same* means that the fault is not retried |

| outcome | meaning |
|---|---|
| right | the text, the calls or the object that the server meant; for an agent, the answer after its tools ran |
| right, with a placeholder | a call came without a signature, and Google's placeholder signature was sent back with it |
| the name of a class | this [error](errors.md) was raised |
| refusal block | the message has a `refusal` block |
| cut text, finish reason … | the message has the incomplete text and this finish reason |
| part, then an error | the caller received a part before the error, so there was no retry |

An outcome without entry points holds for all of them. Otherwise:

| name | entry points |
|---|---|
| whole | `invoke`, `ainvoke`, and an agent of `create_agent` |
| streams | `stream`, `astream`, `stream_events(version="v3")`, and an agent that streams its tokens |
| structured | `with_structured_output` |

No fault has an empty message as its outcome: a reply without content is an error.
"""


@cache
def run_matrix():
    """Return for each case two tables of outcomes by entry point: of one request, and with a retry."""
    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        warnings.simplefilter("ignore", LangChainBetaWarning)
        # Dropped parameters warn. The outcome of the request is all that counts here.
        warnings.simplefilter("ignore", GeminiCompatWarning)
        cells = {
            name: [{entry: start(pool, case, entry, retries) for entry in ENTRIES} for retries in (0, 1)]
            for name, case in CASES.items()
        }
        return {name: tuple(_outcomes(table) for table in tables) for name, tables in cells.items()}


def _outcomes(table):
    return {entry: cell.outcome() for entry, cell in table.items()}


def print_page(seen):
    """Return the page with the outcomes in `seen`."""
    return _HEAD + "".join(_print_group(title, cases, seen) for title, cases in GROUPS.items())


def _print_group(title, cases, seen):
    lines = ["", f"## {title}", "", "| fault | one request | with a retry |", "|---|---|---|"]
    for case in cases:
        once, again = seen[case.name]
        name = f"[{case.name}]({case.source})" if case.source else case.name
        lines.append(f"| {name} | {_join(once)} | {'same' if again == once else _join(again)} |")
    return "\n".join(lines) + "\n"


def _join(outcomes):
    """Return the outcomes as text, with the entry points of the same outcome together."""
    groups = {}
    for entry in ENTRIES:
        groups.setdefault(outcomes[entry], []).append(entry)
    if len(groups) == 1:
        return _print_outcome(outcomes["invoke"])
    return "; ".join(f"{_print_entries(entries)}: {_print_outcome(outcome)}" for outcome, entries in groups.items())


def _print_entries(entries):
    names = []
    for name, members in (("whole", _UNSTREAMED), ("streams", STREAMED)):
        if set(members) <= set(entries):
            names.append(name)
            entries = [entry for entry in entries if entry not in members]
    return ", ".join(names + [_SPELLED.get(entry, f"`{entry}`") for entry in entries])


def _print_outcome(outcome):
    return " ".join(f"`{part}`" if part.endswith(("Error", "Exception")) else part for part in outcome.split())


if __name__ == "__main__":
    PAGE.write_text(print_page(run_matrix()), encoding="utf-8")
