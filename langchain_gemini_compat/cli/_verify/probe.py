"""Defines a probe: one claim about a server, with a function that checks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._catalog.surfaces import Surface
    from langchain_gemini_compat.cli._verify.lab import Lab

Grade: TypeAlias = Literal["documented", "observed", "untried"]


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a claim for one surface.

    Attributes:
        grade: `documented` by the provider, `observed` in public by others, or `untried`: our own conclusion.
        place: The URL of the source, or a description if the source has no URL.
    """

    grade: Grade
    place: str


#: The sources of a claim. The keys are the surfaces to which the claim applies.
Sources: TypeAlias = "Mapping[Surface, Source]"


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of a check.

    Attributes:
        holds: Whether the claim holds.
        seen: What the server did, in a few words.
        expected: What the server should have done, if that depends on the model. If empty, `Probe.expected` applies.
    """

    holds: bool
    seen: str
    expected: str = ""


@dataclass(frozen=True, slots=True)
class Spend:
    """The estimated cost of a probe. The token counts are for one request. Thoughts count as output.

    Attributes:
        requests: The number of requests.
        input_tokens: Tokens of a request.
        output_tokens: Tokens of a reply.
        image_tokens: Tokens of the images in a reply. `output_tokens` includes them.
    """

    requests: int = 1
    input_tokens: int = 60
    output_tokens: int = 400
    image_tokens: int = 0


#: The estimated cost of one request that the server refuses: nothing.
REFUSED = Spend(input_tokens=0, output_tokens=0)


def fits_every_model(family: ModelFamily) -> bool:
    """Return `True`, because the claim applies to every model."""
    del family
    return True


@dataclass(frozen=True, slots=True)
class Probe:
    """A claim and its check.

    Attributes:
        id: The name of the probe in reports and in `--only`.
        claim: The claim, in one sentence.
        expected: What the server should do, in a few words.
        rule: The code of this package that is wrong if the server does something else.
        sources: The source of the claim for each surface to which the claim applies.
        check: Sends the requests, and returns what the server did.
        needs: Ids of the probes that have to succeed first. If one of them fails, this probe is skipped.
        spend: The estimated cost.
        model: The model that gets the requests instead of the user's model, such as a model for embeddings.
        fits: Whether the claim applies to a family of models.
        has_cassette: Whether a cassette can replay the requests. Cassettes cannot replay uploads of files.
    """

    id: str
    claim: str
    expected: str
    rule: str
    sources: Sources
    check: Callable[[Lab], Observation]
    needs: tuple[str, ...] = ("text",)
    spend: Spend = field(default_factory=Spend)
    model: str = ""
    fits: Callable[[ModelFamily], bool] = fits_every_model
    has_cassette: bool = True


class NotCheckedError(Exception):
    """The claim could not be checked, for example because of a quota. The message contains the reason."""
