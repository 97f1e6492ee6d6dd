"""Type checkers accept the constructor calls of the documentation, and reject misspelled names and wrong values.

In the files with these calls, each line with an expected error has an `ignore` comment. A checker reports each error
without an `ignore`, and each `ignore` without an error.
"""

import ast
import builtins
import json
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest

if not find_spec("mypy") or not find_spec("pyright"):
    pytest.skip("mypy and pyright are in the dependency group `lint`", allow_module_level=True)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CALLS = [HERE / f"{name}_calls.py" for name in ("accepted", "rejected", "subclass")]
CHECKERS = ["mypy", "mypy with pydantic's plugin", "pyright"]
#: Packages whose types do not occur in the constructors. mypy is three times as fast if it skips these packages.
SKIPPED = ["openai", "langsmith", "langgraph", "requests", "tenacity", "yaml", "uuid_utils", "jiter", "anyio", "httpx2"]
CLASSES = ("ChatGeminiCompat", "GeminiCompatEmbeddings")
BLOCK = re.compile(r"^( *)```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def find_documented_calls():
    """Yield each constructor call in the Python blocks of the documentation and of docstrings, as source text."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for path in [*pages, *sorted((ROOT / "langchain_gemini_compat").rglob("*.py"))]:
        for margin, code in BLOCK.findall(path.read_text(encoding="utf-8")):
            lines = (line.removeprefix(margin) for line in code.splitlines())
            for node in ast.walk(ast.parse("\n".join(lines))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", None) in CLASSES:
                    yield node


def write_documented_calls(path):
    """Write a module with one function for each documented call.

    The function contains the call. Its parameters are the variables that the call uses.
    """
    lines = ["from typing import Any", "", f"from langchain_gemini_compat import {', '.join(CLASSES)}", ""]
    calls = {ast.unparse(call): call for call in find_documented_calls()}
    for number, (text, call) in enumerate(calls.items()):
        used = {node.id for node in ast.walk(call) if isinstance(node, ast.Name)} - {*CLASSES, *dir(builtins)}
        parameters = ", ".join(f"{name}: Any" for name in sorted(used))
        lines += [f"def call_{number}({parameters}) -> None:", f"    {text}", ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return calls


def write_mypy_settings(path, plugins):
    """Write the settings that a user of mypy in strict mode has."""
    skipped = "".join(f"[mypy-{name}.*]\nfollow_imports = skip\n" for name in SKIPPED)
    # Without `init_typed`, the plugin lets the fields of a subclass have any value.
    plugin = "plugins = pydantic.mypy\n[pydantic-mypy]\ninit_typed = true\n" if plugins else ""
    path.write_text(f"[mypy]\nstrict = true\nfollow_imports = silent\npython_version = 3.10\n{plugin}{skipped}")
    return path


@pytest.fixture(scope="module")
def checks(tmp_path_factory):
    """Start the three checkers together, since each takes many seconds. Yield the processes by name."""
    folder = tmp_path_factory.mktemp("checkers")
    documented = folder / "documented_calls.py"
    write_documented_calls(documented)
    files = [*map(str, CALLS), str(documented)]
    commands = {}
    for name in CHECKERS[:2]:
        plugins = "plugin" in name
        settings = write_mypy_settings(folder / f"mypy-{plugins}.ini", plugins)
        cache = ROOT / ".mypy_cache" / f"calls-{plugins}"
        commands[name] = ["mypy", "--config-file", str(settings), "--cache-dir", str(cache), *files]
    # pyright checks only files in the folder of its settings, so the files of calls are copied there.
    for path in CALLS:
        shutil.copy(path, folder)
    environment = {"venvPath": str(Path(sys.prefix).parent), "venv": Path(sys.prefix).name}
    project = {"include": ["*.py"], "typeCheckingMode": "strict", **environment}
    (folder / "pyrightconfig.json").write_text(json.dumps(project))
    commands["pyright"] = ["pyright", "-p", str(folder), "--outputjson"]
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", *command],
                    cwd=ROOT,
                    text=True,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                )
            )
            for name, command in commands.items()
        }
        yield processes
        for process in processes.values():
            process.kill()


@pytest.mark.parametrize("checker", CHECKERS)
def test_checker_accepts_and_rejects_what_the_files_of_calls_say(checker, checks):
    """Every call of the documentation is accepted. Field case D4."""
    process = checks[checker]
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert re.search(rf'"filesAnalyzed": {len(CALLS) + 1},|in {len(CALLS) + 1} source files', output), output


def count_calls(path):
    """Return the number of constructor calls in a file."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return sum(isinstance(node, ast.Call) and getattr(node.func, "id", None) in CLASSES for node in nodes)


def test_files_of_calls_have_enough_calls(tmp_path):
    """At least 40 calls are accepted and 15 rejected, and the documented calls are found."""
    assert count_calls(CALLS[0]) >= 40
    rejected = CALLS[1].read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith(CLASSES) and "# type: ignore[" in line for line in rejected) >= 15
    calls = write_documented_calls(tmp_path / "calls.py")
    assert len(calls) >= 30
