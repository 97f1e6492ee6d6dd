"""Public captures of Google's answers, which lie beside the repository, where they are at all."""

import json
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared"
#: The second one was collected in November 2026; its files are numbered `N1`, `N2` and so on.
FOLDERS = (SHARED / "recordings", SHARED / "recordings-2")
ABSENT = "the recordings are not beside the project"


def capture_paths():
    """The files of all folders that are there."""
    return [path for folder in FOLDERS for path in sorted(folder.glob("*.json"))]


def read_capture(stem):
    """The file of this name; skips the test where it is not at hand."""
    for folder in FOLDERS:
        path = folder / f"{stem}.json"
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
        if folder.is_dir() and path_belongs_to(folder, stem):
            raise FileNotFoundError(path)
    return pytest.skip(ABSENT)


def path_belongs_to(folder, stem):
    """Whether a capture of this name is one of the folder's."""
    return ("-N" in stem[:5]) is (folder.name == "recordings-2")
