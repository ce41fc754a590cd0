"""The columns of a leaderboard: what each is called and means, and how it follows from a run's result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kate_eval.appworld.scorer import FAILURES
from kate_eval.failures import KINDS
from kate_eval.report.causes import Causes
from kate_eval.report.document import Cell, Column, Value
from kate_eval.report.leaderboard import Result
from kate_eval.report.passes import passes
from kate_eval.stats import Estimate


@dataclass(frozen=True)
class Field:
    """A column and its value for a result."""

    column: Column
    value: Callable[[Result], Value]


def estimate(found: Estimate | None) -> Cell | None:
    """A share with its 95% interval."""
    if found is None:
        return None
    low, high = found.proportion_interval()
    return Cell(value=found.mean, low=low, high=high, n=found.n)


def leaderboard_fields(results: Sequence[Result], causes: Mapping[str, Causes]) -> list[Field]:
    """The columns of some results of one board, as far as any of them has a value there.

    Args:
        results: the rows to be.
        causes: id of a run -> its failed samples by cause, as far as that was looked up.
    """
    fields = [
        *_scores(results),
        *_categories(results),
        *_epochs(results),
        *RATES,
        *COSTS,
        *_errors(causes),
        *_failures(results, causes),
        *PROVENANCE,
    ]
    return [field for field in fields if any(field.value(result) is not None for result in results)]


def _scores(results: Sequence[Result]) -> list[Field]:
    benchmark = results[0].run.benchmark
    headlines = {result.headline for result in results if result.scores}
    [one] = headlines if len(headlines) == 1 else [None]
    label = benchmark.labels.get(one, one) if one else "Score"
    told = "The score that ranks and compares: the broadest aggregate of which all categories were played."
    fields = [Field(_share("score", label, "score", told), lambda result: estimate(result.score))]
    if one is None:
        of = Column(key="score_of", label="of", unit="text", group="score", help="What the score is of.")
        fields.append(Field(of, lambda result: benchmark.labels.get(result.headline, result.headline)))
    names = [name for name in benchmark.columns if name != one]
    return fields + [_score(name, benchmark.labels.get(name, name), "score") for name in names]


def _categories(results: Sequence[Result]) -> list[Field]:
    benchmark = results[0].run.benchmark
    shown = {*benchmark.columns, *(result.headline for result in results)}
    every = dict.fromkeys(name for result in results for name in result.scores if name not in shown)
    valid = _share("valid_gold", "Valid gold only", "category", "The score without entries of broken gold.")
    fields = [_score(name, benchmark.labels.get(name, name), "category") for name in every]
    return [*fields, Field(valid, lambda result: estimate(result.valid_gold))]


def _score(name: str, label: str, group: str) -> Field:
    return Field(_share(name, label, group, ""), lambda result: estimate(result.scores.get(name)))


def _share(key: str, label: str, group: str, told: str, digits: int = 1) -> Column:
    return Column.model_validate(
        {
            "key": key,
            "label": label,
            "unit": "share",
            "group": group,
            "help": told,
            "digits": digits,
            "better": "higher",
        }
    )


def _epochs(results: Sequence[Result]) -> list[Field]:
    found = {result.run.id: passes(result.run) for result in results}
    names = dict.fromkeys(name for scores in found.values() for name in scores)

    def field(name: str) -> Field:
        _, kind, k = name.split("_")
        one = kind == "at"
        what = "at least one of them is" if one else "all of them are"
        told = f"Probability that of {k} attempts at an entry {what} right; unbiased over the epochs."
        column = _share(name, f"pass{'@' if one else '^'}{k}", "epochs", told)
        return Field(column, lambda result: estimate(found[result.run.id].get(name)))

    return [field(name) for name in names]


def _mean(name: str) -> Callable[[Result], Value]:
    return lambda result: result.means.get(name)


RATES = (
    Field(
        Column(
            key="agreement_rate",
            label="Agree",
            unit="share",
            group="rate",
            digits=0,
            help="Share of steps at which all candidates agreed.",
        ),
        _mean("agreement_rate"),
    ),
    Field(
        Column(
            key="retrieval_hit_rate",
            label="Hits",
            unit="share",
            group="rate",
            digits=0,
            help="Share of searches that found knowledge, which was injected.",
        ),
        _mean("retrieval_hit_rate"),
    ),
    Field(
        Column(
            key="interactions",
            label="Interactions",
            unit="mean",
            group="rate",
            help="Blocks of code played in a sample.",
        ),
        _mean("interactions"),
    ),
)


def _cost(key: str, label: str, unit: str, digits: int, told: str, value: Callable[[Result], Value]) -> Field:
    column = {"key": key, "label": label, "unit": unit, "digits": digits, "help": told, "group": "cost"}
    return Field(Column.model_validate(column | {"better": "lower"}), value)


def _saved(result: Result) -> Value:
    adaptive = "adaptive" in str(result.run.parameters.get("width"))
    return result.means.get("tokens_saved") if adaptive else None


def _dollars_each(result: Result) -> Value:
    whole = result.cost.dollars
    return None if whole is None or not result.run.samples else whole / len(result.run.samples)


COSTS = (
    _cost("requests", "Req.", "mean", 1, "Requests a sample, in all roles.", _mean("requests")),
    _cost("tokens", "Tokens", "tokens", 0, "Tokens a sample, input and output, all models.", _mean("tokens")),
    _cost("input", "In", "tokens", 0, "Prompt tokens a sample.", lambda r: r.cost.input),
    _cost(
        "cached", "Cached", "tokens", 0, "Of them from the server's prefix cache.", lambda r: r.cost.cached
    ),
    _cost("output", "Out", "tokens", 0, "Generated tokens a sample.", lambda r: r.cost.output),
    _cost("reasoning", "Reasoning", "tokens", 0, "Of them those of reasoning.", lambda r: r.cost.reasoning),
    _cost(
        "critic", "Critic", "tokens", 0, "Tokens of critics a sample.", lambda r: r.cost.roles.get("critic")
    ),
    _cost("mean_width", "Width", "mean", 1, "Candidates a step.", _mean("mean_width")),
    _cost(
        "tokens_saved", "Saved", "tokens", 0, "Estimate: tokens that adaptive width saved a sample.", _saved
    ),
    _cost(
        "step_mean", "s/step", "seconds", 2, "Seconds from first request to decision.", lambda r: r.cost.mean
    ),
    _cost("step_p50", "p50", "seconds", 2, "The same, the median step.", lambda r: r.cost.p50),
    _cost("step_p95", "p95", "seconds", 2, "The same, the 95th percentile.", lambda r: r.cost.p95),
    _cost("step_model", "Model s/step", "seconds", 2, "Time of requests alone.", lambda r: r.cost.model),
    _cost("dollars_sample", "$/sample", "dollars", 4, "Dollars a sample.", _dollars_each),
    _cost("dollars", "$/run", "dollars", 4, "Dollars of the run.", lambda r: r.cost.dollars),
)


_ERRORS = {
    "infrastructure": (
        "Not scored",
        "Samples that were not scored: endpoint, environment or solver failed, or the run ended before them.",
    ),
    "parse": ("Parse", "Failed samples that ended by an answer that could not be read."),
    "capability": ("Capability", "Failed samples for what the model did."),
}


def _errors(causes: Mapping[str, Causes]) -> list[Field]:
    def field(kind: str) -> Field:
        label, told = _ERRORS[kind]
        column = {"key": kind, "label": label, "unit": "count", "group": "error", "digits": 0, "help": told}
        return Field(
            Column.model_validate(column | {"better": "lower"}),
            lambda result: errors_by_kind(result, causes.get(result.run.id)).get(kind),
        )

    return [field(kind) for kind in _ERRORS]


def errors_by_kind(result: Result, causes: Causes | None) -> dict[str, int]:
    """Infrastructure, parse and capability -> samples; the last two only where causes were looked up."""
    return {"infrastructure": result.errors, **(causes.groups if causes else {})}


def _failures(results: Sequence[Result], causes: Mapping[str, Causes]) -> list[Field]:
    """Failed samples by cause; where causes were not looked up, by what AppWorld's scorer said of them."""
    known = [causes[result.run.id] for result in results if result.run.id in causes]
    if known:
        kinds = [kind for kind in KINDS if any(kind in found.kinds for found in known)]
        return [_cause(kind, _looked_up(kind, causes)) for kind in kinds]
    if any(s.details.get("failure") for result in results for s in result.run.samples):
        return [_cause(kind, _told(kind)) for kind in FAILURES]
    return []


def _looked_up(kind: str, causes: Mapping[str, Causes]) -> Callable[[Result], Value]:
    def value(result: Result) -> Value:
        found = causes.get(result.run.id)
        return None if found is None else found.kinds.get(kind, 0)

    return value


def _told(kind: str) -> Callable[[Result], Value]:
    return lambda result: sum(sample.details.get("failure") == kind for sample in result.run.samples)


def _cause(kind: str, value: Callable[[Result], Value]) -> Field:
    told, label = KINDS.get(kind, ""), kind.replace("_", " ")
    column = Column(key=f"cause_{kind}", label=label, unit="count", group="cause", digits=0, help=told)
    return Field(column, value)


def _of_metadata(*names: str) -> Callable[[Result], Value]:
    def value(result: Result) -> Value:
        return next((str(found) for name in names if (found := result.run.metadata.get(name))), None)

    return value


def _hashes(name: str) -> Callable[[Result], Value]:
    def value(result: Result) -> Value:
        found = {str(s.provenance[name]) for s in result.run.samples if s.provenance.get(name)}
        return ", ".join(sorted(found)) or None

    return value


def _package(name: str) -> Callable[[Result], Value]:
    return lambda result: result.run.packages.get(name)


def _provenance(key: str, label: str, value: Callable[[Result], Value]) -> Field:
    return Field(Column(key=key, label=label, unit="text", group="provenance"), value)


PROVENANCE = (
    _provenance("split", "Split", _of_metadata("split")),
    _provenance("mode", "Mode", _of_metadata("mode")),
    _provenance("data_hash", "Data hash", _of_metadata("data_hash")),
    _provenance("prompts_hash", "Prompts", _hashes("prompts_hash")),
    _provenance("bank_hash", "Bank", _hashes("bank_hash")),
    _provenance("engine", "Engine", _of_metadata("bfcl_eval_version", "appworld_version")),
    _provenance("task", "Task", lambda result: result.run.task_version),
    _provenance("inspect_ai", "Inspect", _package("inspect_ai")),
    _provenance("kate_eval", "kate-eval", _package("kate-eval")),
    _provenance("created", "Created", lambda result: result.run.created),
    _provenance("log", "Log", lambda result: ", ".join(source.name for source in result.run.sources)),
)
