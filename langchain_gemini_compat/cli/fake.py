"""`fake`: serves the offline endpoint on a port of this machine, and prints one line for each request."""

from __future__ import annotations

import argparse
import threading
from argparse import ArgumentTypeError
from typing import cast, get_args

from langchain_gemini_compat._catalog.surfaces import Surface
from langchain_gemini_compat.cli._options import DEFAULT_MODEL, PLACEHOLDER_KEY, UsageError
from langchain_gemini_compat.cli._terminal import Screen

_LAST_PORT = 65_535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `fake`."""
    parser.add_argument("--surface", choices=get_args(Surface), default="ai_studio", help="default: %(default)s")
    parser.add_argument("--port", type=_port, default=8765, help="0 selects a free port; default: %(default)s")
    parser.add_argument(
        "--rule",
        choices=("echo", "tools"),
        default="echo",
        help="echo: repeat the last user message; tools: call each tool once, then answer; default: %(default)s",
    )


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Serve until Ctrl-C, then return 0."""
    from langchain_gemini_compat.cli._fake_rules import RULES, LoggedFake

    surface = cast("Surface", args.surface)
    fake = LoggedFake(screen, RULES[str(args.rule)], surface)
    try:
        with fake.serve(int(args.port)) as base_url:
            _introduce(screen, base_url, surface)
            _wait()
    except OSError as err:
        raise UsageError(f"Port {args.port} cannot be used ({err}). Use --port 0 for a free port.") from None
    except KeyboardInterrupt:
        screen.line()
        screen.line(f"Stopped after {len(fake.requests)} requests.")
    return 0


def _wait() -> None:
    threading.Event().wait()


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else -1
    if not 0 <= port <= _LAST_PORT:
        # For a ValueError, argparse would print the name of this function.
        raise ArgumentTypeError(f"a port is a number from 0 to {_LAST_PORT}; 0 selects a free port")
    return port


def _introduce(screen: Screen, base_url: str, surface: Surface) -> None:
    model = f"google/{DEFAULT_MODEL}" if surface == "vertex" else DEFAULT_MODEL
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hi"}}]}}'
    screen.line(base_url, "bold")
    screen.line()
    screen.line("from langchain_gemini_compat import ChatGeminiCompat")
    place = f'surface="{surface}", base_url="{base_url}", api_key="{PLACEHOLDER_KEY}"'
    screen.line(f'print(ChatGeminiCompat(model="{DEFAULT_MODEL}", {place}).invoke("Hi").text)')
    screen.line()
    headers = f'-H "Authorization: Bearer {PLACEHOLDER_KEY}" -H "Content-Type: application/json"'
    screen.line(f"curl -s {base_url}/chat/completions {headers} -d '{body}'")
    screen.line()
    screen.line("Press Ctrl-C to stop. Requests:", "dim")
