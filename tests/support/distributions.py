"""Lists what an installation of this package installs, and builds a folder that contains nothing else."""

from importlib.metadata import distribution, requires
from pathlib import Path

from packaging.requirements import Requirement

import langchain_gemini_compat

NAME = "langchain-gemini-compat"


def dependencies(name, seen):
    """Return the distributions that an installation of `name` without extras adds."""
    for text in requires(name) or ():
        requirement = Requirement(text)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and requirement.name.lower() not in seen:
            seen.add(requirement.name.lower())
            dependencies(requirement.name, seen)
    return seen


def link_bare_installation(folder):
    """Fill `folder` with links to this package and its dependencies without extras, for `PYTHONPATH` and `python -S`."""
    package = Path(langchain_gemini_compat.__file__).parent
    (folder / package.name).symlink_to(package)
    for name in (NAME, *dependencies(NAME, set())):
        found = distribution(name)
        tops = {file.parts[0] for file in found.files or ()} - {"..", "__pycache__", package.name}
        for top in tops:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(found.locate_file(top))).resolve())
    return folder
