"""The testing tutorial runs in an empty folder. Its tests pass, and fail if the agent under test is broken."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "tutorial-testing.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_page(folder, *options, **changes):
    """Return the output of pytest for the blocks of the page, after applying `changes` as pairs of old and new text."""
    code = "\n\n".join(
        block for language, block in FENCE.findall(PAGE.read_text(encoding="utf-8")) if language == "python"
    )
    for old, new in changes.values():
        assert old in code
        code = code.replace(old, new)
    (folder / "test_shop.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=100).stdout


def test_tests_of_the_page_pass(tmp_path):
    """All tests on the tutorial page pass. They include one test for each fault of the fake."""
    assert re.search(r"^(2\d|[3-9]\d) passed in", run_page(tmp_path), re.MULTILINE)


def test_tests_of_the_page_can_fail(tmp_path):
    """Two tests of the tutorial fail if its code is changed in two places, and their output is that on the page."""
    (quoted,) = (block for language, block in FENCE.findall(PAGE.read_text(encoding="utf-8")) if language == "console")
    order = ('"A1": "shipped"', '"A1": "lost"')
    docstring = ('"""The state of an order."""', '"""An order."""')
    printed = run_page(tmp_path, "-k", "looked_up or knows_its_part", order=order, docstring=docstring)
    assert "2 failed" in printed
    assert all(line in printed for line in quoted.splitlines())
