"""The parts of `tests/real`: which software each needs, and where it comes from."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Part:
    """One group of tests, `tests/real/test_<name>.py`, with the software that it needs."""

    name: str
    #: What the tests exercise, for the report.
    about: str
    #: PyPI packages for the process of the tests, beside the group `test`.
    packages: tuple[str, ...] = ()
    #: PyPI packages of programs that run in an environment of their own, by the name of the environment.
    tools: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: Packages of npm, with their versions.
    npm: tuple[str, ...] = ()
    #: Packages of Debian, by the program that each brings.
    debian: dict[str, str] = field(default_factory=dict)
    #: Whether `.ci/run` runs it. Needs nothing but PyPI.
    in_ci: bool = False


PARTS: tuple[Part, ...] = (
    Part(
        "servers_stop",
        "the scaffold itself: a server of Python starts on a free port and stops",
        in_ci=True,
    ),
)
