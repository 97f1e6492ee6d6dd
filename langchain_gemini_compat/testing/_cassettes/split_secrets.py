"""Hides secrets that a server sends in several pieces of a stream.

A model that repeats a key sends it in two or more deltas. No single delta contains the whole key. So the texts of a
choice are joined before the search.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat.testing._cassettes.scrub import PROTOCOL_KEYS, Change
from langchain_gemini_compat.testing._model.json_values import as_list, as_object, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue

    #: Where a text is in an event: the object or list that contains the text, and the text's key or index.
    Place = tuple[JsonObject, str] | tuple[list[JsonValue], int]
    #: The keys and indices from an event to a text inside it. The pieces of a split text have the same path in each
    #: event.
    Path = tuple[str, ...]

_DATA_LINE = re.compile(r"^data:[ \t]*(\{.*\})[ \t]*$", re.MULTILINE)


def hide_split_secrets(events: Sequence[JsonValue], clean: Change) -> bool:
    """Hide secrets that are split among several `events`, in place. Return whether there were such secrets.

    The caller hides secrets that are within a single text.

    Args:
        events: The JSON of the events.
        clean: Returns a text without secrets.
    """
    texts: dict[Path, list[Place]] = {}
    for event in events:
        for path, place in _find_in_list(as_list(as_object(event).get("choices")), ()):
            texts.setdefault(path, []).append(place)
    changes = [_hide_in_pieces(places, clean) for places in texts.values() if len(places) > 1]
    return any(changes)


def hide_in_event_stream(text: str, clean: Change) -> str:
    """Return the text of an event stream without secrets that are split among several events."""
    found = [(match, event) for match in _DATA_LINE.finditer(text) if (event := _parse(match[1])) is not None]
    before = [json.dumps(event) for _, event in found]
    if not hide_split_secrets([event for _, event in found], clean):
        return text
    parts, end = list[str](), 0
    for (match, event), old in zip(found, before, strict=True):
        new = json.dumps(event)
        parts += [text[end : match.start(1)], match[1] if new == old else new]
        end = match.end(1)
    return "".join([*parts, text[end:]])


def _parse(text: str) -> JsonValue:
    try:
        return cast("JsonValue", json.loads(text))
    except (ValueError, RecursionError):
        return None


def _find_in(value: JsonValue, path: Path) -> Iterator[tuple[Path, Place]]:
    """Yield the path of each text in the JSON `value`, and where the text is stored.

    The argument `path` is the path from the event to `value`.
    """
    if isinstance(value, list):
        yield from _find_in_list(value, path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str):
                if inner and key not in PROTOCOL_KEYS:
                    yield (*path, key), (value, key)
            else:
                yield from _find_in(inner, (*path, key))


def _find_in_list(items: list[JsonValue], path: Path) -> Iterator[tuple[Path, Place]]:
    """Yield the path of each text in the JSON list `items`, and where the text is stored.

    The path of a choice or tool call has its `index`, because its position in the list may differ between events. So
    the pieces of a text have the same path in each event.
    """
    for position, item in enumerate(items):
        index = as_object(item).get("index")
        inner = (*path, str(position if index is None else index))
        if isinstance(item, str):
            yield inner, (items, position)
        else:
            yield from _find_in(item, inner)


def _hide_in_pieces(places: Sequence[Place], clean: Change) -> bool:
    """Hide a secret that is split among the texts at `places`. Return whether such a secret was found.

    The texts with a part of the secret are joined and cleaned. The first of them gets the result, and the others become
    empty.
    """
    pieces = [_read(place) for place in places]
    cleaned = [clean(piece) for piece in pieces]
    rest = clean("".join(pieces))
    if "".join(cleaned) == rest:
        return False
    first, end = 0, len(pieces)
    while first < end - 1 and rest.startswith(cleaned[first]):
        rest = rest.removeprefix(cleaned[first])
        first += 1
    while end - 1 > first and rest.endswith(cleaned[end - 1]):
        end -= 1
        rest = rest.removesuffix(cleaned[end])
    for number in range(first, end):
        _write(places[number], rest if number == first else "")
    return True


def _read(place: Place) -> str:
    container, key = place
    if isinstance(container, dict):
        return as_text(container[cast("str", key)])
    return as_text(container[cast("int", key)])


def _write(place: Place, text: str) -> None:
    container, key = place
    if isinstance(container, dict):
        container[cast("str", key)] = text
    else:
        container[cast("int", key)] = text
