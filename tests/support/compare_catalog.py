"""Compares the catalog of models with what other packages publish, and lists each difference for a person to judge.

    uv run python tests/support/compare_catalog.py

It installs the newest versions of the packages into a temporary folder. Exit code 1: a model is published that the
catalog does not have, or a difference has no explanation in `tests/catalog/exceptions.json`. If the other packages are
right, correct the catalog and give its source. If not, add an exception: what we say, what they say, why we keep ours,
and the date.
"""

import argparse
import json
import re
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import get_args

from published_facts import install_packages, read_claims, read_versions

from langchain_gemini_compat._catalog.langchain_profile import build_profile
from langchain_gemini_compat._catalog.models import family_of, known_families
from langchain_gemini_compat._response.finish_reasons import is_known_reason
from langchain_gemini_compat._settings.argument_types import MediaResolution, Modality, ServiceTier

EXCEPTIONS = Path(__file__).parents[1] / "catalog" / "exceptions.json"
#: The value in a `Difference` for our catalog or the package, if it lacks the model, the enum value or the family.
ABSENT = "absent"
LISTED = "listed"
UNKNOWN = "unknown"
#: Matches the names of catalog rows for a whole generation, such as `gemini-4`.
_GENERATION = re.compile(r"gemini-[0-9.]+")


@dataclass(frozen=True)
class Difference:
    """A fact on which `package` and our catalog differ. `subject` is the model or the enum that the fact is about."""

    subject: str
    fact: str
    ours: object
    theirs: object
    package: str

    @property
    def is_new_model(self):
        """Whether the catalog lacks the model."""
        return self.fact == "model"


def find_differences(claims):
    """Return the claims that differ from our catalog, without repetitions."""
    found = {}
    listed = {family_of(claim.subject) for claim in claims if claim.fact == "model"}
    for family in known_families():
        if has_model(family.name) and family not in listed:
            found[family.name] = Difference(family.name, "family", LISTED, ABSENT, "all")
    for claim in claims:
        for fact, ours, theirs in _compare(claim):
            difference = Difference(claim.subject, fact, _plain(ours), _plain(theirs), claim.package)
            found.setdefault(repr(difference), difference)
    return list(found.values())


def _compare(claim):
    """Yield a fact, our value and the package's value if the two values differ.

    A fact is not compared if our catalog has no value for it.
    """
    if claim.fact == "values":
        unknown = sorted(set(claim.value) - _values_of(claim.subject, claim.value))
        yield from ((f"value {value}", ABSENT, LISTED) for value in unknown if "unspecified" not in value)
        return
    if claim.fact == "model":
        if not has_model(claim.subject):
            yield "model", ABSENT, LISTED
        return
    ours = our_value(claim.subject, claim.fact) if family_of(claim.subject).known else None
    if ours is not None and _plain(ours) != _plain(claim.value):
        yield claim.fact, ours, claim.value


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


def has_model(model):
    """Return whether the catalog has a family for `model`.

    A family for a whole generation, such as `gemini-4`, does not count. The default families for unknown models do not
    count either.
    """
    family = family_of(model)
    return family.known and not _GENERATION.fullmatch(family.name)


def our_value(model, fact):
    """Return the value of `fact` in our catalog; `None` if this fact is not compared.

    If another API than Chat Completions serves the model, only the fact `chat` is compared.
    """
    family = family_of(model)
    if fact == "chat":
        return not family.other_api
    if family.other_api:
        return None
    kind, _, name = fact.partition(" ")
    if kind == "level":
        return name in family.levels
    if kind in ("end", "successor"):
        return _end_of(family, kind, name)
    return (build_profile(family) or {}).get(fact)


def _end_of(family, kind, surface):
    """Return the date on which the service ends or, if `kind` is "successor", the model that replaces the family.

    The result is `UNKNOWN` if the catalog lacks the date or the model. If the catalog has no end of the service, the
    successor is `None` and is not compared.
    """
    end = family.end_on_vertex if surface.endswith("Vertex AI") else family.end_on_ai_studio
    if kind == "end":
        return str(end.date) if end and end.date else UNKNOWN
    return (end.successor or UNKNOWN) if end else None


def _values_of(enum, theirs):
    """Return the values of Google's enum `enum` that this package knows, in lower case."""
    if enum == "ThinkingLevel":
        return {level for family in known_families() for level in family.levels}
    if enum == "FinishReason":
        return {reason for reason in theirs if is_known_reason(reason)}
    ours = {"MediaResolution": MediaResolution, "Modality": Modality, "ServiceTier": ServiceTier}[enum]
    return {value.lower() for value in get_args(ours)}


def read_exceptions(path):
    """Return the exceptions in the file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def explains(exception, difference):
    """Whether the exception is about this difference. Its `subjects` may be patterns such as `gemini-*-latest`."""
    return (
        any(fnmatchcase(difference.subject, pattern) for pattern in exception["subjects"])
        and difference.package in exception["packages"]
        and all(exception[key] == getattr(difference, key) for key in ("fact", "ours", "theirs"))
    )


def split_differences(differences, exceptions):
    """Return the differences without an exception, the differences with their exception, and unused exceptions."""
    unexplained, explained, used = [], [], []
    for difference in differences:
        exception = next((item for item in exceptions if explains(item, difference)), None)
        if exception is None:
            unexplained.append(difference)
        else:
            explained.append((difference, exception))
            used.append(exception)
    return unexplained, explained, [item for item in exceptions if item not in used]


def write_report(versions, unexplained, explained, unused, *, verbose):
    """Return the report as text. With `verbose`, explained differences are listed with their reasons."""
    lines = ["Compared with " + ", ".join(f"{package} {version}" for package, version in versions.items())]
    new = [item for item in unexplained if item.is_new_model]
    lines += _section("Models that the catalog does not have", _group(new, versions))
    rest = [item for item in unexplained if not item.is_new_model]
    lines += _section("Differences without an explanation", _group(rest, versions))
    if verbose:
        reasons = defaultdict(list)
        for difference, exception in explained:
            reasons[exception["why"]].append(difference)
        for why, items in reasons.items():
            lines += _section(f"Explained: {why}", _group(items, versions))
    lines += _section(
        "Exceptions that explain nothing: remove them",
        [f"{', '.join(item['subjects'])}: {item['fact']}" for item in unused],
    )
    lines.append(f"{len(new)} new models, {len(rest)} differences without an explanation, {len(explained)} explained")
    return "\n".join(lines)


def _section(title, lines):
    return ["", title, *(f"  {line}" for line in lines), ""] if lines else []


def _group(differences, versions):
    """Return one line for each difference, with all packages that differ from our catalog in the same way."""
    packages = defaultdict(list)
    for item in sorted(differences, key=lambda item: (item.subject, item.fact)):
        packages[item.subject, item.fact, repr(item.ours), repr(item.theirs)].append(item.package)
    return [
        f"{subject}: {fact}: ours {ours}, theirs {theirs} ({', '.join(_named(name, versions) for name in names)})"
        for (subject, fact, ours, theirs), names in packages.items()
    ]


def _named(package, versions):
    return f"{package} {versions[package]}" if package in versions else package


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", metavar="DIR", help="folder in which the packages are installed already")
    parser.add_argument("--exceptions", metavar="FILE", default=EXCEPTIONS, help="default: %(default)s")
    parser.add_argument("--all", action="store_true", help="list the explained differences, too")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.packages or temporary
        if not arguments.packages:
            install_packages(folder)
        versions, claims = read_versions(folder), read_claims(folder)
    results = split_differences(find_differences(claims), read_exceptions(arguments.exceptions))
    print(write_report(versions, *results, verbose=arguments.all))
    return 1 if results[0] else 0


if __name__ == "__main__":
    sys.exit(main())
