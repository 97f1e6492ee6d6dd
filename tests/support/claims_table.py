"""Writes the list of claims on `docs/reference/support.md` from the probes of `verify`.

Run `python tests/support/claims_table.py` to write it. The reports in `docs/reference/reports/` are files of
`verify --json`. A claim is verified if its result is `ok` in a report of Google's own host.
"""

import json
from pathlib import Path

from langchain_gemini_compat.cli._verify.probes import TOPICS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = REFERENCE / "support.md"
COMMAND = "python tests/support/claims_table.py"
_HEADING = "## Claims\n"
_SURFACES = {"vertex": "Vertex AI", "ai_studio": "AI Studio", "openai_compatible": "compatible servers"}
_NOTHING = "Nobody has run `verify` against Google's service yet, so nothing is verified.\n"
_INTRODUCTION = f"""
[`langchain-gemini-compat verify`](../how-to/verify.md) checks each of these claims against a server. The word in a cell says why
we believe the claim:

| word | means |
|---|---|
| verified | a run of `verify` against Google's service confirmed the claim; the link leads to the report |
| differs | in a run of `verify`, Google's service did something else; the link leads to the report |
| documented | the provider's documentation says so |
| observed | a published reply of the service, or a public report, shows it |
| untried | our own assumption; no source confirms it |
| – | the claim does not apply to this surface |

{_NOTHING}`{COMMAND}` writes this section.
"""


def read_reports(folder):
    """Return the reports of Google's own hosts by file name, the oldest first."""
    reports = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
    google = {name: report for name, report in reports.items() if report["host"].endswith(".googleapis.com")}
    return dict(sorted(google.items(), key=lambda item: item[1]["date"]))


def print_claims(reports):
    """Return the section of the page, from its heading on."""
    introduction = _INTRODUCTION.replace(_NOTHING, "") if reports else _INTRODUCTION
    topics = (f"\n### {topic.capitalize()}\n\n{_table(probes, reports)}" for topic, probes in TOPICS.items())
    return _HEADING + introduction + "".join(topics)


def write_claims(text, reports):
    """Return the text of the page with a new section of claims, which is its last section."""
    return text.partition(_HEADING)[0] + print_claims(reports)


def _table(probes, reports):
    lines = [["claim", *_SURFACES.values(), "probe"], ["---"] * 5]
    lines += [
        [probe.claim, *(_status(probe, surface, reports) for surface in _SURFACES), f"`{probe.id}`"] for probe in probes
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("| --- ", "|---").replace("--- |", "---|")


def _status(probe, surface, reports):
    if surface not in probe.sources:
        return "–"
    for name, report in reversed(reports.items()):
        found = {entry["id"]: entry["status"] for entry in report["probes"]}.get(probe.id)
        if report["surface"] == surface and found in ("ok", "differs"):
            word = "verified" if found == "ok" else "differs"
            return f"[{word}](reports/{name}) {report['date'][:10]}, {report['model'].rpartition('/')[2]}"
    source = probe.sources[surface]
    return f"[{source.grade}]({source.place})" if source.place.startswith("https://") else source.grade


if __name__ == "__main__":
    found = read_reports(REFERENCE / "reports")
    PAGE.write_text(write_claims(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
