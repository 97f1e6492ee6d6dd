"""`fake`: serves the offline endpoint on a port of this machine, and prints one line for each request."""

from __future__ import annotations

import argparse
import time
from argparse import ArgumentTypeError
from difflib import get_close_matches
from typing import cast, get_args

from langchain_gemini_compat._catalog.surfaces import Surface
from langchain_gemini_compat.cli._options import DEFAULT_MODEL, PLACEHOLDER_KEY, SURFACE_NAMES, UsageError
from langchain_gemini_compat.cli._terminal import NARROW, Screen
from langchain_gemini_compat.testing import FAULTS

_LAST_PORT = 65_535
#: Maximum seconds until Ctrl-C ends the command.
_SECONDS_PER_WAIT = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `fake`."""
    parser.epilog = (
        f"Faults: {', '.join(FAULTS)}. The page docs/reference/faults.md describes how a call ends with each fault."
    )
    parser.add_argument(
        "--surface",
        choices=get_args(Surface),
        default="ai_studio",
        metavar="NAME",
        help=f"{SURFACE_NAMES}; default: %(default)s",
    )
    parser.add_argument(
        "--host", metavar="ADDRESS", default="127.0.0.1", help="the address to listen on; default: %(default)s"
    )
    parser.add_argument(
        "--port", type=_port, metavar="NUMBER", default=8765, help="0 selects a free port; default: %(default)s"
    )
    replies = parser.add_mutually_exclusive_group()
    replies.add_argument(
        "--rule",
        choices=("echo", "tools", "verify"),
        metavar="NAME",
        default="echo",
        help="echo: repeat the last user message; tools: call each tool once, then answer; verify: answer as the "
        "command verify expects; default: %(default)s",
    )
    replies.add_argument(
        "--fault", type=_fault, choices=[*FAULTS], metavar="NAME", help="answer every request with this fault"
    )


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Serve until Ctrl-C, then return 130."""
    from langchain_gemini_compat.cli._fake_rules import RULES, LoggedFake

    surface = cast("Surface", args.surface)
    fake = LoggedFake(screen, RULES[str(args.rule)], surface, fault=cast("str | None", args.fault))
    try:
        with fake.serve(int(args.port), host=str(args.host)) as base_url:
            _introduce(screen, base_url, surface)
            _wait()
    except BrokenPipeError:
        raise
    except OSError as err:
        text = f"Port {args.port} of {args.host} cannot be used ({err}). Use --port 0 for a free port."
        raise UsageError(text) from None
    except KeyboardInterrupt:
        count = len(fake.requests)
        screen.line()
        screen.line(f"Stopped after {count} request{'' if count == 1 else 's'}.")
        return 130
    return 0


def _wait() -> None:
    # Wait in short steps: Ctrl-C just before a step does not end this step.
    while True:
        time.sleep(_SECONDS_PER_WAIT)


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else -1
    if not 0 <= port <= _LAST_PORT:
        # For a `ValueError`, argparse would print the name of this function instead of the text of the error.
        raise ArgumentTypeError(f"a port is a number from 0 to {_LAST_PORT}; 0 selects a free port")
    return port


def _fault(text: str) -> str:
    if text not in FAULTS:
        near = get_close_matches(text.lower().replace("-", "_"), FAULTS, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the faults are {', '.join(FAULTS)}"
        raise ArgumentTypeError(f"there is no fault {text!r}; {hint}")
    return text


def _introduce(screen: Screen, base_url: str, surface: Surface) -> None:
    is_narrow = screen.width is not None and screen.width < NARROW
    name = "(\n    ChatGeminiCompat,\n)" if is_narrow else "ChatGeminiCompat"
    model = f"google/{DEFAULT_MODEL}" if surface == "vertex" else DEFAULT_MODEL
    screen.line(base_url, "bold")
    # The user copies these lines, so they are not wrapped.
    screen.verbatim(f"""
from langchain_gemini_compat import {name}

model = ChatGeminiCompat(
    model="{DEFAULT_MODEL}",
    surface="{surface}",
    base_url="{base_url}",
    api_key="{PLACEHOLDER_KEY}",
)
print(model.invoke("Hi").text)

curl -s \\
  {base_url}/chat/completions \\
  -H "Authorization: Bearer {PLACEHOLDER_KEY}" \\
  -H "Content-Type: application/json" \\
  -d '{{
    "model": "{model}",
    "messages": [
      {{"role": "user", "content": "Hi"}}
    ]}}'

""")
    screen.line("Press Ctrl-C to stop. Requests:", "dim")
