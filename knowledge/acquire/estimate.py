"""What a build will ask of a model, before it asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inspect_ai.model import Model, get_model_info

from kate_eval.knowledge.acquire.form import Job
from kate_eval.knowledge.acquire.journal import Journal

CHARACTERS = 4
"""Characters a token, as a rule of thumb for English and code."""
ANSWER = 200
"""Tokens of a usual answer: about 100 words; a reasoning model writes many more."""


@dataclass(frozen=True)
class Estimate:
    """Requests still to be made, with their tokens.

    Attributes:
        requests: one a job; an answer that can't be used adds up to two.
        known: jobs whose answer is already in the journal.
        input_tokens: by the rule of thumb.
        output_tokens: by the rule of thumb.
        dollars: None where the model's price is not known.
    """

    requests: int
    known: int
    input_tokens: int
    output_tokens: int
    dollars: float | None

    def __str__(self) -> str:
        known = f" ({self.known} more were asked before)" if self.known else ""
        price = "no price known; --price gives one" if self.dollars is None else f"about ${self.dollars:.2f}"
        return (
            f"{self.requests} requests{known}, about {self.input_tokens:,} input and "
            f"{self.output_tokens:,} output tokens, {price}"
        )


def estimate(
    jobs: Sequence[Job[Any]],
    dependent: int,
    model: Model | None,
    journal: Journal,
    price: tuple[float, float] | None,
    retry_failed: bool = False,
) -> Estimate:
    """Estimate the cost of jobs.

    Args:
        jobs: what is to be asked.
        dependent: requests of forms that build upon these, not known yet in detail.
        model: that is asked; None if it is not known yet: then the price and known answers aren't either.
        journal: of the bank's folder.
        price: dollars per million input and output tokens; None: what Inspect knows of the model.
        retry_failed: whether what failed before is asked again.
    """
    name = str(model) if model is not None else ""
    distinct = {job.key(name): job for job in jobs}
    open_jobs = [job for key, job in distinct.items() if not journal.knows(key, retry_failed)]
    requests = len(open_jobs) + dependent
    read = sum(len(job.prompt) for job in open_jobs) // CHARACTERS + dependent * 2 * ANSWER
    written = requests * ANSWER
    if price is None:
        info = get_model_info(name) if name else None
        price = (info.cost.input, info.cost.output) if info and info.cost else None
    dollars = (read * price[0] + written * price[1]) / 1e6 if price else None
    return Estimate(requests, len(distinct) - len(open_jobs), read, written, dollars)
