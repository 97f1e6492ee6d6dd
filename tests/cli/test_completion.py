"""Tests the subcommand `completion`, which prints completion scripts for bash, zsh and fish."""

import shutil
import subprocess

import pytest

from langchain_gemini_compat.cli import main
from langchain_gemini_compat.cli._parser import COMMANDS, build_parser
from langchain_gemini_compat.cli.completion import read_arguments
from langchain_gemini_compat.testing import FAULTS

PROGRAM = "langchain-gemini-compat"


@pytest.fixture
def script(capsys):
    """Return the script of a shell."""

    def print_script(shell):
        assert main(["completion", shell]) == 0
        return capsys.readouterr().out

    return print_script


def needs(shell):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@needs("bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["d"], {"demo", "doctor"}),
        (["--v"], {"--version"}),
        (["fake", "--fault", "over"], {"overloaded"}),
        (["fake", "--fault", "="], set(FAULTS)),
        (["fake", "--fault", "=", "over"], {"overloaded"}),
        (["chat", "--surface", "ai"], {"ai_studio"}),
        (["chat", "--base-url", ""], set()),
        (["chat", "--base-url", "http://127.0.0.1/v1", "--no"], {"--no-thoughts"}),
        (["doctor", "--j"], {"--json"}),
        (["completion", ""], {"bash", "zsh", "fish", "-h", "--help"}),
        (["demo", "-p"], set()),
    ],
    # A test id must not contain a set, because the order of a set differs in each process.
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bash_completes_commands_options_and_values(script, words, expected):
    """Bash runs the script as it does when a user presses Tab after `words`."""
    line = [PROGRAM, *words]
    code = f'{script("bash")}\nCOMP_WORDS=("$@"); COMP_CWORD={len(words)}\n_langchain_gemini_compat\nprintf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-u", "-c", code, "bash", *line], capture_output=True, text=True)
    assert done.stderr == ""
    assert set(done.stdout.split()) == expected


def test_each_script_names_every_option_and_choice(script):
    """The scripts are made from the parser, so a new option is in all of them."""
    arguments = read_arguments(build_parser())
    assert set(arguments) == {"", *COMMANDS}
    flags = {flag for group in arguments.values() for argument in group for flag in argument.flags}
    choices = {choice for group in arguments.values() for argument in group for choice in argument.choices}
    assert {"--fault", "--prompt", "--api-key-env", "--version"} <= flags
    assert {"overloaded", "vertex", "tools", "fish"} <= choices
    for shell in ("bash", "zsh", "fish"):
        text = script(shell)
        spelt = {f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in flags}
        assert [flag for flag in (spelt if shell == "fish" else flags) if flag not in text] == []
        assert [choice for choice in choices if choice not in text] == []


@pytest.mark.parametrize("shell", [pytest.param(shell, marks=needs(shell)) for shell in ("bash", "zsh", "fish")])
def test_script_is_valid(script, shell):
    done = subprocess.run([shell, "-n"], input=script(shell), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@needs("fish")
def test_fish_completes_values(script):
    code = f"{script('fish')}\ncomplete -C '{PROGRAM} fake --fault over'"
    done = subprocess.run(["fish", "--no-config", "-c", code], capture_output=True, text=True)
    assert done.stdout.split()[0] == "overloaded"


def test_unknown_shell_is_an_error(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["completion", "powershell"])
    assert "invalid choice: 'powershell'" in capsys.readouterr().err
