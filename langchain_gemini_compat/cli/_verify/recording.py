"""Records the exchanges of each probe in a cassette: `DIR/SCENARIO/MODEL/MODE.yaml`, as in the folder `cassettes`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from langchain_gemini_compat._catalog.models import bare_model_name
from langchain_gemini_compat._wire.json_types import object_at, text_at
from langchain_gemini_compat.testing import record
from langchain_gemini_compat.testing._cassettes.file import read_cassette

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from langchain_gemini_compat._catalog.surfaces import Surface
    from langchain_gemini_compat.cli._verify.probe import Probe


@contextmanager
def record_probe(folder: Path, surface: Surface, probe: Probe) -> Generator[None]:
    """Record the exchanges of the `with` block in a cassette in `folder`, if `probe.has_cassette` is true."""
    if not probe.has_cassette:
        yield
        return
    scenario = folder / f"{probe.id}_{surface}".replace("-", "_")
    scenario.mkdir(parents=True, exist_ok=True)
    path = scenario / "exchanges.yaml"
    with record(path) as recording:
        yield
    if recording.exchanges:
        _file(path)
    else:
        path.unlink()


def _file(path: Path) -> None:
    """Move the cassette into a folder with the name of its model.

    The cassette gets the name `stream.yaml` if it contains a streaming request, else `complete.yaml`.
    """
    bodies = [object_at(object_at(one, "request"), "json") for one in read_cassette(path).interactions]
    models = {bare_model_name(text_at(body, "model")) for body in bodies}
    mode = "stream" if any(body.get("stream") is True for body in bodies) else "complete"
    place = path.parent / ", ".join(sorted(models)) / f"{mode}.yaml"
    place.parent.mkdir(exist_ok=True)
    path.replace(place)
