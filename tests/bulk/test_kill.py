"""After a run is killed with SIGKILL, the next one continues it. `kill_and_resume.py` tests this with 5,000 rows."""

import json
import subprocess
import sys
from collections import Counter

import pytest

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.bulk import run_bulk
from langchain_gemini_compat.testing import FAULTS, FakeGemini

PROGRAM = """
import sys
from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.bulk import run_bulk

model = ChatGeminiCompat(model="gemini-3.8-flash", surface="ai_studio", base_url=sys.argv[1], api_key="k", max_retries=0)
run_bulk(model, "in.jsonl", "out.jsonl", concurrency=8)
"""
ROWS = 240
KINDS = ("overloaded", "context_overflow", "empty_reply", "bad_key", "cut_stream", "html_404")


def fault_of(number):
    return KINDS[number // 20 % len(KINDS)] if number % 20 == 19 else None


def answer(request):
    name = fault_of(int(request.prompt.split()[1]))
    return FAULTS[name]() if name else f"About {request.prompt}"


@pytest.mark.load
def test_killed_run_loses_and_repeats_no_answer(tmp_path):
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(f"row {number}") + "\n" for number in range(ROWS)))
    fake = FakeGemini()

    def kill_half_way(request):
        if len(fake.requests) == ROWS // 2:
            process.kill()
        return answer(request)

    fake.answer_with(kill_half_way)
    with fake.serve() as url:
        with subprocess.Popen([sys.executable, "-c", PROGRAM, url], cwd=tmp_path) as process:
            process.wait()
        before = len(fake.requests)
        model = ChatGeminiCompat(
            model="gemini-3.8-flash", surface="ai_studio", base_url=url, api_key="k", max_retries=0
        )
        run_bulk(model, tmp_path / "in.jsonl", tmp_path / "out.jsonl", concurrency=8)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert process.returncode < 0
    assert ROWS // 2 <= before < ROWS
    assert [row["text"] for row in rows if fault_of(row["row"] - 1) is None] == [
        f"About row {number}" for number in range(ROWS) if fault_of(number) is None
    ]
    errors = [row["error_type"] for row in rows if fault_of(row["row"] - 1)]
    names = ["ServerError", "ContextOverflowError", "EmptyReplyError", "AuthenticationError"]
    assert errors == 2 * [*names, "TruncatedStreamError", "ModelNotFoundError"]
    asked = Counter(request.prompt for request in fake.requests if request.body)
    twice = [prompt for prompt, count in asked.items() if count > 1 and not fault_of(int(prompt.split()[1]))]
    assert len(asked) == ROWS
    assert len(twice) <= 8
