"""`verify`: checks the claims of this package against a server, one probe for each claim."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat.cli._options import UsageError, add_target_arguments, read_target
from langchain_gemini_compat.cli._terminal import Screen, draw_bar

if TYPE_CHECKING:
    import httpx2

    from langchain_gemini_compat.cli._options import Target
    from langchain_gemini_compat.cli._verify.estimate import Estimate
    from langchain_gemini_compat.cli._verify.lab import Lab
    from langchain_gemini_compat.cli._verify.probe import Probe
    from langchain_gemini_compat.cli._verify.report import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `verify`."""
    add_target_arguments(parser)
    group = parser.add_argument_group("run")
    group.add_argument(
        "--only",
        metavar="NAMES",
        help="names of probes and topics, separated by commas; probes that a named probe needs also run",
    )
    group.add_argument(
        "--max-cost", metavar="USD", type=_amount, help="do not start if the estimated price is higher or not known"
    )
    group.add_argument("--json", metavar="FILE", help="write the report to this file, as JSON")
    group.add_argument("--record", metavar="DIR", help="write the exchanges of each probe to a cassette in this folder")
    group.add_argument("--yes", action="store_true", help="do not ask before the requests are sent")


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Run the probes; return 0 if the result of every probe is as expected."""
    from langchain_gemini_compat.cli._verify.estimate import estimate_cost
    from langchain_gemini_compat.cli._verify.lab import Lab
    from langchain_gemini_compat.cli._verify.runner import select_probes

    target, path = read_target(args), _read_path(cast("str | None", args.json))
    folder = _read_folder(cast("str | None", args.record))
    with _open_client(target) as client:
        lab = Lab(target, client, keeps_replies=folder is None)
        probes = select_probes(lab.surface, lab.model, _names(cast("str | None", args.only)))
        estimate = estimate_cost(probes, lab.model, lab.surface, is_local=target.is_local)
        _introduce(screen, lab, probes, estimate)
        _check_cost(estimate, cast("Decimal | None", args.max_cost))
        if not args.yes and not _ask(screen):
            screen.line("Nothing was sent.")
            return 1
        report = _run_probes(screen, lab, probes, estimate, folder)
    report.show(screen)
    if path is not None:
        _write_report(screen, report, path)
    return 0 if report.is_well else 1


def _write_report(screen: Screen, report: Report, path: Path) -> None:
    """Write the report to `path`. If this fails, print the report, because the requests of the run have cost money."""
    text = screen.clean(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as err:
        screen.line(text)
        raise UsageError(f"`--json` {path} cannot be written ({err}). The report is printed above.") from None


def _read_path(name: str | None) -> Path | None:
    """Return the path of the report. If the file cannot be written, raise an error before any request."""
    path = Path(name) if name else None
    if path is not None:
        try:
            path.open("a", encoding="utf-8").close()
        except OSError:
            raise UsageError(f"`--json` {name} cannot be written. Choose a file in an existing folder.") from None
    return path


def _read_folder(name: str | None) -> Path | None:
    """Create the folder of the cassettes and return it."""
    folder = Path(name) if name else None
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as err:
            raise UsageError(
                f"`--record` {name} cannot be used as a folder ({type(err).__name__}). Choose another folder."
            ) from None
    return folder


def _open_client(target: Target) -> httpx2.Client:
    """Return the HTTP client of all requests. Requests to a server on this machine use no proxy."""
    from langchain_gemini_compat._transport.http_library import build_client

    return build_client(trust_env=not target.is_local)


def _introduce(screen: Screen, lab: Lab, probes: Sequence[Probe], estimate: Estimate) -> None:
    screen.line(f"{lab.model} at {lab.base_url} ({lab.surface})", "bold")
    screen.line(f"{len(probes)} probes, {estimate.requests} requests. {estimate.describe()}")


def _check_cost(estimate: Estimate, limit: Decimal | None) -> None:
    if limit is None:
        return
    if estimate.price is None:
        raise UsageError(f"`--max-cost` needs a known price. {estimate.describe()}")
    if estimate.price > limit:
        raise UsageError(f"{estimate.describe()} This is more than `--max-cost` {limit}. Select probes with `--only`.")


def _ask(screen: Screen) -> bool:
    if not (screen.live and sys.stdin.isatty()):
        raise UsageError("`verify` asks before it sends requests, and there is no terminal to answer. Add --yes.")
    screen.piece("Start? [y/N] \n")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _run_probes(screen: Screen, lab: Lab, probes: Sequence[Probe], estimate: Estimate, folder: Path | None) -> Report:
    """Run the probes, and record their exchanges in `folder`. On a terminal, print each result above a progress bar."""
    from langchain_gemini_compat.cli._verify.report import build_report
    from langchain_gemini_compat.cli._verify.runner import run_probes

    results = []
    _show_bar(screen, 0, len(probes))
    try:
        for result in run_probes(lab, probes, _build_recorder(lab, folder)):
            results.append(result)
            _clear_bar(screen)
            if screen.live:
                style = "dim" if result.status == "ok" else "yellow"
                screen.line(f"{len(results):>3}/{len(probes)} {result.status:<11} {result.probe.id}", style)
            _show_bar(screen, len(results), len(probes))
    finally:
        _clear_bar(screen)
    screen.line()
    return build_report(lab, estimate, results)


def _show_bar(screen: Screen, done: int, count: int) -> None:
    if screen.live:
        screen.status(f"{draw_bar(done, count)} {done} of {count} probes")


def _clear_bar(screen: Screen) -> None:
    if screen.live:
        screen.status("")


def _build_recorder(lab: Lab, folder: Path | None) -> Callable[[Probe], AbstractContextManager[object]]:
    """Return the function that records a probe in `folder`. Without a folder, the function records nothing."""
    if folder is None:
        return nullcontext
    from langchain_gemini_compat.cli._verify.recording import record_probe

    return partial(record_probe, folder, lab.surface)


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise argparse.ArgumentTypeError("an amount is a number of US dollars, such as 0.50")
    return amount
