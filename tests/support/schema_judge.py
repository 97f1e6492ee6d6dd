"""Checks whether the values of a compiled schema satisfy the original schema, except for the listed losses.

A validator finds the keywords of the original schema that a value fails. Each failure needs a listed loss that explains
it: a loss of the failing keyword, or of a schema that contains this keyword directly or through a reference. If a value
fits no branch of a union, it is enough that losses explain all failures of one branch.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
from jsonschema.exceptions import FormatError
from schema_samples import RANGES, build_samples

from langchain_gemini_compat._schema.references import resolve_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
SINGLE = ("items", "additionalItems", "not", "if", "then", "else", "contains", "propertyNames")
#: A loss with one of these reasons is the loss of a whole subschema. Other losses are losses of one keyword.
WHOLE = (
    "The original schema is too deep or too large, so the part that describes this value is not checked.",
    "In the original schema, no value of `enum` or `const` satisfies the other keywords.",
    "The original schema allows no value here (`false`), but the schema that is sent does.",
    "The original schema allows only null. The schema that is sent also allows a string.",
)
#: Maximum number of references to the same definition that `_follow` resolves in one chain.
MOST_OPENED = 40
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class Formats(FormatChecker):
    """Checks the formats that compiled schemas keep. Every other format fails, so that a missing loss is found."""

    def check(self, instance, name):
        """Raise `FormatError` if the value does not have the format."""
        if (
            isinstance(instance, (str, int, float))
            and not isinstance(instance, bool)
            and not _has_format(instance, name)
        ):
            raise FormatError(f"{instance!r} is not a {name}")


def _has_format(value: str | float, name: str) -> bool:
    if isinstance(value, str):
        return name == "enum" or (name == "date-time" and MOMENT.fullmatch(value) is not None)
    return name in ("float", "double") or abs(value) <= RANGES.get(name, -1)


def find_unexplained(original: Any, compiled: Any, losses: list[Any], samples: list[Any] | None = None) -> list[str]:
    """Check samples of `compiled` against `original`, and return the failures that no loss explains."""
    judge = Judge(original, {find_covered(loss) for loss in losses})
    found = build_samples(compiled) if samples is None else samples
    return [text for sample in found for text in judge.find_unexplained(sample)]


def find_covered(loss: Any) -> str:
    """Return the JSON pointer of what is lost: a keyword or a whole schema."""
    names = keyword = False
    last = ""
    for last in loss.path.split("/")[1:]:
        keyword = not names
        names = keyword and last in MAPS
    if (keyword and last == loss.keyword) or loss.reason in WHOLE:
        return loss.path
    return f"{loss.path}/{loss.keyword}"


class Judge:
    """Checks values against the original schema. The listed losses have to explain each failure."""

    def __init__(self, original: Any, paths: set[str]) -> None:
        self.root = spell_out(json.loads(json.dumps(original)))
        self.paths = paths
        kind = choose_dialect(self.root)
        self.validator = kind(self.root, format_checker=Formats())
        self.verdicts: dict[tuple[Any, ...], bool] = {}

    def find_unexplained(self, value: Any) -> list[str]:
        """Return the failures of one value that no loss explains."""
        errors = list(self.validator.iter_errors(value))
        return [
            f"{'/'.join(map(str, error.absolute_schema_path))}: {error.message:.200}"
            for error in errors
            if not self.is_explained(error) and not _follows(error, errors)
        ]

    def is_explained(self, error: Any) -> bool:
        """Return whether a loss explains the failure `error`. The module docstring has the rules."""
        steps = tuple(error.absolute_schema_path)
        key = (id(error.schema), *steps)
        if key not in self.verdicts:
            self.verdicts[key] = not self.paths.isdisjoint(self.find_places(steps, error.schema))
        if self.verdicts[key]:
            return True
        if error.validator == "unevaluatedProperties" and isinstance(error.validator_value, dict):
            inside = list(self.find_unevaluated(error))
            return bool(inside) and all(self.is_explained(inner) for inner in inside)
        if error.validator not in ("anyOf", "oneOf"):
            return False
        branches: dict[Any, list[bool]] = {}
        for inner in error.context:
            seen = self.is_explained(inner) or _follows(inner, error.context)
            branches.setdefault(inner.schema_path[0], []).append(seen)
        return any(all(explained) for explained in branches.values())

    def find_unevaluated(self, error: Any) -> Iterator[Any]:
        """Yield the failures inside the properties that `error` reports as unevaluated. It has only their names."""
        for name, value in error.instance.items():
            if repr(name) in error.message:
                for inner in self.validator.evolve(schema=error.validator_value).iter_errors(value):
                    inner.parent = error
                    yield inner

    def find_places(self, steps: tuple[Any, ...], schema: Any) -> set[str]:
        """Return the JSON pointers of a failing keyword, and of all schemas and references on the way to it."""
        chains = self._follow([("",)], [self.root])
        for step in steps[:-1]:
            opened = [
                (_extend(chain, step), value[step])
                for chain, value in chains
                if (isinstance(value, dict) and step in value) or (isinstance(value, list) and isinstance(step, int))
            ]
            chains = self._follow([chain for chain, _ in opened], [value for _, value in opened])
        ends = [_extend(chain, steps[-1]) for chain, value in chains if value is schema]
        assert ends, steps
        return {place for chain in ends for place in chain}

    def _follow(self, chains: list[tuple[str, ...]], values: list[Any]) -> list[tuple[tuple[str, ...], Any]]:
        """Return `chains` with their values. For each value with a `$ref`, add a chain that ends at the target.

        A chain is a tuple of JSON pointers that leads from the root of the schema to a value. A recursive definition
        can be in the tuple several times.
        """
        found = list(zip(chains, values, strict=True))
        for chain, value in found:
            target = resolve_pointer(self.root, value.get("$ref")) if isinstance(value, dict) else None
            if target is not None:
                again = (f"{chain[-1]}/$ref",) if target[0] in chain else ()
                if chain.count(target[0]) < MOST_OPENED:
                    found.append(((*chain, *again, target[0]), target[1]))
        return found


def _follows(error: Any, errors: list[Any]) -> bool:
    """Return whether `error` is only a consequence of another failure in `errors`.

    If a value fails a keyword, its valid properties and items can also be reported as unevaluated. So a failure of an
    `unevaluated…` keyword counts as a consequence if another keyword fails at the same value or inside it.
    """
    where = list(error.absolute_path)
    return str(error.validator).startswith("unevaluated") and any(
        list(other.absolute_path)[: len(where)] == where and other.validator != error.validator for other in errors
    )


def _extend(chain: tuple[str, ...], step: Any) -> tuple[str, ...]:
    last = chain[-1]
    text = str(step).replace("~", "~0").replace("/", "~1")
    condition = (f"{last}/if",) if step in ("then", "else") else ()
    return (*chain, *condition, f"{last}/{text}")


def choose_dialect(root: Any) -> Any:
    """Return the validator of draft 7 if `$schema` names it or an `items` is a list, else that of 2020-12."""
    text = json.dumps(root)
    return Draft7Validator if "draft-07" in str(root.get("$schema")) or '"items": [' in text else Draft202012Validator


def spell_out(schema: Any) -> Any:
    """Return the schema with subschemas `false` replaced by `{"not": {}}`, which means the same.

    Failures are identified by the JSON pointer of a keyword, and a schema `false` has no keyword.
    """
    if schema is False:
        return {"not": {}}
    if not isinstance(schema, dict):
        return schema
    spelled = dict(schema)
    for key, value in schema.items():
        if key in LISTS and isinstance(value, list):
            spelled[key] = [spell_out(part) for part in value]
        elif key in MAPS and isinstance(value, dict):
            spelled[key] = {name: spell_out(part) for name, part in value.items()}
        elif key in SINGLE or (key == "additionalProperties" and value):
            spelled[key] = spell_out(value)
    return spelled
