"""What makes a row not like for like, by itself and beside its baseline. docs/report.md lists the codes."""

from collections.abc import Iterator, Mapping
from typing import Any

from kate_eval.appworld.scorer import LAYERS
from kate_eval.counters import LOW_HIT_RATE
from kate_eval.logs import SIMULATED
from kate_eval.report.document import Flag
from kate_eval.report.runs import FLOOR, GROWS, Run
from kate_eval.stats import Estimate

FEW = 20
"""Independent entries below which an interval by normal approximation is rough."""


def flags_of(run: Run, means: Mapping[str, float], score: Estimate | None) -> list[Flag]:
    """The flags that a run has by itself.

    Args:
        run: the run.
        means: counter -> mean per sample.
        score: of the headline.
    """
    found = [*_origin(run, means), *_completeness(run, score), *_playing(run, means)]
    return [Flag(code=code, text=text) for code, text in found]


def baseline_flags(run: Run, baseline: Run | None) -> list[Flag]:
    """The flags that a run has beside what it is compared with.

    Args:
        run: the run, which is no baseline itself.
        baseline: what it is compared with; None where there is no such run.
    """
    if baseline is not None:
        return [Flag(code=code, text=text) for code, text in _beside(run, baseline)]
    if run.solver == FLOOR:
        return []
    return [Flag(code="no_baseline", text="no baseline of this model on these entries")]


_Found = Iterator[tuple[str, str]]
"""Code and text of flags."""


def _origin(run: Run, means: Mapping[str, float]) -> _Found:
    """Where its numbers and its knowledge come from."""
    if run.simulated:
        yield "simulated", "SIMULATED endpoint"
    if run.solver == FLOOR:
        yield "floor", "floor, asks no model"
    if run.solver == GROWS and run.parameters.get("feedback", "score") == "score":
        yield (
            "told_verdict",
            "is told the benchmark's verdict after each sample: not comparable to rows that are not",
        )
    leaks = ["the bank holds evaluated entries"] if means.get("leaked") else []
    leaks += ["the model was trained on test entries"] if run.trained_on_test else []
    if leaks:
        yield "leaked", f"LEAKED: {'; '.join(leaks)}"
    if any(sample.provenance.get("bank_sources_known") is False for sample in run.samples):
        yield "unknown_sources", "the bank's sources are not known: leakage can't be checked"
    if run.bank and not run.held:
        yield "bank_unknown", f"its log does not say what the bank held: told apart by path alone, {run.bank}"
    writers = {str(name) for s in run.samples for name in s.provenance.get("bank_models") or ()}
    if not run.simulated and any(name.startswith(SIMULATED) for name in writers):
        yield "simulated_bank", "the bank was written by a SIMULATED model"


def _completeness(run: Run, score: Estimate | None) -> _Found:
    """Whether all of it was played and scored."""
    if run.errors:
        yield "not_scored", f"{run.errors} of {max(run.expected, len(run.samples))} samples not scored"
    entries = run.metadata.get("entries") or 0
    asked = len({sample.entry for sample in run.samples})
    if asked < entries:
        yield "partial", f"partial: {asked} of {entries} entries"
    if run.status == "started":
        left = f"{run.missing} of {run.expected} samples to come" if run.missing else "no end in its log"
        yield "status", f"still running, or killed: {left}"
    elif run.status != "success":
        yield "status", f"run ended with status {run.status!r}"
    if score is not None and score.clusters < FEW:
        yield "few", f"independent entries: {score.clusters}; intervals and p-values are rough"
    if run.replaced:
        yield "replaced", f"newest of {len(run.replaced) + 1} runs; left out: {', '.join(run.replaced)}"


def _playing(run: Run, means: Mapping[str, float]) -> _Found:
    """How it was played."""
    if means.get("recovered"):
        yield "recovered", f"{means['recovered']:.1f} answers a sample had calls that the server left unread"
    open_layers = sorted({name for s in run.samples for name in _uncontained(s.details)})
    if open_layers:
        yield "uncontained", f"code ran without: {', '.join(open_layers)}"
    if means.get("retrieval_hit_rate", 1.0) < LOW_HIT_RATE:
        yield "few_hits", "knowledge injected in few turns"


def _uncontained(details: Mapping[str, Any]) -> set[str]:
    """Layers of containment that a sample's code ran without."""
    told = details.get("contained")
    return set(LAYERS) - set(map(str, told)) if told is not None else set()


def _beside(run: Run, baseline: Run) -> _Found:
    """What differs from the baseline beside solver and parameters."""
    if baseline.model != run.model:
        yield "baseline_model", f"baseline is of another model: {baseline.model}"
    if baseline.generation != run.generation:
        yield "baseline_generation", "baseline ran with other generation settings"
    # Runs of before there was a recovery have no such parameter, and none was done.
    if bool(baseline.parameters.get("recover", False)) != bool(run.parameters.get("recover", False)):
        yield "baseline_recover", "baseline ran with another setting of recover"
    if baseline.epochs != run.epochs:
        yield "baseline_epochs", f"baseline has {baseline.epochs} epochs, this run {run.epochs}"
    shared, own = len(run.by_entry.keys() & baseline.by_entry.keys()), len(run.by_entry)
    if shared < own:
        yield "baseline_entries", f"compared on {shared} of its {own} entries"
