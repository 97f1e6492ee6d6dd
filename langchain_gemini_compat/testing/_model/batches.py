"""The plan of a batch of `FakeGemini`: how long the batch takes, how it ends, and the form of its output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

BatchEnding: TypeAlias = Literal["completed", "failed", "expired", "cancelled"]


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """The plan of a batch of `FakeGemini`. Set `fake.batches.plan`, or `fake.batches.rule` for a plan for each batch.

    Attributes:
        ends: The final status of the batch. Default: `"completed"`.
        seconds: Seconds until the end, by the clock of `fake.batches`. The batch is `validating` in the first tenth of
            the time. If the time exceeds 48 hours, the batch ends after 48 hours as `expired`.
        answered: The number of requests that get a line in the output. Default: all if the batch is completed, else
            none. Google documents that an expired batch has no results.
        message: Why the batch failed.
        error_form: The form of a failed request in the output: that of Google's native batches (`"status"`, the
            default) or that of OpenAI (`"response"`). Google does not document the form for compatible batches.
        has_error_file: Whether failed requests are in a separate file, as at OpenAI. Default: `False`.
        camel_case: Which keys of an answer are in camel case. Default: `"usage"`, the keys of the token counts. Users
            of Google's service received answers in this form.

    Examples:
        >>> BatchPlan(ends="failed", message="The input file is broken.").ends
        'failed'
    """

    ends: BatchEnding = "completed"
    seconds: float = 0.0
    answered: int | None = None
    message: str = "The batch failed."
    error_form: Literal["status", "response"] = "status"
    has_error_file: bool = False
    camel_case: Literal["usage", "all", "none"] = "usage"

    def count_answered(self, ending: BatchEnding, requests: int) -> int:
        """Return how many of the `requests` get a line in the output, if `ending` is the final status.

        Examples:
            >>> BatchPlan().count_answered("completed", 3), BatchPlan().count_answered("expired", 3)
            (3, 0)
        """
        if self.answered is not None:
            return min(self.answered, requests)
        return requests if ending == "completed" else 0
