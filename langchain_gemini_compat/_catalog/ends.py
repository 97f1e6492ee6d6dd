"""Warns of models whose service ends soon or has ended."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_gemini_compat._catalog.surfaces import Endpoint

#: The current day. Tests replace it.
clock: Callable[[], date] = date.today
#: How long before its end a model is warned of.
_NOTICE = timedelta(days=30)
_NAMES = {"vertex": "Vertex AI", "ai_studio": "AI Studio"}
#: Families that have been looked at in this process, by catalog, surface and name.
_seen: set[tuple[str | None, str, str]] = set()


def take_end_warning(endpoint: Endpoint) -> str | None:
    """Return the warning about the end of the endpoint's model, at the first request of this process to its family.

    Only an end that Google documents counts. The answer is `None` for models without one, and for compatible servers.
    """
    if not endpoint.speaks_gemini:
        return None
    family = endpoint.family
    key = (endpoint.catalog, endpoint.surface, family.name)
    if key in _seen:
        return None
    _seen.add(key)
    end = family.end_on_vertex if endpoint.surface == "vertex" else family.end_on_ai_studio
    today = clock()
    if end is None or end.date is None or end.grade != "documented" or end.date > today + _NOTICE:
        return None
    verb = "ended" if end.date < today else "ends"
    remedy = f"Use `{end.successor}`." if end.successor else "Use a newer model."
    return (
        f"The service of {endpoint.model} on {_NAMES[endpoint.surface]} {verb} on {end.date}, as Google documents. "
        f"{remedy} If the date has changed, correct it with `catalog`."
    )
