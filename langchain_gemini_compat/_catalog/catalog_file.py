"""Reads files of facts about models: `models.json` beside this module, and files of users with corrections.

A file has two tables:

- `sources`: maps the short name of each source to its `url` and to the date on which somebody read it (`read`).
- `families`: maps the beginning of the models' names to the facts about these models. A fact has a `value`, one or more
  names of sources (`source`), a `grade`, and sometimes a `note`.

In a file of a user, a fact may consist of its value alone. A fact without a grade counts as documented. A source may be
any string.

Each key and value is checked. The error for a mistake names the file and the wrong entry.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Collection

#: The environment variable with the path of a user's catalog file. Models with the argument `catalog` ignore it.
CATALOG_VARIABLE = "GEMINI_COMPAT_CATALOG"
#: Grades of facts. `documented`: on a page of Google. `observed`: in a published reply of the service. `reported`: by
#: any other source.
GRADES = ("documented", "observed", "reported")
#: All thinking levels, from the lowest to the highest.
LEVELS = ("minimal", "low", "medium", "high", "xhigh")


@dataclass(frozen=True, slots=True)
class Source:
    """A page or package that contains a fact."""

    url: str
    #: The date on which somebody read the page or package, in ISO form.
    read: str


@dataclass(frozen=True, slots=True)
class End:
    """The end of a model's service on one surface."""

    #: The last day of the service; `None` if no source contains it.
    date: date | None
    #: Name of the model that Google recommends as a replacement, or that answers requests for the old model. Empty if
    #: no source names a replacement.
    successor: str
    #: The grade of the fact: one of `GRADES`.
    grade: str


@dataclass(frozen=True, slots=True)
class Fact:
    """The value of a fact, with its sources and its grade."""

    value: object
    sources: tuple[Source, ...]
    grade: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Kind:
    """The type of a fact's value.

    `allowed` describes the valid values for error messages. `read` converts the value in a file to the value in
    `ModelFamily`, or returns `None` if the value is not valid.
    """

    allowed: str
    read: Callable[[object], object]


#: Maps the beginning of a family's model names to the facts of the family.
FamilyFacts = Mapping[str, Mapping[str, Fact]]


def parse_catalog(text: str, file: str) -> FamilyFacts:
    """Return the facts in the JSON document `text`, in which each fact must have a source and a grade.

    Raises:
        ValueError: The document is not valid. The message names `file` and the wrong entry.
    """
    return _Reader(file, is_own=True).read_document(_parse_json(text, file))


def read_catalog(path: str) -> FamilyFacts:
    """Return the facts in a JSON or TOML file of a user.

    Raises:
        ValueError: The file cannot be read, or is not valid. The message names the file and the wrong entry.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"The catalog {path} cannot be read: {error}. Its path is in the argument `catalog` or in the environment "
            f"variable {CATALOG_VARIABLE}. Set the path to that of a JSON or TOML file."
        ) from None
    parse = _parse_toml if file.suffix.lower() == ".toml" else _parse_json
    return _Reader(path, is_own=False).read_document(parse(text, path))


def _parse_json(text: str, file: str) -> object:
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is not valid JSON: {error}.") from None
    return document


def _parse_toml(text: str, file: str) -> object:
    try:
        module = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    except ModuleNotFoundError:
        raise ValueError(
            f"{file} is a TOML file, which Python 3.10 cannot read by itself. Run `pip install tomli`, or use JSON."
        ) from None
    parse = cast("Callable[[str], object]", module.loads)
    try:
        return parse(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is not valid TOML: {error}.") from None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Checks the parsed content of a file, and converts it to `FamilyFacts`.

    If `is_own` is true, the file belongs to this package. Then each fact must have a grade, and a source from the table
    `sources`.
    """

    file: str
    is_own: bool

    def read_document(self, document: object) -> FamilyFacts:
        tables = _read_table(document, self.file, "the document", ("sources", "families"))
        sources: dict[str, Source] = {}
        for name, entry in _read_table(tables.get("sources", {}), self.file, "`sources`").items():
            place = f"`sources.{name}`"
            found = _read_table(entry, self.file, place, ("url", "read"))
            sources[name] = Source(_text(found, "url", self.file, place), _text(found, "read", self.file, place))
        families = _read_table(tables.get("families", {}), self.file, "`families`")
        for name in families:
            self._check_family_name(name, families)
        return {name.lower(): self._read_family(name, entry, sources) for name, entry in families.items()}

    def _check_family_name(self, name: str, names: Collection[str]) -> None:
        """Raise an error if the name of a family has a prefix, such as `google/`, or occurs twice, ignoring case.

        Without this check, the facts under such a name would have no effect.
        """
        bare = name.rpartition("/")[2]
        if bare != name:
            raise ValueError(f"{self.file}: `families.{name}` has a prefix. Write `families.{bare}`.")
        if sum(other.lower() == name.lower() for other in names) > 1:
            raise ValueError(f"{self.file}: `families.{name}` occurs twice, in upper and in lower case.")

    def _read_family(self, name: str, entry: object, sources: Mapping[str, Source]) -> dict[str, Fact]:
        facts = _read_table(entry, self.file, f"`families.{name}`", FACTS)
        return {key: self._read_fact(key, given, sources, f"`families.{name}.{key}`") for key, given in facts.items()}

    def _read_fact(self, key: str, given: object, sources: Mapping[str, Source], place: str) -> Fact:
        # A user's file may contain only the value of a fact, instead of a table with `value`, `source` and `grade`. A
        # table with `date` or `successor` is itself a value: the end of a service.
        is_table = self.is_own or (isinstance(given, dict) and not given.keys() & {"date", "successor"})
        whole = given if is_table else {"value": given}
        entry = _read_table(whole, self.file, place, ("value", "source", "grade", "note"))
        if "value" not in entry:
            raise ValueError(f"{self.file}: {place} has no `value`. Set it to {FACTS[key].allowed}.")
        value = FACTS[key].read(entry["value"])
        grade = entry.get("grade", None if self.is_own else "documented")
        if value is None:
            raise _wrong(self.file, place, entry["value"], FACTS[key].allowed)
        if grade not in GRADES:
            raise _wrong(self.file, f"`grade` of {place}", grade, f"one of {_list(GRADES)}")
        if isinstance(value, End):
            value = End(value.date, value.successor, str(grade))
        found = self._find_sources(entry.get("source"), sources, place)
        return Fact(value, found, str(grade), str(entry.get("note", "")))

    def _find_sources(self, given: object, sources: Mapping[str, Source], place: str) -> tuple[Source, ...]:
        names = given if isinstance(given, list) else [] if given is None else [given]
        found = [sources.get(str(name)) or (None if self.is_own else Source(str(name), "")) for name in names]
        known = tuple(source for source in found if source)
        if len(known) < len(found) or (self.is_own and not known):
            raise _wrong(self.file, f"`source` of {place}", given, "one or more names from `sources`")
        return known


def _read_table(given: object, file: str, place: str, known: Collection[str] = ()) -> dict[str, object]:
    """Return `given`. Raise `ValueError` if it is not a table, or has a key that is not in `known`.

    If `known` is empty, all keys are valid.
    """
    if not isinstance(given, dict):
        raise _wrong(file, place, given, f"a table with {_list(known) or 'entries'}")
    table = cast("dict[str, object]", given)
    for key in table if known else ():
        if key not in known:
            close = get_close_matches(key, known, 1)
            meant = f" Did you mean `{close[0]}`?" if close else ""
            raise ValueError(f"{file}: {place} has the unknown key `{key}`.{meant} Known keys: {_list(known)}.")
    return table


def _text(table: Mapping[str, object], key: str, file: str, place: str) -> str:
    value = _read_text(table.get(key))
    if value is None:
        raise _wrong(file, f"`{key}` of {place}", table.get(key), "a string")
    return value


def _wrong(file: str, place: str, given: object, allowed: str) -> ValueError:
    return ValueError(f"{file}: {place} is {given!r}. Set it to {allowed}.")


def _list(words: Collection[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _read_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _read_flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _read_count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _read_words(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    words = tuple(word for word in value if isinstance(word, str) and word)
    return words if words and len(words) == len(value) else None


def _read_range(value: object) -> tuple[int, int] | None:
    match value:
        case [int() as least, int() as most] if 0 < least < most:
            return least, most
        case _:
            return None


def _read_date(value: object) -> str | None:
    """Return the date as a string in ISO form. `value` is a `date` from a TOML file, or a string from a JSON file."""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        return None


def _read_end(value: object) -> End | None:
    """Convert a table with `date` or `successor` to an `End`; `None` if it is not valid. The caller sets the grade."""
    if not isinstance(value, dict) or not value or not value.keys() <= {"date", "successor"}:
        return None
    # In a TOML file, `date` is a date object. In a JSON file, it is a string.
    last, successor = str(value.get("date", "")), value.get("successor", "")
    if not isinstance(value.get("date", ""), (str, date)) or not isinstance(successor, str):
        return None
    try:
        return End(date.fromisoformat(last) if last else None, successor, "")
    except ValueError:
        return None


def _one_of(*words: str) -> _Kind:
    return _Kind(f"one of {_list(words)}", lambda value: value if value in words else None)


def _some_of(*words: str) -> _Kind:
    """Return the `_Kind` of a list that contains one or more of `words`, in the order of `words`."""

    def read(value: object) -> tuple[str, ...] | None:
        found = _read_words(value)
        return found if found and [word for word in words if word in found] == [*found] else None

    return _Kind(f"a list of some of {_list(words)}, in this order", read)


_FLAG = _Kind("`true` or `false`", _read_flag)
_COUNT = _Kind("a whole number above 0", _read_count)
_TEXT = _Kind("a string", _read_text)
_TEXT_OR_NOTHING = _Kind("a string, which may be empty", lambda value: value if isinstance(value, str) else None)
_DATE = _Kind("a date, such as `2027-05-19`", _read_date)
_END = _Kind("a table with `date` (such as `2027-05-19`), `successor` (the name of a model), or both", _read_end)
#: Maps the name of each fact to the type of its value. The names are fields of `ModelFamily`, whose comments explain
#: the facts.
FACTS: Mapping[str, _Kind] = {
    "title": _TEXT,
    "status": _TEXT,
    "release_date": _DATE,
    "last_updated": _DATE,
    "generation": _TEXT,
    "thinking": _one_of("budget", "level", "none"),
    "levels": _some_of(*LEVELS),
    "default_thinking": _one_of("dynamic", *LEVELS),
    "budgets": _Kind("a list of the lowest and the highest number of tokens; the lowest is above 0", _read_range),
    "may_stop_thinking": _FLAG,
    "may_stop_thinking_on_vertex": _FLAG,
    "takes_effort_on_ai_studio": _FLAG,
    "signatures_demanded": _FLAG,
    "text_beside_calls": _FLAG,
    "max_input_tokens": _COUNT,
    "max_output_tokens": _COUNT,
    "shares_limit": _FLAG,
    "inputs": _some_of("text", "image", "audio", "video", "pdf"),
    "image_output": _FLAG,
    "calls_tools": _FLAG,
    "structured_output": _FLAG,
    "honours_sampling": _FLAG,
    "takes_penalties": _FLAG,
    "takes_cached_content": _FLAG,
    "result_types": _Kind("a list of MIME types, such as `image/png`", _read_words),
    "locations": _Kind("a list of locations, such as `global`, or `regions` for all single regions", _read_words),
    "on_chat_completions": _FLAG,
    "other_api": _TEXT_OR_NOTHING,
    "end_on_vertex": _END,
    "end_on_ai_studio": _END,
}
