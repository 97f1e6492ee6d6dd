"""`record FILE -- COMMAND`: a program records without a change of its code, and so do its child processes."""

import subprocess
import sys

import pytest
import yaml

from langchain_gemini_compat.cli import main
from langchain_gemini_compat.testing import FakeGemini, record, replay

#: A program that starts a child process, which forks another process. All three send requests at the same time.
PROGRAM = """
import os, subprocess, sys
from langchain_gemini_compat.testing import FakeGemini
model = FakeGemini("x" * 20_000).chat_model(api_key="canary-key-0123456789")
model.invoke(f"start of {sys.argv[1]}")
if sys.argv[1] == "parent":
    child = subprocess.Popen([sys.executable, __file__, "child"], cwd="/")
    name, wait = "parent", child.wait
else:
    fork = os.fork()
    name, wait = ("child", lambda: os.waitpid(fork, 0)) if fork else ("fork", lambda: None)
for number in range(4):
    model.invoke(f"{name} {number}")
wait()
print("output of the program")
sys.exit(7 if name == "parent" else 0)
"""


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.delenv("GEMINI_COMPAT_RECORD", raising=False)
    return tmp_path / "bug.yaml"


def run(*arguments):
    command = [sys.executable, "-m", "langchain_gemini_compat", "record", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def prompts(path):
    interactions = yaml.safe_load(path.read_text())["interactions"]
    return sorted(one["request"]["json"]["messages"][0]["content"] for one in interactions)


def test_command_and_its_children_record_into_one_file(path, tmp_path):
    """No process destroys the data of another. The exit code is the program's. The summary is on standard error."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = run("--max-body", 15_000, path, "--", sys.executable, program, "parent")
    assert (done.returncode, done.stdout) == (7, "output of the program\n" * 3)
    told = " ".join(done.stderr.split())
    assert f"14 exchanges recorded in {path}" in told
    assert "Read the file before you send it." in told
    numbered = [f"{name} {number}" for name in ("parent", "child", "fork") for number in range(4)]
    assert prompts(path) == sorted([*numbered, "start of parent", "start of child"])
    assert "canary" not in path.read_text()
    # `--max-body` applies to the child processes as well, so their bodies are cut.
    assert path.read_text().count("cut: ") >= 14


def test_command_without_requests_is_told(path, capfd):
    assert main(["record", str(path), "--", sys.executable, "-c", "print('--')"]) == 0
    out, err = capfd.readouterr()
    assert out == "--\n"
    assert "No exchange was recorded. Likely causes" in err
    with replay(path) as replayed:
        assert replayed.remaining == 0


def test_signal_that_ends_the_command_is_in_the_exit_code(path):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert main(["record", str(path), "--", sys.executable, "-c", code]) == 128 + 15


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bug.yaml"], "the following arguments are required: COMMAND"),
        (["missing/bug.yaml", "--", "true"], "cannot be written (No such file or directory)"),
        (["program.py", "--", "true"], "is not a cassette, so it is not replaced"),
        (
            ["bug.yaml", "--", "no-such-command"],
            "`no-such-command` cannot be run (no such command, or it is not executable)",
        ),
        (["--max-body", "1k", "bug.yaml", "--", "true"], "a size is a number of bytes"),
    ],
    ids=["no command", "no folder", "another file", "no such command", "size"],
)
def test_mistake_is_named(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text("print()\n")
    try:
        code = main(["record", *arguments])
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "program.py").read_text() == "print()\n"


@pytest.fixture
def older(path):
    """The content of an older cassette."""
    with record(path):
        FakeGemini("Hello.").chat_model().invoke("Hi")
    return path.read_text()


@pytest.mark.parametrize("has_older", [True, False])
@pytest.mark.parametrize("kind", ["missing", "not executable", "no program"])
def test_command_that_cannot_run_leaves_the_file_as_it_was(kind, has_older, path, tmp_path, request, capsys):
    before = request.getfixturevalue("older") if has_older else None
    command = tmp_path / "command"
    if kind != "missing":
        command.write_bytes(b"\0\0\0\0")
        command.chmod(0o755 if kind == "no program" else 0o644)
    assert main(["record", str(path), "--", str(command)]) == 2
    assert "cannot be run" in " ".join(capsys.readouterr().err.split())
    assert (path.read_text() if path.exists() else None) == before


@pytest.mark.parametrize(
    "text", ["provenance:\n  farm: north\n", "services:\n  web: {}\n", "interactions: 3\n", "\n"], ids=repr
)
def test_yaml_that_is_not_a_cassette_is_kept(text, path, capsys):
    path.write_text(text)
    assert main(["record", str(path), "--", sys.executable, "-c", ""]) == 2
    assert "is not a cassette, so it is not replaced" in " ".join(capsys.readouterr().err.split())
    assert path.read_text() == text


@pytest.mark.parametrize(
    "action",
    ["p.unlink()", "p.write_text('mine')", "p.write_text('a: [')", "p.unlink(); p.mkdir()", "p.write_bytes(b'\\xff')"],
)
def test_command_that_removes_or_replaces_the_file_keeps_its_exit_code(action, path, capsys):
    code = f"import pathlib, sys; p = pathlib.Path(sys.argv[1]); {action}; sys.exit(7)"
    assert main(["record", str(path), "--", sys.executable, "-c", code, str(path)]) == 7
    assert f"The cassette is missing: the command removed or replaced {path}." in " ".join(
        capsys.readouterr().err.split()
    )
