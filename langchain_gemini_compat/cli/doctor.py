"""`doctor`: checks the setup from the arguments and the environment, and prints commands that fix its errors."""

from __future__ import annotations

import argparse
import json
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat import errors
from langchain_gemini_compat._catalog.surfaces import PROJECT_PLACEHOLDER
from langchain_gemini_compat._wire.json_types import JsonObject
from langchain_gemini_compat.cli import _checks as checks
from langchain_gemini_compat.cli._findings import (
    CHOOSE_ENDPOINT,
    GLOBAL_ARGUMENT,
    LOGIN,
    SET_GLOBAL,
    Finding,
    Place,
    explain_call,
    mention_gcloud,
    order_steps,
)
from langchain_gemini_compat.cli._options import Target, UsageError, add_target_arguments, read_target
from langchain_gemini_compat.cli._terminal import Screen

if TYPE_CHECKING:
    from langchain_gemini_compat import ChatGeminiCompat
    from langchain_gemini_compat._transport.tokens import TokenSource

_MARKS = {"ok": ("ok     ", "green"), "warning": ("warning", "yellow"), "failed": ("FAILED ", "bold red")}
_CALL_SECONDS = 20.0
_QUESTION = "Reply with the single word: ok"
_PATH = re.compile(r"/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `doctor`."""
    add_target_arguments(parser)
    parser.add_argument("--call", action="store_true", help="also send one small request; uses a few tokens")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Run all checks; return 0 if none failed."""
    diagnosis = _Diagnosis(read_target(args))
    diagnosis.examine(call=bool(args.call))
    diagnosis.findings += mention_gcloud(diagnosis.findings)
    if args.json:
        screen.verbatim(json.dumps(diagnosis.as_json(), ensure_ascii=False, indent=2) + "\n")
    else:
        diagnosis.show(screen)
    return 0 if diagnosis.is_well else 1


@dataclass(slots=True)
class _Diagnosis:
    """The setup that a chat model would use, and the findings of the checks."""

    target: Target
    place: Place = field(default_factory=lambda: Place("", ""))
    used: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """`True` if all checks passed. Warnings count as passed."""
        return all(finding.status != "failed" for finding in self.findings)

    @property
    def steps(self) -> list[str]:
        """The fixes of all findings, in the order to try."""
        return order_steps(self.findings)

    def as_json(self) -> JsonObject:
        """Return the diagnosis as `--json` prints it."""
        return {
            "ok": self.is_well,
            "used": {**self.used},
            "checks": [finding.as_json() for finding in self.findings],
            "steps": [*self.steps],
        }

    def show(self, screen: Screen) -> None:
        """Print the diagnosis as text."""
        for name, value in self.used.items():
            screen.line(f"{name:<10} {value}", indent=11)
        if self.used:
            screen.line()
        for finding in self.findings:
            mark, style = _MARKS[finding.status]
            screen.piece(mark, style)
            screen.line(f" {finding.name}: {finding.detail}", indent=8)
        screen.line()
        screen.line(self._conclude())
        for number, step in enumerate(self.steps, 1):
            screen.command(step, f"{number}. ")

    def _conclude(self) -> str:
        if self.steps:
            what = "Take these steps in order, then run doctor again:"
            return what if not self.is_well else "No check failed. These steps end the warnings:"
        if self.is_well:
            return "No problems found."
        return "There is no command to fix this. The lines marked FAILED say what is wrong."

    def examine(self, *, call: bool) -> None:
        """Run the checks in order. After a failed check, skip the checks that would fail only because of it."""
        self.findings += checks.check_versions()
        if not self.is_well:
            return
        try:
            with warnings.catch_warnings():
                # Warnings of this package are not shown here, because `check_environment` reports the same problems.
                warnings.simplefilter("ignore", errors.GeminiCompatWarning)
                model = self.target.build_model(timeout=_CALL_SECONDS, max_retries=0)
        except UsageError as err:
            self.findings += checks.check_environment(None)
            files = checks.check_credentials_file()
            is_logged_in = all(finding.status == "ok" for finding in files)
            fixes = tuple(fix for fix in CHOOSE_ENDPOINT if not (is_logged_in and fix.startswith(LOGIN)))
            self.findings += [Finding("endpoint", "failed", str(err), fixes), *files]
            return
        self._examine_endpoint(model)
        if call and self.is_well:
            self.findings.append(self._call(model))

    def _examine_endpoint(self, model: ChatGeminiCompat) -> None:
        info = model.endpoint_info()
        tokens = self.target.build_tokens()
        self.used = describe_use(self.target, info)
        url = info["base_url"]
        self.place = Place(info["surface"], url, _read_from_path(url, "project"), _global_location_line(self.target))
        # The host is probed while the token is fetched, because both the probe and the token may take seconds.
        probing = checks.start_probe(url)
        self.findings += checks.check_environment(self.place.surface)
        if self.place.is_vertex:
            self._examine_vertex(info["model"], tokens)
        if not self.place.is_vertex or tokens.info.kind == "application_default":
            self.findings.append(checks.check_token(tokens, self.place))
        if self.place.is_vertex and self.place.project is None and self.is_well:
            self._examine_project(tokens)
        self.findings.append(checks.check_network(probing, self.place))

    def _examine_vertex(self, model: str, tokens: TokenSource) -> None:
        if tokens.info.kind == "application_default":
            self.findings += checks.check_transport_package()
            self.findings += checks.check_credentials_file()
        elif not self.target.is_local:
            self.findings += checks.check_key_on_vertex(tokens.info.kind)
        self.findings += checks.check_location(model, _read_from_path(self.place.base_url, "location"), self.place)

    def _examine_project(self, tokens: TokenSource) -> None:
        project, findings = checks.check_project(tokens)
        self.findings += findings
        if project:
            self.used["project"] = f"{project} (from the credentials)"
            self.place = replace(self.place, project=project)

    def _call(self, model: ChatGeminiCompat) -> Finding:
        asked = model if self.place.surface == "openai_compatible" else model.bind(reasoning_effort="low")
        try:
            reply = asked.invoke(_QUESTION)
        except errors.UnusableReplyError as err:
            return Finding("call", "warning", f"The model answered, but the reply cannot be used: {err}")
        except errors.GeminiCompatError as err:
            return Finding("call", "failed", " ".join(str(err).split()), explain_call(err, self.place))
        usage = reply.usage_metadata
        spent = f"{usage['input_tokens']} tokens in, {usage['output_tokens']} out" if usage else "usage unknown"
        return Finding("call", "ok", f"The model answered ({spent}).")


def describe_use(target: Target, info: Mapping[str, object]) -> dict[str, str]:
    """Return the settings of a chat model: surface, URL, model, credential, and for Vertex AI project and location.

    The texts of the credential, the project and the location name their source, such as an environment variable.
    `info` is the result of `endpoint_info()`.
    """
    auth = cast("dict[str, str]", info["auth"])
    url = str(info["base_url"])
    used = {
        "surface": str(info["surface"]),
        "url": url,
        "model": str(info["model"]),
        "as": f"{auth['kind']} ({target.key_source or auth['source']})",
    }
    if info["surface"] == "vertex":
        given = {"project": target.project, "location": target.location}
        for name, option in given.items():
            used[name] = _describe_part(name, option, _read_from_path(url, name), by_url=target.base_url is not None)
    return used


def _describe_part(name: str, option: str | None, value: str | None, *, by_url: bool) -> str:
    variable = f"GOOGLE_CLOUD_{name.upper()}"
    if value is None:
        return "the project of the credentials"
    if by_url:
        return f"{value} (--base-url)"
    if option:
        return f"{value} (--{name})"
    return f"{value} (environment {variable})" if os.environ.get(variable) else f"{value} (default)"


def _global_location_line(target: Target) -> str:
    """Return a line for the user to paste, which changes the location to `global`.

    The line replaces the setting in effect: the URL, else `--location`, else the environment variable.
    """
    if target.base_url is not None:
        return f"{GLOBAL_ARGUMENT}   # with --project, and without --base-url"
    if target.location:
        return f'{GLOBAL_ARGUMENT}   # replaces your --location; in code: location="global"'
    return f'{SET_GLOBAL}   # in code: location="global"'


def _read_from_path(url: str, name: str) -> str | None:
    found = _PATH.search(url)
    value = found[name] if found else None
    return None if value == PROJECT_PLACEHOLDER else value
