"""The recording of the demo in README and docs shows what the demo prints."""

import io
import re

import demo_recording

WRITE = "Run `python tests/support/demo_recording.py`."


def test_recording_has_the_lines_of_the_demo():
    """The two results of parallel calls may come in either order."""
    stream = io.StringIO()
    demo_recording.run_demo(stream)
    printed = re.sub(r"(?<=127\.0\.0\.1:)\d+", "8765", stream.getvalue()).splitlines()
    shown = demo_recording.read_lines(demo_recording.IMAGE.read_text(encoding="utf-8"))
    assert shown[0] == "$ langchain-gemini-compat demo"
    assert sorted(shown[1:]) == sorted(filter(None, printed)), WRITE


def test_recording_is_small_and_needs_no_other_file():
    """The recording loads no font, script or other image, and is legible in light and dark themes."""
    text = demo_recording.IMAGE.read_text(encoding="utf-8")
    assert len(text) < 150_000
    assert not re.search(r"@import|@font-face|url\(|<script|<image|href", text)
    assert "prefers-color-scheme: dark" in text
    assert "prefers-reduced-motion" in text
