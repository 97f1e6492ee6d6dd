"""`completion`: prints a script that completes commands, options and values in bash, zsh or fish.

The script is made from the parser, so the script knows every option.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from langchain_gemini_compat.cli._parser import COMMANDS, PROGRAM, Parser, build_parser
from langchain_gemini_compat.cli._terminal import Screen

_FUNCTION = "_langchain_gemini_compat"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the argument of `completion`."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Print the script."""
    writers: dict[str, Callable[[Mapping[str, Sequence[Argument]]], Iterator[str]]] = {
        "bash": write_bash,
        "zsh": write_zsh,
        "fish": write_fish,
    }
    for line in writers[str(args.shell)](read_arguments(build_parser())):
        screen.verbatim(f"{line}\n")
    return 0


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a command. A positional argument has no flags."""

    flags: tuple[str, ...]
    help: str
    #: The name of the option's value, as in the help; empty if the option has no value.
    value: str
    choices: tuple[str, ...]


def read_arguments(parser: Parser) -> dict[str, list[Argument]]:
    """Return a dict from the name of a subcommand to its arguments. The empty name stands for the command itself."""
    found = {"": [_read(action) for action in parser.arguments if not isinstance(action.choices, dict)]}
    for action in parser.arguments:
        if isinstance(action.choices, dict):
            for name, command in action.choices.items():
                found[name] = [_read(argument) for argument in command.arguments]
    return found


def _read(action: argparse.Action) -> Argument:
    takes_value = action.nargs != 0
    name = action.metavar if isinstance(action.metavar, str) else action.dest
    return Argument(
        flags=tuple(action.option_strings),
        help=(action.help or "") % vars(action) if action.help else "",
        value=name if takes_value else "",
        choices=tuple(map(str, action.choices or ())),
    )


def write_bash(commands: Mapping[str, Sequence[Argument]]) -> Iterator[str]:
    """Yield the lines of the script for bash, which also works in bash 3."""
    yield f'# Completion of {PROGRAM} for bash. Load it: eval "$({PROGRAM} completion bash)"'
    yield f"{_FUNCTION}() {{"
    yield '    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD - 1]}" command="" word words'
    yield "    # bash makes three words of --option=value."
    yield '    if [ "$current" = "=" ]; then current=""'
    yield '    elif [ "$previous" = "=" ]; then previous="${COMP_WORDS[COMP_CWORD - 2]}"; fi'
    yield '    for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do'
    yield f'        case "$word" in {"|".join(COMMANDS)}) command="$word"; break ;; esac'
    yield "    done"
    yield '    case "$command $previous" in'
    for command, arguments in commands.items():
        for argument in arguments:
            if argument.value and argument.flags:
                patterns = "|".join(f'"{command} {flag}"' for flag in argument.flags)
                yield f'        {patterns}) words="{" ".join(argument.choices)}" ;;'
    yield '        *) case "$command" in'
    for command, arguments in commands.items():
        words = [flag for argument in arguments for flag in argument.flags]
        words += [choice for argument in arguments if not argument.flags for choice in argument.choices]
        yield f'            "{command}") words="{" ".join([*words, *([] if command else COMMANDS)])}" ;;'
    yield "        esac ;;"
    yield "    esac"
    yield '    COMPREPLY=($(compgen -W "$words" -- "$current"))'
    yield "}"
    yield f"complete -F {_FUNCTION} {PROGRAM}"


def write_zsh(commands: Mapping[str, Sequence[Argument]]) -> Iterator[str]:
    """Yield the lines of the script for zsh."""
    yield f"#compdef {PROGRAM}"
    yield f'# Completion of {PROGRAM} for zsh. Load it after compinit: eval "$({PROGRAM} completion zsh)"'
    yield f"{_FUNCTION}() {{"
    yield "    local line state"
    yield "    local -a commands"
    descriptions = (_quote(f"{name}:{_escape_zsh(text)}") for name, text in COMMANDS.items())
    yield f"    commands=({' '.join(descriptions)})"
    yield f"    _arguments -C {' '.join(_zsh_specs(commands['']))} '1:command:->command' '*::argument:->argument'"
    yield '    case "$state" in'
    yield "        command) _describe command commands ;;"
    yield '        argument) case "$line[1]" in'
    for command in COMMANDS:
        yield f"            {command}) _arguments {' '.join(_zsh_specs(commands[command]))} ;;"
    yield "        esac ;;"
    yield "    esac"
    yield "}"
    yield f'if [ "$funcstack[1]" = "{_FUNCTION}" ]; then {_FUNCTION} "$@"; else compdef {_FUNCTION} {PROGRAM}; fi'


def _zsh_specs(arguments: Sequence[Argument]) -> Iterator[str]:
    place = 0
    for argument in arguments:
        values = f"({' '.join(argument.choices)})" if argument.choices else ""
        value = f":{argument.value}:{values}" if argument.value else ""
        if not argument.flags:
            place += 1
            yield _quote(f"{place}{value}")
        others = f"({' '.join(argument.flags)})" if len(argument.flags) > 1 else ""
        for flag in argument.flags:
            yield _quote(f"{others}{flag}[{_escape_zsh(argument.help)}]{value}")


def write_fish(commands: Mapping[str, Sequence[Argument]]) -> Iterator[str]:
    """Yield the lines of the script for fish."""
    yield f"# Completion of {PROGRAM} for fish. Load it: {PROGRAM} completion fish | source"
    yield f"complete -c {PROGRAM} -f"
    for name, text in COMMANDS.items():
        yield f"complete -c {PROGRAM} -n __fish_use_subcommand -a {name} -d {_quote(text)}"
    for command, arguments in commands.items():
        condition = f"'__fish_seen_subcommand_from {command}'" if command else "__fish_use_subcommand"
        for argument in arguments:
            flags = (f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in argument.flags)
            parts = [f"complete -c {PROGRAM} -n {condition}", *flags]
            if argument.value and argument.flags:
                parts.append("-x")
            if argument.choices:
                parts.append(f"-a {_quote(' '.join(argument.choices))}")
            yield " ".join([*parts, f"-d {_quote(argument.help)}"])


def _escape_zsh(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")


def _quote(text: str) -> str:
    r"""Return `text` in single quotes, for bash, zsh and fish alike.

    >>> _quote("it's")
    "'it'\\''s'"
    """
    return "'" + text.replace("'", "'\\''") + "'"
