"""Output of the command: wrapped at words on narrow terminals, plain on a pipe."""

import argparse
import contextlib
import io
import re
import subprocess
import sys

import pytest

from langchain_gemini_compat.cli import _parser, _terminal, fake, main
from langchain_gemini_compat.cli._parser import COMMANDS
from langchain_gemini_compat.cli._terminal import Screen, Transcript
from langchain_gemini_compat.testing import FakeGemini

WIDTHS = (40, 80)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run `main` on a terminal of some width, or on a pipe, and return its output and errors without styles."""
    for name in (
        "GOOGLE_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "NO_COLOR",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("google.auth._cloud_sdk.get_project_id", lambda: None)
    monkeypatch.setattr(_terminal.time, "sleep", lambda seconds: None)

    def run_main(*arguments, width=None, lines=()):
        monkeypatch.delenv("COLUMNS", raising=False)
        if width:
            monkeypatch.setenv("COLUMNS", str(width))
        streams = [Terminal() if width else io.StringIO() for _ in range(2)]
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        with contextlib.suppress(SystemExit):
            main(arguments)
        return [re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue()) for stream in streams]

    return run_main


def words(text):
    """Return the sorted words of `text`, without ports and without characters that depend on the layout."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", text).replace("\\\n", "\n")
    return sorted(re.sub(r',(?=")', ", ", text).replace("#", " ").split())


def assert_fits(text, width):
    """Check that each line fits the terminal. Only a line of one or two words may be longer."""
    for line in text.splitlines():
        assert len(line) <= width or len(line.split()) <= 2, line


def show_error(run, width):
    with FakeGemini(surface="ai_studio").serve() as url:
        return run("chat", "--base-url", f"{url}/wrong", "-p", "Hi", width=width)


CASES = {
    "doctor": lambda run, width: run("doctor", "--project", "my-project", "--location", "nowhere", width=width),
    "doctor-empty": lambda run, width: run("doctor", width=width),
    "error": show_error,
    "unknown-option": lambda run, width: run("chat", "--key", "--verbose", "x", width=width),
    "help": lambda run, width: run("--help", width=width),
    **{f"help-{name}": lambda run, width, name=name: run(name, "--help", width=width) for name in COMMANDS},
}


@pytest.mark.parametrize("name", CASES)
def test_no_word_is_cut_or_lost_on_a_narrow_terminal(run, name):
    """The words are the same as on a wide terminal."""
    wide = "".join(CASES[name](run, 400))
    for width in WIDTHS:
        narrow = "".join(CASES[name](run, width))
        assert_fits(narrow, width)
        # argparse breaks the lines of the usage at other positions, but the words are the same.
        assert words(narrow) == words(wide)


@pytest.mark.parametrize("width", WIDTHS)
def test_demo_is_readable_on_a_narrow_terminal(run, width):
    """A narrow terminal shows the table as a list with the same cells."""
    out, err = run("demo", width=width)
    assert err == ""
    assert_fits(out, width)
    plain = run("demo")[0]
    cells = re.findall(r"\S+…\S+", plain)
    assert sorted(re.findall(r"\S+…\S+", out)) == sorted(cells)
    assert len(cells) > 8
    assert re.search(r"^#2 503 retried$", out, re.MULTILINE)
    assert re.search(r"^  in \d+, out \d+, thoughts \d+$", out, re.MULTILINE)
    said = " ".join(plain.split("\n\n")[0].split())
    assert words(out.split("\n\n")[0]) == words(said)


@pytest.mark.parametrize("width", WIDTHS)
def test_fake_is_readable_on_a_narrow_terminal(run, monkeypatch, width):
    """Long lines are broken between words, so that the examples can be pasted into a program or a shell."""
    monkeypatch.setattr(fake, "_wait", lambda: None)
    out, _ = run("fake", "--port", "0", "--surface", "vertex", width=width)
    assert_fits(out, width)


def test_pipe_gets_plain_text(run):
    """The text has no styles, and long lines are not wrapped."""
    out, err = run("doctor", "--project", "my-project")
    assert "\x1b" not in out + err
    line = next(line for line in out.splitlines() if line.startswith("FAILED  token"))
    assert len(line) > 80


@pytest.mark.parametrize(
    ("variable", "value", "styled"), [("NO_COLOR", "1", False), ("NO_COLOR", "", True), ("TERM", "dumb", False)]
)
def test_terminal_shows_styles_unless_they_are_unwanted(monkeypatch, variable, value, styled):
    """An empty NO_COLOR has no meaning, as https://no-color.org says."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(variable, value)
    stream = Terminal()
    Screen(stream).line("hm", "bold red")
    assert stream.getvalue() == ("\x1b[1;31mhm\x1b[0m\n" if styled else "hm\n")


def narrow(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    return io.StringIO()


def test_streamed_words_wrap_whole(monkeypatch):
    """A word that arrives in pieces stays whole, and further lines are indented."""
    stream = narrow(monkeypatch, 24)
    transcript = Transcript(Screen(stream))
    for piece in ("One two th", "ree four ", "fi", "ve six\nse", "ven eight nine"):
        transcript.piece("answer", piece)
    transcript.end()
    assert stream.getvalue() == (
        "answer    One two three\n          four five six\n          seven eight\n          nine\n"
    )


def test_json_wraps_between_fields(monkeypatch):
    stream = narrow(monkeypatch, 30)
    Transcript(Screen(stream)).entry("call", 'f {"amount":120,"source":"EUR","price":"1,5"}')
    assert stream.getvalue() == 'call      f {"amount":120,\n          "source":"EUR",\n          "price":"1,5"}\n'


def test_wide_characters_take_two_columns(monkeypatch):
    stream = narrow(monkeypatch, 20)
    Screen(stream).line("日本語日本語日本 日本")
    assert stream.getvalue() == "日本語日本語日本\n日本\n"


def test_word_that_is_longer_than_a_line_is_whole(monkeypatch):
    stream = narrow(monkeypatch, 20)
    url = "https://example.invalid/a/long/path"
    Screen(stream).line(f"See {url} for more")
    assert stream.getvalue().split() == ["See", url, "for", "more"]


def run_in_shell(code):
    """Return the arguments that bash passes to gcloud when it runs `code`, one per line."""
    shell = f'gcloud() {{ printf "%s\\n" "$@"; }}\n{code}'
    return subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True).stdout


def test_command_on_a_narrow_terminal_can_be_pasted(monkeypatch):
    """A shell reads the lines as one command. The comment is on lines of its own."""
    stream = narrow(monkeypatch, 40)
    text = 'gcloud projects add-iam-policy-binding p --member="user:$(gcloud config get-value account)" --role=r'
    Screen(stream).command(f"{text}   # a comment that is far longer than one line", "1. ")
    printed = stream.getvalue().removeprefix("1. ")
    assert printed.count("\n") > 4
    assert run_in_shell(printed) == run_in_shell(text)
    assert "# a comment that is far longer than\n   # one line\n" in printed


def test_help_keeps_words_that_are_longer_than_its_column(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    parser = argparse.ArgumentParser(formatter_class=_parser._HelpFormatter)
    parser.add_argument("--x", help="set GOOGLE_CLOUD_LOCATION by --api-key-env")
    assert parser.format_help().split()[-4:] == ["set", "GOOGLE_CLOUD_LOCATION", "by", "--api-key-env"]


def test_table_that_fits_has_columns(monkeypatch):
    stream = narrow(monkeypatch, 40)
    Screen(stream).table(("", "answer", "sent"), [("#1", "200", "a\nbb"), ("#2", "503", "-")])
    assert (
        stream.getvalue()
        == "     answer   sent\n------------------\n#1   200      a\n              bb\n#2   503      -\n"
    )
