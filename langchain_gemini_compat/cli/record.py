"""`record`: runs a command, and writes the exchanges of its models to a cassette without secrets.

The environment variable `GEMINI_COMPAT_RECORD` passes the path of the cassette to the command and its child processes.
So no program has to change.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat.cli._options import UsageError
from langchain_gemini_compat.cli._terminal import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGNAL = 128


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `record`."""
    parser.epilog = "Write `--` before the command. `record` ends with the exit code of the command."
    parser.add_argument("file", metavar="FILE", help="the cassette to write; an older cassette is replaced")
    parser.add_argument("arguments", metavar="COMMAND", nargs="+", help="the command to run, with its arguments")
    parser.add_argument("--max-body", metavar="BYTES", type=_size, help="cut the texts of larger bodies")


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Run the command, print a summary to standard error, and return the exit code of the command."""
    del screen
    from langchain_gemini_compat.testing._cassettes.file import start_cassette

    path = Path(cast("str", args.file)).absolute()
    max_body = cast("int | None", args.max_body)
    command = cast("Sequence[str]", args.arguments)
    if shutil.which(command[0]) is None:
        raise _cannot_run(command, "no such command, or it is not executable")
    older = path.read_bytes() if path.is_file() else None
    try:
        start_cassette(path, max_body)
    except FileExistsError as err:
        raise UsageError(str(err)) from None
    except OSError as err:
        raise UsageError(f"{path} cannot be written ({err.strerror}). Choose a file in an existing folder.") from None
    try:
        process = subprocess.Popen(command, env=_build_environment(path, max_body))
    except OSError as err:
        _restore(path, older)
        raise _cannot_run(command, str(err.strerror)) from None
    code = _wait_for(process)
    _summarize(Screen(sys.stderr), path)
    return code


def _restore(path: Path, older: bytes | None) -> None:
    """Write the `older` content back to the file. If `older` is `None`, delete the file that this run created."""
    if older is None:
        path.unlink()
    else:
        path.write_bytes(older)


def _cannot_run(command: Sequence[str], reason: str) -> UsageError:
    return UsageError(f"`{shlex.quote(command[0])}` cannot be run ({reason}). Write the command after `--`.")


def _build_environment(path: Path, max_body: int | None) -> dict[str, str]:
    from langchain_gemini_compat._transport.tape import RECORD_VARIABLE
    from langchain_gemini_compat.testing._cassettes.recorder import MAX_BODY_VARIABLE

    return {**os.environ, RECORD_VARIABLE: str(path), MAX_BODY_VARIABLE: "" if max_body is None else str(max_body)}


def _wait_for(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code of a command. If a signal ended the command, return 128 plus the signal's number."""
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # Ctrl-C in a terminal also reaches the recorded command. Keep waiting until this command has ended.
            continue
        return code if code >= 0 else _SIGNAL - code


def _summarize(screen: Screen, path: Path) -> None:
    from langchain_gemini_compat.testing._cassettes.file import read_cassette

    try:
        exchanges = len(read_cassette(path).interactions)
    except (OSError, ValueError):
        text = (
            f"The cassette is missing: the command removed or replaced {path}. Choose a file that the command does not "
            "change."
        )
        screen.line(text, "yellow")
        return
    if not exchanges:
        screen.line(
            "No exchange was recorded. Likely causes: the command ended before its first request, it does not use this "
            "package, or it does not pass its environment to the program, for example in a container.",
            "yellow",
        )
        return
    size = f"{path.stat().st_size / 1000:.0f} kB"
    screen.line(f"{exchanges} exchange{'' if exchanges == 1 else 's'} recorded in {path} ({size}).", "bold")
    screen.line("Secrets are removed, but the texts of the conversation are not. Read the file before you send it.")


def _size(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a size is a number of bytes")
    return int(text)
