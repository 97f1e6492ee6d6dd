"""The command `langchain-gemini-compat` and its exit codes.

0: success. 1: failure. 2: invalid arguments, or a package that the subcommand needs is not installed. 130: Ctrl-C.
141: the reader of the output has closed the pipe.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from langchain_gemini_compat.cli._options import UsageError, known_secrets
from langchain_gemini_compat.cli._parser import build_parser, load_command
from langchain_gemini_compat.cli._terminal import Screen, tolerate_encodings
from langchain_gemini_compat.errors import GeminiCompatError, GeminiCompatWarning

#: Packages that a subcommand needs in addition to the dependencies of this package.
_NEEDS = {"demo": ("langchain", "uvicorn"), "fake": ("uvicorn",)}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Args:
        argv: The arguments, without the name of the command. Default: the arguments of the process.
    """
    parser = build_parser()
    # The error of argparse would repeat the unknown arguments, and an unknown argument may be an API key.
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.error(_name_unknown(unknown))
    if args.command is None:
        parser.print_help()
        return 2
    missing = [name for name in _NEEDS.get(args.command, ()) if find_spec(name) is None]
    if missing:
        text = f"`{args.command}` needs {' and '.join(missing)}: run `pip install {' '.join(missing)}`."
        Screen(sys.stderr).line(f"error: {text}", "red")
        return 2
    return _run(args)


def _run(args: argparse.Namespace) -> int:
    tolerate_encodings()
    secrets = known_secrets(args)
    errors = Screen(sys.stderr, secrets)
    try:
        with warnings.catch_warnings():
            _show_warnings_as_notes(errors)
            code = load_command(cast("str", args.command)).run(args, Screen(sys.stdout, secrets))
            sys.stdout.flush()
            return code
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except BrokenPipeError:
        # At exit, Python flushes standard output again. It would report an error if standard output were still the
        # closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (UsageError, GeminiCompatError) as err:
        errors.line(f"error: {err}", "red")
        return 2 if isinstance(err, UsageError) else 1
    except _settings_errors() as err:
        errors.line(f"error: {err} ({type(err).__name__}). Check URLs, proxy settings and certificates.", "red")
        return 1


def _settings_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that Python and the HTTP library raise for an invalid URL, proxy or certificate file."""
    from langchain_gemini_compat._lazy import library_name

    return ValueError, OSError, cast("type[Exception]", import_module(library_name()).InvalidURL)


def _name_unknown(arguments: Sequence[str]) -> str:
    names = [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
    text = f"unknown options: {' '.join(names)}" if names else "arguments that this command does not accept"
    hint = " (do not put a key on the command line: set an environment variable and name it with --api-key-env)"
    return text + (hint if any("key" in name for name in names) else "")


def _show_warnings_as_notes(screen: Screen) -> None:
    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        if issubclass(category, GeminiCompatWarning):
            screen.line(f"note: {message}", "yellow")

    warnings.simplefilter("default", GeminiCompatWarning)
    warnings.showwarning = show
