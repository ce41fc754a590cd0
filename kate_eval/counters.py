"""What a sample cost and how its steps were decided, counted by solvers and kept in its store.

The scorer below brings the counters into the log's results, beside the benchmark's own score.
"""

import logging
import math
from dataclasses import asdict, dataclass, field
from statistics import fmean, median, stdev
from typing import Literal

from inspect_ai.model import ModelOutput, ModelUsage
from inspect_ai.scorer import (
    Metric,
    SampleScore,
    Score,
    Scorer,
    Target,
    Value,
    mean,
    metric,
    scorer,
)
from inspect_ai.solver import TaskState

from kate_eval.episode import settle

logger = logging.getLogger(__name__)

LOW_HIT_RATE = 0.2
LOW_HIT_RATE_WARNING = (
    f"Knowledge was injected in fewer than {LOW_HIT_RATE:.0%} of the turns: this run says little about "
    "knowledge. Lower the threshold (-S threshold=...) or use a bank nearer to the task."
)
ENOUGH = 20
"""Samples before a low hit rate is more than an early impression."""


COUNTERS_KEY = "kate:counters"
"""Store key of a sample's counters."""
PROVENANCE_KEY = "kate:solver"
"""Store key: what the sample's solving depended on (parameters, prompts' hash, bank's hash)."""


Role = Literal["policy", "critic", "intent", "judge"]
"""What a request is for."""


@dataclass
class Counters:
    """Counts over one sample attempt."""

    turns: int = 0
    """User turns started."""
    searches: int = 0
    """Turns for which experiences were searched: those in which the user asks something."""
    hits: int = 0
    """Searches that found at least one experience, which was injected."""
    knowledge: bool = False
    """Whether knowledge was asked for at all."""
    nearest: float | None = None
    """Similarity of the bank's item that is nearest to any turn, by TF-IDF; None without knowledge."""
    items: list[str] = field(default_factory=list)
    """Ids of the items that were injected, turn by turn."""
    position: int | None = None
    """Place in the order in which an online run learned from its samples, from 1."""
    leaked: bool = False
    """Whether the bank was built from the entry or a sibling (allowed by -S allow_leakage=true)."""
    steps: int = 0
    """Actions played."""
    agreements: int = 0
    """Steps at which all candidates agreed, among those with more than one candidate."""
    votes: int = 0
    """Steps with more than one candidate."""
    requests: int = 0
    """Requests that were answered, in all roles."""
    extra_requests: int = 0
    """Requests beyond one a step: top-ups, perspectives, critics and their retries."""
    candidates: int = 0
    """Candidate actions received."""
    parse_failures: int = 0
    """Candidates whose calls could not be decoded, and critics' answers that could not be used."""
    recovered: int = 0
    """Candidates whose calls the server left in the text, and which were read from there."""
    outputs_left_out: int = 0
    """Environment outputs that later requests left out, because the context window was full."""
    cancelled: int = 0
    """Requests cancelled by adaptive width, because the vote was settled; their tokens are not known."""
    tokens_saved: int = 0
    """Estimate: what its full width would have cost beyond what adaptive width spent. The candidates that
    were not asked for at the step's mean length, less the prompts of further rounds: it may be negative."""
    tokens: dict[str, int] = field(default_factory=dict)
    """Tokens by role and direction: "policy_input", "critic_output", ... Of input (all of a prompt),
    "cached" came from the server's prefix cache, where it tells; of output, "reasoning" was thought."""
    step_ms: list[int] = field(default_factory=list)
    """Milliseconds of each step, from its first request to its decision."""
    model_ms: int = 0
    """Milliseconds of all requests, as Inspect measures them: without waiting for a connection or a retry."""

    def add_request(self, role: Role, output: ModelOutput) -> None:
        """Count one request, its time and its tokens."""
        # The provider kate/ asks again, by itself, for choices that a server left out.
        self.requests += 1 + unasked(output)
        self.model_ms += round(1000 * (output.time or 0.0))
        for direction, count in _directions(output.usage or ModelUsage()).items():
            if count is not None:
                key = f"{role}_{direction}"
                self.tokens[key] = self.tokens.get(key, 0) + count

    def tokens_of(self, direction: str) -> float:
        """Tokens of a direction in all roles; nan where no server told."""
        found = [count for key, count in self.tokens.items() if key.endswith(f"_{direction}")]
        return sum(found) if found else math.nan


def unasked(output: ModelOutput) -> int:
    """Requests that the provider made by itself for one output, beyond the first."""
    return int((output.metadata or {}).get("extra_requests", 0))


def _directions(usage: ModelUsage) -> dict[str, int | None]:
    return {
        "input": prompt_tokens(usage),
        "output": usage.output_tokens,
        "cached": usage.input_tokens_cache_read,
        "reasoning": usage.reasoning_tokens,
    }


def prompt_tokens(usage: ModelUsage) -> int:
    """All input tokens; Inspect counts those that a cache served or took apart."""
    return usage.input_tokens + (usage.input_tokens_cache_read or 0) + (usage.input_tokens_cache_write or 0)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


@metric
def hit_rate() -> Metric:
    """Mean share of searches that found knowledge; warns once a run where it is low beyond chance."""
    seen = 0
    warned = False

    def compute(scores: list[SampleScore]) -> Value:
        nonlocal seen, warned
        rates = [score.score.as_float() for score in scores]
        # Inspect computes metrics again and again while a run goes on: fewer scores mean a new run.
        warned = warned and len(rates) >= seen
        seen = len(rates)
        if not rates:
            return math.nan
        rate = fmean(rates)
        margin = 2 * stdev(rates) / math.sqrt(len(rates)) if len(rates) > 1 else 1.0
        if not warned and len(rates) >= ENOUGH and rate + margin < LOW_HIT_RATE:
            logger.warning(LOW_HIT_RATE_WARNING)
            warned = True
        return rate

    return compute


@scorer(metrics={"retrieval_hit_rate": [hit_rate()], "*": [mean()]})
def run_counters() -> Scorer:
    """Per sample: requests, tokens by role, agreement, retrieval hits, parse failures, errors.

    A solver of another's making keeps no counters: then all but `errored` are nan.
    """

    async def score(state: TaskState, target: Target) -> Score:
        kept = state.store.get(COUNTERS_KEY)  # without a default: Inspect's store would keep that
        counters = Counters(**(kept or {}))
        _, failure = await settle(state)
        value: dict[str, float] = {"errored": float(failure is not None)}
        measured = _measured(counters)
        value |= measured if kept is not None else dict.fromkeys(measured, math.nan)
        provenance = state.store.get(PROVENANCE_KEY)
        return Score(value=dict(value), metadata=asdict(counters) | {"provenance": provenance})

    return score


def _role_tokens(counters: Counters, role: Role) -> int:
    return sum(counters.tokens.get(f"{role}_{direction}", 0) for direction in ("input", "output"))


def _measured(counters: Counters) -> dict[str, float]:
    return {
        "requests": counters.requests,
        "extra_requests": counters.extra_requests,
        "cancelled": counters.cancelled,
        "parse_failures": counters.parse_failures,
        "recovered": counters.recovered,
        "agreement_rate": _ratio(counters.agreements, counters.votes),
        "retrieval_hit_rate": _ratio(counters.hits, counters.searches) if counters.knowledge else math.nan,
        "mean_width": _ratio(counters.candidates, counters.steps if counters.candidates else 0),
        "tokens_policy": _role_tokens(counters, "policy"),
        "tokens_critic": _role_tokens(counters, "critic"),
        "tokens_other": _role_tokens(counters, "intent") + _role_tokens(counters, "judge"),
        "tokens_input": counters.tokens_of("input"),
        "tokens_cached": counters.tokens_of("cached"),
        "tokens_output": counters.tokens_of("output"),
        "tokens_reasoning": counters.tokens_of("reasoning"),
        "tokens_saved": counters.tokens_saved,
        "step_seconds": median(counters.step_ms) / 1000 if counters.step_ms else math.nan,
        "leaked": float(counters.leaked),
    }
