"""Selects probes and runs them one after the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_gemini_compat import errors
from langchain_gemini_compat._catalog.models import family_of
from langchain_gemini_compat.cli._options import UsageError
from langchain_gemini_compat.cli._verify.lab import WAITS
from langchain_gemini_compat.cli._verify.probe import NotCheckedError, Observation
from langchain_gemini_compat.cli._verify.probes import PROBES, TOPICS

if TYPE_CHECKING:
    from langchain_gemini_compat._catalog.surfaces import Surface
    from langchain_gemini_compat.cli._verify.lab import Lab
    from langchain_gemini_compat.cli._verify.probe import Probe

#: `ok`: the server behaves as expected. `differs`: it does not. `skipped`: the probe depends on another probe that is
#: not `ok`. `not checked`: the server gave no answer about the claim, for example because of a quota.
Status: TypeAlias = Literal["ok", "differs", "skipped", "not checked"]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one probe."""

    probe: Probe
    status: Status
    expected: str
    seen: str


def select_probes(surface: Surface, model: str, only: Sequence[str] = ()) -> list[Probe]:
    """Return the probes for a surface and a model, in order.

    Args:
        surface: The surface.
        model: The name of the model.
        only: Names of probes and topics. Probes that a named probe needs are also selected. If empty, all probes are
            selected.

    Raises:
        UsageError: A name is unknown, or none of the named probes applies.
    """
    family = family_of(model)
    fitting = [probe for probe in PROBES if surface in probe.sources and probe.fits(family)]
    if not only:
        return fitting
    wanted = _expand(only)
    for probe in reversed(fitting):
        if probe.id in wanted:
            wanted |= {*probe.needs}
    selected = [probe for probe in fitting if probe.id in wanted]
    if not {probe.id for probe in selected} & _expand(only):
        raise UsageError(f"None of these probes applies to {model} on {surface}: {', '.join(only)}.")
    return selected


def _expand(names: Iterable[str]) -> set[str]:
    """Return the ids of the probes in `names`. A name is the id of one probe, or a topic with several probes."""
    known = {probe.id for probe in PROBES}
    found: set[str] = set()
    for name in names:
        if name not in known and name not in TOPICS:
            raise UsageError(f"There is no probe or topic {name!r}. The topics are {', '.join(TOPICS)}.")
        found |= {probe.id for probe in TOPICS[name]} if name in TOPICS else {name}
    return found


def run_probes(
    lab: Lab, probes: Sequence[Probe], around: Callable[[Probe], AbstractContextManager[object]] = nullcontext
) -> Iterator[Result]:
    """Run `probes` in order, and yield the result of each probe.

    `around` is called with each probe, and returns the context manager in which this probe runs.
    """
    passed: set[str] = set()
    selected = {probe.id for probe in probes}
    for probe in probes:
        missing = [name for name in probe.needs if name in selected and name not in passed]
        if missing:
            result = Result(probe, "skipped", probe.expected, f"needs {' and '.join(missing)}")
        else:
            with around(probe):
                result = run_probe(lab, probe)
        if result.status == "ok":
            passed.add(probe.id)
        yield result


def run_probe(lab: Lab, probe: Probe) -> Result:
    """Run one probe. An error of the server becomes a result."""
    try:
        seen = _check(lab, probe)
    except NotCheckedError as err:
        return Result(probe, "not checked", probe.expected, str(err))
    except errors.GeminiCompatError as err:
        status: Status = "not checked" if _says_nothing(err) else "differs"
        seen = Observation(holds=False, seen=f"{type(err).__name__}: {' '.join(str(err).split())}")
        return Result(probe, status, probe.expected, seen.seen)
    return Result(probe, "ok" if seen.holds else "differs", seen.expected or probe.expected, seen.seen)


def _check(lab: Lab, probe: Probe) -> Observation:
    """Return what the probe saw. If a retryable error occurs, such as an overload, run the probe again."""
    asked = lab.for_model(probe.model)
    with warnings.catch_warnings():
        # Some probes set options on purpose that the package does not send. The package's warnings are expected.
        warnings.simplefilter("ignore", errors.GeminiCompatWarning)
        for wait in WAITS:
            try:
                return probe.check(asked)
            except errors.GeminiCompatError as err:
                if not err.is_retryable:
                    raise
            lab.sleep(wait)
        return probe.check(asked)


def _says_nothing(err: errors.GeminiCompatError) -> bool:
    """Return whether the error is about the network, the credentials or the quota, and not about the claim."""
    outside = (
        errors.AuthenticationError,
        errors.PermissionDeniedError,
        errors.CredentialsError,
        errors.RateLimitError,
        errors.ServerError,
        errors.APIConnectionError,
    )
    return isinstance(err, outside) and not isinstance(err, errors.TruncatedStreamError)
