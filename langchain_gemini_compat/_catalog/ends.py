"""Warns about models whose service ends soon or has ended."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_gemini_compat._catalog.surfaces import Endpoint

#: The current day. Tests replace it.
clock: Callable[[], date] = date.today
#: How long before the end of the service the warning starts.
_NOTICE = timedelta(days=30)
_NAMES = {"vertex": "Vertex AI", "ai_studio": "AI Studio"}
#: Model families that this process has already checked, each as a tuple of catalog, surface and family name.
_seen: set[tuple[str | None, str, str]] = set()


def take_end_warning(endpoint: Endpoint) -> str | None:
    """Return a warning if Google will soon stop serving the endpoint's model or has stopped, else `None`.

    Only dates that Google documents count. In a process, only the first call for each catalog, surface and model family
    can return a warning.
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
