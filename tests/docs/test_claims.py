"""The list of claims on the support page is the list of the probes of `verify`."""

import json

from claims_table import COMMAND, PAGE, REFERENCE, print_claims, read_reports, write_claims

from langchain_gemini_compat.cli._verify.probes import PROBES


def test_page_lists_every_probe():
    text = PAGE.read_text(encoding="utf-8")
    assert text == write_claims(text, read_reports(REFERENCE / "reports")), f"run `{COMMAND}`"
    rows = [line for line in text.partition("## Claims")[2].splitlines() if line.endswith("` |")]
    assert [row.split("`")[-2] for row in rows] == [probe.id for probe in PROBES]


def test_report_of_google_verifies_a_claim(tmp_path):
    """A report of another host verifies no claim. For a claim on a surface, the newest report that checked it counts."""
    report = {
        "surface": "ai_studio",
        "model": "gemini-3.8-flash",
        "host": "generativelanguage.googleapis.com",
        "date": "2026-12-01T10:00:00Z",
        "probes": [{"id": "text", "status": "ok"}, {"id": "stream", "status": "skipped"}],
    }
    later = {**report, "date": "2026-12-02T10:00:00Z", "probes": [{"id": "usage", "status": "differs"}]}
    fake = {**report, "host": "127.0.0.1", "probes": [{"id": "max-tokens", "status": "ok"}]}
    for name, content in (("b", report), ("a", later), ("c", fake)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    rows = {line.split("`")[-2]: line.split(" | ") for line in _rows(print_claims(read_reports(tmp_path)))}
    assert rows["text"][2] == "[verified](reports/b.json) 2026-12-01, gemini-3.8-flash"
    assert rows["text"][1].startswith("[documented](https://")
    assert rows["usage"][2] == "[differs](reports/a.json) 2026-12-02, gemini-3.8-flash"
    assert rows["stream"][2].startswith("[documented]")
    assert rows["max-tokens"][2].startswith("[documented]")


def _rows(text):
    return [line for line in text.splitlines() if line.endswith("` |")]
