"""Cases from Inspect logs of our tasks: a model's own successes and failures.

What can't be used is named and counted: other tasks' logs, damaged files, samples that failed or were not
scored, data of another version.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai.log import (
    EvalLog,
    EvalSample,
    list_eval_logs,
    read_eval_log,
    read_eval_log_sample_summaries,
)
from inspect_ai.model import ChatMessage
from inspect_ai.scorer import CORRECT

from kate_eval.appworld import data as appworld_data
from kate_eval.appworld import places
from kate_eval.bfcl import data as bfcl_data
from kate_eval.bfcl.categories import CATEGORIES, SPLITS
from kate_eval.episode import FAILURE_KEY, OUTCOME_KEY, SAMPLE_KEY
from kate_eval.errors import ConfigurationError, KateError
from kate_eval.knowledge.acquire import appworld, bfcl
from kate_eval.knowledge.acquire.case import MAX_EVIDENCE, Acquired, Case
from kate_eval.knowledge.card import Card
from kate_eval.knowledge.item import Origin
from kate_eval.knowledge.scenario import by_class, siblings_of
from kate_eval.logs import samples_of

VERDICTS = {"bfcl": "bfcl_verdict"}
"""Benchmark -> its scorer; AppWorld's worlds share one."""
PLAYED = ("bfcl", *places.BENCHMARKS.values())
"""Benchmarks of logs."""
MAX_SHOWN = 200
"""Characters that are printed of what a log holds."""


@dataclass(frozen=True)
class Played:
    """A sample that was played, as a log or a running solver has it.

    Attributes:
        benchmark: of the task, with AppWorld's mini world told apart.
        entry: id.
        outcome: the episode's.
        messages: the conversation.
        success: the scorer's verdict.
        evidence: the scorer's explanation.
        judged: whether a model's judgement stands in for the scorer: then no checker is asked about turns.
    """

    benchmark: str
    entry: str
    outcome: Mapping[str, Any]
    messages: Sequence[ChatMessage]
    success: bool
    evidence: str
    judged: bool = False


def played_cases(played: Played, origin: Origin) -> list[Case]:
    """The cases of one sample.

    Raises:
        DatasetError: the entry is not in the data.
        ValueError: the sample is not in the shape that our tasks leave.
    """
    if played.judged and not played.success:
        return []  # a judge says nothing about where it went wrong
    if played.benchmark == "bfcl":
        if played.judged:
            return bfcl.judged_cases(played.entry, dict(played.outcome), origin)
        return bfcl.run_cases(played.entry, dict(played.outcome), origin)
    world = places.world_of_benchmark(played.benchmark)
    if world is None:
        raise ValueError(f"no cases are known of the benchmark {played.benchmark!r}")
    found = origin.model_copy(
        update={
            "success": played.success,
            "evidence": "" if played.success else played.evidence[:MAX_EVIDENCE],
        }
    )
    case = appworld.run_case(world, played.entry, played.messages, found)
    return [case] if case else []


def log_cases(logs: Sequence[Path], benchmark: str | None, say: Callable[[str], None]) -> Acquired:
    """The cases of all samples in logs.

    Args:
        logs: log files, or folders of them.
        benchmark: which one, where the logs hold several.
        say: told of each log that can't be used.

    Raises:
        ConfigurationError: no log of our tasks can be read, or they are of several benchmarks.
    """
    wanted, chosen = chosen_logs(logs, benchmark, say)
    left_out: Counter[str] = Counter()
    cases = [case for name, log in sorted(chosen.items()) for case in _log(name, log, left_out, say)]
    notes = [f"{count} samples left out: {reason}" for reason, count in left_out.most_common()]
    if not cases:
        raise ConfigurationError(f"The logs hold nothing to learn from. {'; '.join(notes) or 'No samples.'}")
    card = logs_card(wanted, list(chosen.values()))
    return Acquired(cases, card, siblings_of(wanted), by_class(wanted), notes)


def chosen_logs(
    logs: Sequence[Path], benchmark: str | None, say: Callable[[str], None]
) -> tuple[str, dict[str, EvalLog]]:
    """The benchmark, and the headers of its logs by their names.

    Raises:
        ConfigurationError: no log of our tasks can be read, or they are of several benchmarks.
    """
    if benchmark is not None and benchmark not in PLAYED:
        raise ConfigurationError(
            f"Unknown benchmark {benchmark!r}; known: {', '.join(PLAYED)}. Several logs: --from-logs for each"
        )
    headers = dict(_headers(logs, say))
    held = sorted({_benchmark(log) for log in headers.values()})
    wanted = held[0] if len(held) == 1 and benchmark is None else benchmark
    chosen = {name: log for name, log in headers.items() if _benchmark(log) == wanted}
    if not chosen:
        raise ConfigurationError(
            f"No usable logs{f' of {wanted}' if wanted else ''} in {', '.join(map(str, logs))}; "
            f"benchmarks found: {', '.join(held) or 'none'}. Choose one: "
            "kate knowledge build BENCHMARK --from-logs ..."
        )
    return str(wanted), chosen


def _headers(logs: Sequence[Path], say: Callable[[str], None]) -> Iterator[tuple[str, EvalLog]]:
    for path in logs:
        if not path.exists():
            raise ConfigurationError(
                f"No log or folder {path}; logs go to ./logs unless --log-dir says otherwise"
            )
        names = [str(path)] if path.is_file() else [info.name for info in list_eval_logs(str(path.resolve()))]
        for name in names:
            try:
                log = read_eval_log(name, header_only=True)
            except Exception as ex:  # other software's files, damaged in any way
                say(f"Left out, can't be read: {name} ({ex})")
                continue
            if _benchmark(log) == "bfcl" or places.world_of_benchmark(_benchmark(log)):
                yield name, log
            else:
                say(f"Left out, of another task ({log.eval.task[:MAX_SHOWN]}): {name}")


def _benchmark(log: EvalLog) -> str:
    """The benchmark's name, with AppWorld's mini world told apart, as banks do."""
    metadata = log.eval.metadata or {}
    name = str(metadata.get("benchmark"))
    return places.BENCHMARKS.get(str(metadata.get("world")), name) if name == "appworld" else name


def _log(name: str, log: EvalLog, left_out: Counter[str], say: Callable[[str], None]) -> Iterator[Case]:
    """The cases of one log; what is wrong with its samples is counted."""
    for sample in log_samples(name, log, say):
        try:
            yield from played_cases(*played_sample(name, log, sample))
        except Exception as ex:  # a log may hold anything; one sample must not cost the others
            left_out[str(ex)[:MAX_SHOWN] or type(ex).__name__] += 1


def log_samples(
    name: str, log: EvalLog, say: Callable[[str], None], events: bool = False
) -> Iterator[EvalSample]:
    """The samples of one log that is of the installed data, as far as it can be read.

    Args:
        name: of the log's file.
        log: its header.
        say: told why a log can't be used, or not to its end.
        events: read the transcripts too.
    """
    stale = _stale(log)
    if stale:
        say(f"Left out, of other data than what is installed ({stale}): {name}")
        return
    left_out = set() if events else {"events"}
    samples = _in_order(name, log, left_out, events)
    while True:
        try:
            yield next(samples)
        except StopIteration:
            return
        except Exception as ex:  # a truncated file: what came before is good
            say(f"Broken off in the middle: {name} ({ex})")
            return


def _in_order(name: str, log: EvalLog, left_out: set[str], resolve: bool) -> Iterator[EvalSample]:
    """In the dataset's order and then by epoch, in whatever order they ended: one log makes one bank."""
    places = {sample: place for place, sample in enumerate(log.eval.dataset.sample_ids or ())}
    if not places:
        raise ValueError("its header names no samples")
    there = [(s.id, s.epoch) for s in read_eval_log_sample_summaries(name) if s.id in places]
    yield from samples_of(name, sorted(there, key=lambda s: (places[s[0]], s[1])), left_out, resolve)


def _stale(log: EvalLog) -> str:
    """What of a log's data differs from the installed data; "" for nothing."""
    metadata = log.eval.metadata or {}
    world = places.world_of_benchmark(_benchmark(log))
    if world is None:
        return _stale_bfcl(metadata)
    if metadata.get("appworld_version") != places.APPWORLD_VERSION:
        return f"appworld {metadata.get('appworld_version')}"
    try:
        tasks = appworld_data.task_ids(str(metadata.get("split")))
    except KateError as ex:
        return str(ex)[:MAX_SHOWN]
    return "" if metadata.get("data_hash") == appworld_data.data_hash(tasks, world) else "data hash"


def _stale_bfcl(metadata: Mapping[str, Any]) -> str:
    hashes = metadata.get("category_hashes")
    if metadata.get("split") not in SPLITS or not isinstance(hashes, dict) or not hashes:
        return "it does not say which"
    stale = [c for c, value in hashes.items() if c not in CATEGORIES or bfcl_data.data_hash((c,)) != value]
    if stale:
        return ", ".join(sorted(stale))[:MAX_SHOWN]
    played = tuple(category for category in CATEGORIES if category in hashes)
    return "" if metadata.get("data_hash") == bfcl_data.data_hash(played) else "data hash"


def played_sample(name: str, log: EvalLog, sample: EvalSample) -> tuple[Played, Origin]:
    """A log's sample as it was played, and where it comes from.

    Raises:
        ValueError: it failed, or was not scored.
    """
    if sample.error is not None:
        raise ValueError("the sample ended in an error")
    failure = sample.store.get(FAILURE_KEY)
    if failure is not None:
        raise ValueError("the sample could not be scored")
    identity, outcome = sample.store.get(SAMPLE_KEY), sample.store.get(OUTCOME_KEY)
    verdict = (sample.scores or {}).get(VERDICTS.get(_benchmark(log), "appworld_verdict"))
    if not isinstance(identity, dict) or not isinstance(outcome, dict) or verdict is None:
        raise ValueError("the sample was not played or not scored")
    played = Played(
        benchmark=_benchmark(log),
        entry=str(sample.id),
        outcome=outcome,
        messages=sample.messages,
        success=verdict.value in (CORRECT, 1, 1.0),
        evidence=verdict.explanation or "",
    )
    origin = Origin(
        kind="run",
        log=name.rpartition("/")[2],
        sample=sample.uuid or "",
        epoch=sample.epoch,
        model=log.eval.model,
    )
    return played, origin


def logs_card(benchmark: str, logs: Sequence[EvalLog]) -> Card:
    """The card of what is made of these logs."""
    metadata = [log.eval.metadata or {} for log in logs]
    return run_card(
        benchmark,
        [str(m.get("split")) for m in metadata],
        [c for m in metadata for c in m.get("category_hashes") or ()],
        [str(m.get("data_hash")) for m in metadata],
    )


def run_card(
    benchmark: str, splits: Iterable[str], categories: Iterable[str], data_hashes: Iterable[str]
) -> Card:
    """The card of what is made of runs."""
    world = places.world_of_benchmark(benchmark)
    made_from = bfcl.LICENSE if world is None else appworld.LICENSES[world]
    return Card(
        benchmark=benchmark,
        split="+".join(sorted(set(splits))),
        categories=tuple(sorted(set(categories))),
        data_hash="+".join(sorted(set(data_hashes))),
        engine=bfcl.ENGINE if world is None else appworld.ENGINE,
        license=f"{made_from}; from runs of models",
    )
