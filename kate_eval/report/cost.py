"""What a run cost and how long its steps took, as far as its log tells.

Tokens and prices are of the models' usage that Inspect keeps for each sample, so that any solver's run has
them; roles, seconds and what adaptive width saved are counted by our solvers, and older logs lack them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import yaml
from inspect_ai.model import ModelCost, ModelUsage, compute_model_cost
from pydantic import ValidationError

from kate_eval.counters import prompt_tokens
from kate_eval.errors import ConfigurationError
from kate_eval.report.runs import Run

Prices = Mapping[str, ModelCost]
"""Model, as the log names it, -> dollars per million tokens."""


@dataclass(frozen=True)
class Cost:
    """Means per sample, over all models; None where the log doesn't tell.

    Attributes:
        input: prompt tokens, those from a cache included.
        cached: of them, those that a server's prefix cache had.
        output: generated tokens.
        reasoning: of them, those of reasoning.
        roles: role -> tokens, input and output.
        mean: over all steps of the run: seconds from a step's first request to its decision.
        p50: the same, the median.
        p95: the same, the 95th percentile.
        model: seconds a step that requests took, without waiting for a connection or a retry; those that
            ran side by side all count.
        dollars: of the run; samples that were played again included, if the log tells.
    """

    input: float | None
    cached: float | None
    output: float | None
    reasoning: float | None
    roles: Mapping[str, float]
    mean: float | None
    p50: float | None
    p95: float | None
    model: float | None
    dollars: float | None


def cost_of(run: Run, prices: Prices) -> Cost:
    """A run's cost.

    Args:
        run: the run.
        prices: go before what Inspect noted in the log (--model-cost-config).
    """
    samples = [sum(s.usage.values(), ModelUsage()) for s in run.samples if s.usage]
    steps = sorted(ms / 1000 for s in run.samples for ms in s.step_ms)
    timed = [s.model_ms for s in run.samples if s.step_ms and s.model_ms is not None]
    names = dict.fromkeys(name for s in run.samples for name in s.roles)
    return Cost(
        input=_mean(prompt_tokens(u) for u in samples),
        cached=_mean(u.input_tokens_cache_read for u in samples),
        output=_mean(u.output_tokens for u in samples),
        reasoning=_mean(u.reasoning_tokens for u in samples),
        roles={name: fmean(s.roles.get(name, 0) for s in run.samples if s.roles) for name in names},
        mean=fmean(steps) if steps else None,
        p50=quantile(steps, 0.5),
        p95=quantile(steps, 0.95),
        model=sum(timed) / 1000 / len(steps) if timed else None,
        dollars=_dollars(run, prices),
    )


def _mean(values: Iterable[int | None]) -> float | None:
    told = [value for value in values if value is not None]
    return fmean(told) if told else None


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value that a share of the ordered ones doesn't exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _dollars(run: Run, prices: Prices) -> float | None:
    """Of all samples, or of all attempts where the log's own total has more; None if a part is unknown."""
    used = [s.usage for s in run.samples if s.usage]
    totals = [_priced(usage, prices) for usage in (*used, run.usage)]
    known = [total for total in totals if total is not None]
    if not used or len(known) < len(totals):
        return None
    return max(sum(known[:-1]), known[-1])


def _priced(usage: Mapping[str, ModelUsage], prices: Prices) -> float | None:
    """Dollars for some models' usage; None where one has no price."""
    found = [compute_model_cost(prices[m], u) if m in prices else u.total_cost for m, u in usage.items()]
    known = [dollars for dollars in found if dollars is not None]
    return sum(known) if len(known) == len(found) else None


def read_prices(file: Path) -> dict[str, ModelCost]:
    """A price table: YAML or JSON, as Inspect's --model-cost-config takes it.

    A model's `input` and `output` are needed; `input_cache_read` and `input_cache_write` are `input`'s price
    where they are left out.

    Raises:
        ConfigurationError: the file can't be read or is no price table.
    """
    example = "For instance: vllm/Qwen/Qwen3-8B: {input: 0.2, input_cache_read: 0.02, output: 0.8}"
    try:
        table = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as ex:
        raise ConfigurationError(f"Prices can't be read from {file}: {ex}. {example}") from ex
    if not isinstance(table, dict) or not table:
        raise ConfigurationError(f"{file} holds no prices per model. {example}")
    return {str(model): _price(file, str(model), row, example) for model, row in table.items()}


def _price(file: Path, model: str, row: object, example: str) -> ModelCost:
    given = row if isinstance(row, dict) else {}
    names = set(ModelCost.model_fields)
    try:
        same = dict.fromkeys(("input_cache_read", "input_cache_write"), given.get("input"))
        price = ModelCost.model_validate(same | given)
    except ValidationError as ex:
        raise ConfigurationError(
            f"{file}: {model} needs dollars per million tokens for input and output, got {row!r}. {example}"
        ) from ex
    wrong = [name for name, value in price if not (math.isfinite(value) and value >= 0)]
    if wrong or given.keys() - names:
        named = ", ".join(map(str, (*wrong, *given.keys() - names)))
        raise ConfigurationError(f"{file}: {model} has a price that can't be used: {named}. {example}")
    return price
