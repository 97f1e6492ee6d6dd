"""Mutation testing: break one line of a module at a time, and see whether its tests fail.

    uv run --group mutation python tests/mutation/run.py --sample 20 --seed 1 --workers 2 --report mutation.md

The mutants are those of cosmic-ray (https://cosmic-ray.readthedocs.io). This script adds what a large test suite needs:
the tests of each module (`TESTS`), parallel workers with copies of the repository, a sample, a time limit for each
mutant, and a report of the survivors. Annotations are not mutated, because nothing evaluates them.
"""

import argparse
import ast
import difflib
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parents[2]
PACKAGE = "langchain_gemini_compat"
#: Files and folders that are copied, because the tests need them.
COPIED = (PACKAGE, "tests", "cassettes", "docs", "pyproject.toml", "README.md", "CHANGELOG.md", "mkdocs.yml")
#: Maps each module to its test files. Fast files that detect many mutants come first, because `-x` stops at the first
#: failure.
TESTS = {
    "_response/tool_calls": "tool_calls uncertain_calls stream thoughts hostile_replies fuzz_decoders",
    "_response/call_decisions": "tool_calls uncertain_calls",
    "_response/finish_reasons": "uncertain_calls stream",
    "_response/assembler": "stream stream_text tool_calls thoughts hostile_replies protocol recordings",
    "_response/thoughts": "thoughts stream_text stream signatures hostile_replies",
    "_signatures": "signatures history_google turns content testing_signatures",
    "_request/turn_order": "turns encode payload signatures history_fuzz",
    "_transport/retry": "found_by_mutation retry timeouts errors transport embeddings_faults",
    "_transport/rate_gate": "retry bulk errors",
    "_transport/deadlines": "timeouts deadlines cancelling transport",
    "_auth/google": "auth secrets loops_and_forks",
    "_auth/failures": "auth errors secrets",
    "_auth/google_errors": "google_errors auth",
    "_auth/keys": "auth secrets timeouts",
    "_auth/google_transport": "auth auth_network secrets",
    "_auth/shared_tokens": "auth auth_shared secrets",
    "_transport/client_factory": "shared_clients network_options aiohttp",
    "_transport/http_clients": "shared_clients loops_and_forks transport",
    "_transport/loop_clients": "shared_clients loops_and_forks found_by_mutation",
    "_transport/shared_clients": "shared_clients loops_and_forks",
    "_transport/client": "transport errors timeouts deadlines retry secrets cancelling",
    "_transport/sending": "network_errors transport deadlines timeouts errors",
    "_transport/pool_sockets": "http2 deadlines timeouts transport",
}
#: Mutation operators that are left out, because they need arguments or because their mutants change nothing.
LEFT_OUT = {"core/VariableReplacer", "core/VariableInserter"}
#: A mutant may loop forever, so its tests have a time limit: `TIMES` times the duration without the mutant, but at
#: least `LEAST_SECONDS`.
TIMES, LEAST_SECONDS = 4, 60


@dataclass(frozen=True)
class Mutant:
    """One change of a module."""

    module: str
    operator: str
    occurrence: int
    line: int


@dataclass
class Result:
    """The outcome of the tests for a mutant: `killed`, `timeout`, `survived` or `same`.

    `same` means that no test ran, because the changed code has the same meaning or is not valid Python.
    """

    mutant: Mutant
    outcome: str
    seconds: float
    diff: str


def annotation_spans(source):
    """Return start and end of each annotation, type alias and block of imports for type checkers in `source`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns is not None:
            found.append(node.returns)
        elif isinstance(node, (ast.arg, ast.AnnAssign)) and node.annotation is not None:
            found.append(node.annotation)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            found.append(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("cast", "TypeVar"):
            found.extend(node.args[:1])
    return [((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in found]


def list_mutants(module):
    """Return all mutants of a module."""
    source = (ROOT / PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    spans, nodes, found = annotation_spans(source), list(ast_nodes(get_ast(source))), []
    for name in sorted(set(operator_names()) - LEFT_OUT):
        operator = get_operator(name)()
        positions = [position for node in nodes for position in operator.mutation_positions(node)]
        for occurrence, (start, _) in enumerate(positions):
            if not any(first <= start < last for first, last in spans):
                found.append(Mutant(module, name, occurrence, start[0]))
    return found


def draw(mutants, count, chance):
    """Return a random sample of at most `count` mutants, with at most one mutant for each line and kind of operator.

    Comparisons have a dozen mutants each, and would otherwise dominate the sample.
    """
    by_place = defaultdict(list)
    for mutant in mutants:
        by_place[mutant.line, mutant.operator.partition("_")[0]].append(mutant)
    places = list(by_place.values())
    chance.shuffle(places)
    chosen = [chance.choice(place) for place in places]
    return chosen if count is None else chosen[:count]


class Workshop:
    """A copy of the repository, in which the tests run with a changed module."""

    def __init__(self, folder):
        self.root = folder / "repository"
        self.log = folder / "pytest.log"
        self.root.mkdir(parents=True)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, self.root / name)
        shared = ROOT.parent / "shared"
        if shared.exists():
            # If captured replies are available, the tests find them in the folder `shared` beside the repository.
            (folder / "shared").symlink_to(shared.resolve())

    def run(self, module, source, seconds):
        """Run the tests with `source` as the text of `module`. Return the exit code, or `None` after `seconds`."""
        path = self.root / PACKAGE / f"{module}.py"
        before = path.read_text(encoding="utf-8")
        path.write_text(source, encoding="utf-8")
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "not load and not local_server"]
        command = [sys.executable, "-m", "pytest", *options, *tests_of(module)]
        # With `CI`, property tests are repeatable. Bytecode is not written: if a module changed twice within a second,
        # Python would use the .pyc file of the first change.
        environment = {**os.environ, "CI": "true", "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            with subprocess.Popen(
                command,
                cwd=self.root,
                env=environment,
                stdout=self.log.open("w"),
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process:
                try:
                    return process.wait(seconds)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, 9)
                    return None
        finally:
            path.write_text(before, encoding="utf-8")


def tests_of(module):
    """Return the test files of `module`."""
    found = []
    for name in TESTS[module].split():
        (path,) = ROOT.glob(f"tests/*/test_{name}.py")
        found.append(str(path.relative_to(ROOT)))
    return found


def make_diff(module, before, after):
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"{module}.py", f"{module}.py", "", "", 1, "")
    return "\n".join(lines)


def judge(workshop, mutant, seconds):
    """Run the tests of a module with the mutant, and return the result."""
    before = (ROOT / PACKAGE / f"{mutant.module}.py").read_text(encoding="utf-8")
    after = mutate_code(before, get_operator(mutant.operator)(), mutant.occurrence)
    began = time.monotonic()
    try:
        same = after is None or ast.dump(ast.parse(after)) == ast.dump(ast.parse(before))
    except SyntaxError:
        same = True
    code = -1 if same else workshop.run(mutant.module, after, seconds)
    outcome = "same" if same else {0: "survived", None: "timeout"}.get(code, "killed")
    return Result(mutant, outcome, time.monotonic() - began, make_diff(mutant.module, before, after or before))


def work(folder, waiting, limits, results):
    workshop = Workshop(folder)
    while True:
        try:
            mutant = waiting.get_nowait()
        except queue.Empty:
            return
        result = judge(workshop, mutant, limits[mutant.module])
        results.append(result)
        print(f"{len(results):4} {result.outcome:8} {mutant.module}:{mutant.line} {mutant.operator}", flush=True)


def measure(folder, modules):
    """Run the tests of each module without a mutant. Return the time limit of each module for the runs with mutants.

    Exit if the tests fail.
    """
    workshop, limits = Workshop(folder), {}
    for module in modules:
        source = (ROOT / PACKAGE / f"{module}.py").read_text(encoding="utf-8")
        began = time.monotonic()
        code = workshop.run(module, source, None)
        if code != 0:
            print(workshop.log.read_text(encoding="utf-8")[-3000:])
            raise SystemExit(f"The tests of {module} fail unbroken (exit {code}): {' '.join(tests_of(module))}")
        limits[module] = max(LEAST_SECONDS, TIMES * (time.monotonic() - began))
        print(f"{module}: {len(tests_of(module))} test files, {limits[module] / TIMES:.0f} s or less", flush=True)
    return limits


def report(results):
    """Return the score of each module, and then each survivor as a diff."""
    lines = ["| module | mutants | killed | survived | score |", "|---|---|---|---|---|"]
    for module in [*TESTS, "all"]:
        own = [one for one in results if one.outcome != "same" and module in ("all", one.mutant.module)]
        if own:
            alive = sum(one.outcome == "survived" for one in own)
            score = 100 * (len(own) - alive) / len(own)
            lines.append(f"| `{module}` | {len(own)} | {len(own) - alive} | {alive} | {score:.0f} % |")
    survivors = sorted((one for one in results if one.outcome == "survived"), key=lambda one: str(one.mutant))
    lines += [f"\n`{one.mutant.operator}`\n\n```diff\n{one.diff}\n```" for one in survivors]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = [module for module in TESTS if (ROOT / PACKAGE / f"{module}.py").exists()]
    parser.add_argument("modules", nargs="*", help=f"of {', '.join(known)}; all of them by default")
    parser.add_argument("--sample", type=int, help="mutants of each module; one for each place by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--report", type=Path, help="a Markdown file; results go beside it as JSON")
    args = parser.parse_args()
    modules = args.modules or known
    if set(modules) - set(known):
        parser.error(f"no such module: {', '.join(sorted(set(modules) - set(known)))}")
    chance, waiting = random.Random(args.seed), queue.SimpleQueue()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        limits = measure(Path(folder) / "unbroken", modules)
        for mutant in [mutant for module in modules for mutant in draw(list_mutants(module), args.sample, chance)]:
            waiting.put(mutant)
        print(f"{waiting.qsize()} mutants", flush=True)
        workers = [
            threading.Thread(target=work, args=(Path(folder) / f"worker-{number}", waiting, limits, results))
            for number in range(args.workers)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    text = report(results)
    print(text)
    if args.report:
        args.report.write_text(text, encoding="utf-8")
        args.report.with_suffix(".json").write_text(json.dumps([asdict(one) for one in results], indent=1))


if __name__ == "__main__":
    main()
