"""Kills a bulk run three times and resumes it. The fake endpoint answers 5 % of the rows with a fault.

`uv run python tests/bulk/kill_and_resume.py --rows 5000` runs each engine and prints a table of the report. Every row
must have its own answer or the error of its fault. A row with an answer must not be sent again, except for rows in
flight at a kill.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.bulk import DaskEngine, run_bulk
from langchain_gemini_compat.errors import GeminiCompatError
from langchain_gemini_compat.testing import FAULTS, FakeGemini, Fault

CONCURRENCY = 16
#: One row in every `ONE_IN` rows of the input causes a fault.
ONE_IN = 20
#: Faults that stop the run or cause a long wait. Each happens once: with the key 3, it happens in the row with the
#: number `rows // 3`.
ONCE = {
    2: Fault.rate_limit("39043s", per="day"),
    3: Fault.rate_limit("0.2s"),
    4: Fault.rate_limit(None),
}
KINDS = sorted(name for name in FAULTS if not name.startswith("rate_limit"))
ANSWERED = {"length": "The answer is", "slow": "slow and steady"}


def fault_of(number):
    """Return the name of the fault of a row, or `None`."""
    return KINDS[number // ONE_IN % len(KINDS)] if number % ONE_IN == ONE_IN - 1 else None


def build_rule(rows):
    """Return the function with which the fake answers. For each row, this function returns a text or a fault."""
    seen = Counter()

    def answer(request):
        number = int(request.prompt.split()[1])
        seen[number] += 1
        once = next((fault for part, fault in ONCE.items() if number == rows // part), None)
        if once and seen[number] == 1:
            return once
        name = fault_of(number)
        return FAULTS[name]() if name else f"About {request.prompt}"

    return answer


def expect_errors():
    """Return the name of the error that a row gets for each fault, or `None` for a fault with an answer."""
    return {name: _expect_error(name) for name in KINDS}


def _expect_error(name):
    model = FakeGemini(FAULTS[name]()).chat_model(max_retries=0)
    try:
        model.invoke("x")
    except GeminiCompatError as error:
        return type(error).__name__
    return None if name in ANSWERED else "ModelRefusalError"


def run_child(url, source, output, engine):
    """Run `run_bulk` once, in a child process. `measure` starts this process and may kill it."""
    model = ChatGeminiCompat(model="gemini-3.8-flash", surface="ai_studio", base_url=url, api_key="test", max_retries=1)
    chosen = None if engine == "asyncio" else DaskEngine(engine)
    result = run_bulk(model, source, output, concurrency=CONCURRENCY, engine=chosen)
    print(json.dumps({"stopped": result.stopped}))


def read_memory(pid):
    """Return the resident memory of a process in MiB."""
    with Path(f"/proc/{pid}/statm").open() as sizes:
        return int(sizes.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(engine, rows, folder):
    """Repeat a bulk run until it has sent all rows, and kill it three times. Return the report on `engine`."""
    source, output = folder / "in.jsonl", folder / f"{engine.replace(':', '-')}.jsonl"
    source.write_text("".join(json.dumps({"prompt": f"Row {number}"}) + "\n" for number in range(rows)))
    fake = FakeGemini(build_rule(rows))
    kills = [rows // 20, rows // 10, rows * 3 // 20]
    memory, runs, killed = [], 0, 0
    began = time.monotonic()
    with fake.serve() as url:
        while True:
            runs += 1
            command = [sys.executable, __file__, "--child", url, str(source), str(output), engine]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
                samples, start = [], len(fake.requests)
                while child.poll() is None:
                    time.sleep(0.2)
                    asked = len(fake.requests)
                    if kills and asked >= kills[0]:
                        kills.pop(0)
                        child.send_signal(signal.SIGKILL)
                        killed += 1
                        break
                    # At its start, the child still imports libraries. So its memory is measured only after some rows.
                    if asked > start + rows // 20 and child.poll() is None:
                        samples.append(read_memory(child.pid))
                printed = child.communicate()[0]
            if len(samples) > len(memory):
                memory = samples
            # A run that stops because of an exhausted quota leaves rows without an answer. So another run follows.
            # After other errors of the account, such as a wrong key, another run would fail in the same way.
            if child.returncode == 0 and "a quota is exhausted" not in (
                json.loads(printed.splitlines()[-1])["stopped"] or ""
            ):
                break
            assert child.returncode in (0, -signal.SIGKILL), child.returncode
    return check(engine, rows, output, fake, memory) | {
        "runs": runs,
        "killed": killed,
        "seconds": round(time.monotonic() - began),
    }


def check(engine, rows, output, fake, memory):
    """Check every row of the output, and count the rows that were sent twice."""
    errors, found = expect_errors(), [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["row"] for row in found] == list(range(1, rows + 1))
    for number, row in enumerate(found):
        name = fault_of(number)
        if name is None or errors[name] is None:
            assert row["text"] == (f"About Row {number}" if name is None else ANSWERED[name]), row
            assert row["error_type"] is None, row
        else:
            assert row["error_type"] == errors[name], (name, row)
    asked = Counter(int(request.prompt.split()[1]) for request in fake.requests if request.body)
    special = {rows // part for part in ONCE}
    twice = [
        number for number, count in asked.items() if count > 1 and fault_of(number) is None and number not in special
    ]
    assert len(asked) == rows
    assert len(twice) <= 3 * 2 * CONCURRENCY, len(twice)
    return {
        "engine": engine,
        "rows": rows,
        "errors": sum(row["error_type"] is not None for row in found),
        "kinds": len(KINDS) + len(ONCE),
        "twice": len(twice),
        "first_memory": round(memory[0]),
        "last_memory": round(max(memory)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows",
        type=int,
        default=5_000,
        help="with 15,000, more than 50 rows with errors of the account stop the last run",
    )
    parser.add_argument("--engines", nargs="+", default=["asyncio", "local:2"])
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run_child(*options.child)
        return
    print(f"Python {platform.python_version()}, distributed {version('distributed')}, {os.cpu_count()} cores.\n")
    print(
        "| engine | rows | kinds of faults | rows with their error | kills | runs | sent twice | memory, MiB | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for engine in options.engines:
        with tempfile.TemporaryDirectory() as folder:
            one = measure(engine, options.rows, Path(folder))
        cells = [f"`{one['engine']}`", f"{one['rows']:,}", one["kinds"], one["errors"], one["killed"], one["runs"]]
        cells += [one["twice"], f"{one['first_memory']} → {one['last_memory']}", one["seconds"]]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
