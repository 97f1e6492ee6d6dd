"""Tests the forms for issues on GitHub."""

from pathlib import Path

import pytest
import yaml

from langchain_gemini_compat.cli._parser import build_parser

FOLDER = Path(__file__).parents[2] / ".github"
FORMS = sorted((FOLDER / "ISSUE_TEMPLATE").glob("*_*.yml"))


def test_folder_holds_templates_the_policy_and_the_workflow_only():
    found = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    assert found == {
        "ISSUE_TEMPLATE/bug_report.yml",
        "ISSUE_TEMPLATE/config.yml",
        "ISSUE_TEMPLATE/feature_request.yml",
        "SECURITY.md",
        "pull_request_template.md",
        "workflows/ci.yml",
    }


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_form_has_the_keys_that_github_requires(path):
    form = yaml.safe_load(path.read_text())
    assert form.keys() >= {"name", "description", "body"}
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in fields)
    names = [field["id"] for field in fields]
    assert len(names) == len(set(names))
    assert {field["type"] for field in form["body"]} <= {"markdown", "textarea", "input"}


def test_bug_report_requires_a_recording_and_the_setup():
    """The commands in the form are valid."""
    form = yaml.safe_load((FOLDER / "ISSUE_TEMPLATE" / "bug_report.yml").read_text())
    fields = {field["id"]: field for field in form["body"] if "id" in field}
    assert fields["recording"]["validations"]["required"]
    assert fields["doctor"]["validations"]["required"]
    command = "langchain-gemini-compat record bug.yaml -- python your_program.py"
    assert command in fields["recording"]["attributes"]["description"]
    assert "langchain-gemini-compat doctor --json" in fields["doctor"]["attributes"]["label"]
    parser = build_parser()
    args = parser.parse_args(command.split()[1:])
    assert (args.file, args.arguments) == ("bug.yaml", ["python", "your_program.py"])
    assert parser.parse_args(["doctor", "--json"]).json
