"""`bulk --batch-api`: rows go through the fake's version of Google's batch endpoint."""

import json

import pytest

from langchain_gemini_compat.cli import main
from langchain_gemini_compat.testing import BatchPlan, FakeGemini

KEY = "a-key-of-ai-studio"


@pytest.fixture
def bulk(capsys, monkeypatch, tmp_path):
    """Run the command on three rows, and return exit code, output, errors and the rows of the output."""
    monkeypatch.setenv("SOME_KEY", KEY)
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps({"prompt": f"word {at}"}) + "\n" for at in range(3)))

    def run(url, *options):
        place = ("--base-url", url, "--api-key-env", "SOME_KEY", "--surface", "ai_studio")
        code = main(["bulk", str(source), str(target), *place, "--batch-api", *options])
        output = capsys.readouterr()
        assert KEY not in output.out + output.err
        rows = [json.loads(line) for line in target.read_text().splitlines()] if target.exists() else []
        return code, output.out, output.err, rows

    return run


def test_batch_api_writes_the_answers_of_a_batch(bulk):
    fake = FakeGemini(lambda request: f"About {request.prompt}")
    with fake.serve() as url:
        code, output, errors, rows = bulk(url)
    assert (code, [row["text"] for row in rows]) == (0, ["About word 0", "About word 1", "About word 2"])
    assert "Sent 3 rows as batches/000000000001." in errors
    assert "3 of 3 rows answered" in output
    assert len(fake.batches) == 1


def test_retry_failed_sends_the_rows_of_a_failed_batch_again(bulk):
    fake = FakeGemini(lambda request: f"About {request.prompt}")
    fake.batches.plan = BatchPlan(ends="expired")
    with fake.serve() as url:
        code, _, errors, rows = bulk(url)
        assert (code, {row["error_type"] for row in rows}) == (1, {"BatchError"})
        assert "3 BatchError" in errors
        fake.batches.plan = BatchPlan()
        code, _, _, rows = bulk(url, "--retry-failed")
    assert (code, [row["text"] for row in rows]) == (0, ["About word 0", "About word 1", "About word 2"])


def test_batch_api_says_that_another_surface_has_no_batches(bulk):
    with FakeGemini(surface="openai_compatible").serve() as url:
        code, _, errors, _ = bulk(url, "--surface", "openai_compatible")
    assert code == 1
    assert "AI Studio only, and this model's surface is openai_compatible" in errors
