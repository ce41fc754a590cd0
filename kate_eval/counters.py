"""What a sample cost and how its steps were decided, counted by solvers and kept in its store.

The scorer below brings the counters into the log's results, beside the benchmark's own score.
"""

import logging
import math
from dataclasses import asdict, dataclass, field
from statistics import fmean, stdev

from inspect_ai.model import ModelUsage
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
    """Requests to the policy and to critics."""
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
    tokens: dict[str, int] = field(default_factory=dict)
    """Tokens by role and direction: "policy_input", "critic_output", ..."""

    def add_request(self, role: str, usage: ModelUsage | None) -> None:
        """Count one request and its tokens."""
        self.requests += 1
        if usage is not None:
            for direction, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
                key = f"{role}_{direction}"
                self.tokens[key] = self.tokens.get(key, 0) + count


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
        counters = Counters(**state.store.get(COUNTERS_KEY, {}))
        _, failure = await settle(state)
        value: dict[str, float] = {"errored": float(failure is not None)}
        value |= (
            _measured(counters)
            if COUNTERS_KEY in state.store
            else dict.fromkeys(_measured(counters), math.nan)
        )
        provenance = state.store.get(PROVENANCE_KEY)
        return Score(value=dict(value), metadata=asdict(counters) | {"provenance": provenance})

    return score


def _role_tokens(counters: Counters, role: str) -> int:
    return sum(count for key, count in counters.tokens.items() if key.startswith(role))


def _measured(counters: Counters) -> dict[str, float]:
    return {
        "requests": counters.requests,
        "extra_requests": counters.extra_requests,
        "parse_failures": counters.parse_failures,
        "recovered": counters.recovered,
        "agreement_rate": _ratio(counters.agreements, counters.votes),
        "retrieval_hit_rate": _ratio(counters.hits, counters.searches) if counters.knowledge else math.nan,
        "tokens_policy": _role_tokens(counters, "policy"),
        "tokens_critic": _role_tokens(counters, "critic"),
        "leaked": float(counters.leaked),
    }
