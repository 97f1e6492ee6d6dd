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
#: Number of threads. It exceeds the number of cores, because a call with retries spends most of its time waiting.
_THREADS = 48
_UNSTREAMED = ("invoke", "ainvoke", "agent")
_SPELLED = {"agent": "agent", "agent_stream": "streamed agent", "structured": "structured output"}
_HEAD = f"""# Faults

This page shows how a call ends after each known fault of Google's service and of gateways. In this example, the fault is
a server without capacity:

```python
from langchain_gemini_compat.errors import ServerError
from langchain_gemini_compat.testing import FakeGemini, Fault

try:
    FakeGemini([Fault.overloaded()]).chat_model(max_retries=0).invoke("Hi")
except ServerError as error:
    print(type(error).__name__)

reply = FakeGemini([Fault.overloaded(), "Hello!"]).chat_model(max_retries=1).invoke("Hi")
print(reply.text)
```

```text
ServerError
Hello!
```

This fault is in the row *503, high demand*. Without retries, the call raises `ServerError`. With a retry, it returns the
right answer. A reply without content always raises an error, so no call returns an empty message.

A test produces every fault with [`FakeGemini`](../how-to/testing-your-agent.md) and compares the outcomes with this
page. `{COMMAND}` writes the page. The name of a fault links to a public report or to the
page that documents it. A fault without a link is from public files whose address we do not know.

| outcome | meaning |
|---|---|
| correct | you get the complete text, calls or object; an agent gives its answer after its tools have run |
| correct after 1 retry | the request was sent again, and the outcome is *correct* |
| correct, with a placeholder | the server sent a call without a signature, and the next request contained Google's placeholder signature |
| the name of a class | the call raises this [error](errors.md) |
| refusal block | the message has a `refusal` block |
| cut text, finish reason … | the message has the incomplete text and this finish reason |
| part of the reply, then an error | you received a part of the reply before the error, so there was no retry |
| same | the package does not retry after this fault |

If the outcome depends on how you call the model, the cell has an outcome for each of these names:

| name | how you call the model |
|---|---|
| whole replies | `invoke`, `ainvoke`, and an agent of `create_agent` |
| streams | `stream`, `astream`, `stream_events(version="v3")`, and an agent that streams its tokens |
| structured output | `with_structured_output` |
"""


@cache
def run_matrix():
    """Return two tables for each case: the outcomes at each entry point without retries, and those with one retry."""
    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        warnings.simplefilter("ignore", LangChainBetaWarning)
        # Dropped parameters cause warnings, which do not matter here: the matrix has only the outcomes of requests.
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
    """Return the outcomes as text. Entry points with the same outcome are listed together."""
    groups = {}
    for entry in ENTRIES:
        groups.setdefault(outcomes[entry], []).append(entry)
    if len(groups) == 1:
        return _print_outcome(outcomes["invoke"])
    return "; ".join(f"{_print_entries(entries)}: {_print_outcome(outcome)}" for outcome, entries in groups.items())


def _print_entries(entries):
    names = []
    for name, members in (("whole replies", _UNSTREAMED), ("streams", STREAMED)):
        if set(members) <= set(entries):
            names.append(name)
            entries = [entry for entry in entries if entry not in members]
    names += [_SPELLED.get(entry, f"`{entry}`") for entry in entries]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _print_outcome(outcome):
    return " ".join(f"`{part}`" if part.endswith(("Error", "Exception")) else part for part in outcome.split())


if __name__ == "__main__":
    PAGE.write_text(print_page(run_matrix()), encoding="utf-8")
