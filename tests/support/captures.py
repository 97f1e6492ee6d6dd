"""Public captures of Google's replies. They are in a folder beside the repository, if they are available."""

import json
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared"
#: The folders with captures. The second folder has the captures of November 2026, with names such as `ais-N1-….json`.
FOLDERS = (SHARED / "recordings", SHARED / "recordings-2")
ABSENT = "the recordings are not beside the project"


def capture_paths():
    """Return the files of all folders that exist."""
    return [path for folder in FOLDERS for path in sorted(folder.glob("*.json"))]


def read_capture(stem):
    """Return the text of the capture `name`. Skip the test if the file is not available."""
    for folder in FOLDERS:
        path = folder / f"{stem}.json"
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
        if folder.is_dir() and path_belongs_to(folder, stem):
            raise FileNotFoundError(path)
    return pytest.skip(ABSENT)


def path_belongs_to(folder, stem):
    """Return whether the capture with the name `stem` belongs to `folder`."""
    return ("-N" in stem[:5]) is (folder.name == "recordings-2")
