"""BFCL's cases: one per user turn (multi-turn) or entry (single-turn), from gold or from a run's sample.

Source: KATE, section 3.1 (arXiv 2606.10875). The default is the paper's: the training half of
multi_turn_base. Turns without gold calls, and turns that only add functions, give no case. Of a run, turns
before the first that the checkers reject are successes, that one is a failure, and those after it say
nothing: they start from a wrong state.
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from kate_eval.bfcl import data
from kate_eval.bfcl.categories import SPLITS, Mode, has_gold, parse_categories
from kate_eval.bfcl.checker import check, decode_step, first_fault
from kate_eval.bfcl.engine import BFCL_EVAL_VERSION
from kate_eval.bfcl.gold import multi_turn_gold, single_turn_gold
from kate_eval.episode import Call
from kate_eval.errors import unknown
from kate_eval.knowledge.acquire.case import MAX_EVIDENCE, Acquired, Case
from kate_eval.knowledge.card import Card
from kate_eval.knowledge.item import Origin, RecordedCall

DEFAULT_CATEGORIES = ("multi_turn_base",)
ENGINE = f"bfcl-eval {BFCL_EVAL_VERSION}"
LICENSE = "Made from BFCL-V3 data (bfcl-eval, Apache-2.0)"
FORCED = "multi_turn:force_terminated the turn was not over after the most steps that are allowed"


def gold_cases(split: str = "train", categories: Sequence[str] | None = None) -> Acquired:
    """The gold of a split's entries, in a second or two.

    Raises:
        ConfigurationError: an unknown category or split.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    chosen = tuple(c for c in parse_categories(categories or DEFAULT_CATEGORIES) if has_gold(c))
    entries = data.load(chosen, split)
    return Acquired(
        cases=[case for entry in entries for case in cases_of(entry)],
        card=Card(
            benchmark="bfcl",
            split=split,
            categories=chosen,
            data_hash=data.data_hash(chosen),
            engine=ENGINE,
            license=LICENSE,
        ),
        siblings=data.siblings,
    )


def cases_of(entry: data.Entry) -> Iterator[Case]:
    """The cases of an entry's gold."""
    turns = multi_turn_gold(entry) if entry.multi_turn else [single_turn_gold(entry)]
    yield from _cases(entry, turns, [Origin()] * len(turns))


def run_cases(entry_id: str, outcome: dict[str, Any], origin: Origin) -> list[Case]:
    """The cases of a run's sample.

    Args:
        entry_id: of the entry that was played.
        outcome: the episode's, as the log keeps it.
        origin: the run; success and evidence are filled in by turn.

    Raises:
        DatasetError: there is no such entry.
        ValueError: the outcome is not one of this entry.
    """
    entry = data.load_entry(entry_id)
    try:
        mode, result, over = cast(Mode, outcome["mode"]), outcome["result"], bool(outcome["over"])
        if not entry.multi_turn:
            verdict = check(entry, result, mode)
            found = origin.model_copy(
                update={
                    "success": verdict.correct,
                    "evidence": f"{verdict.error_type} {verdict.message}".strip()[:MAX_EVIDENCE],
                }
            )
            return list(_cases(entry, [decode_step(result, mode)], [found]))
        if not isinstance(result, list) or len(result) > len(entry.turns):
            raise ValueError(f"the outcome of {entry_id} has no turns, or more than the entry")
        calls = [[call for step in turn for call in decode_step(step, mode)] for turn in result]
        origins = _origins(entry, result, mode, origin, over)
    except (KeyError, TypeError, AttributeError) as ex:
        raise ValueError(f"the outcome of {entry_id} is not in the shape of a result: {ex!r}") from ex
    return list(_cases(entry, calls, origins))


def judged_cases(entry_id: str, outcome: dict[str, Any], origin: Origin) -> list[Case]:
    """The turns with calls of a run that somebody else than the checkers called a success.

    Args:
        entry_id: of the entry that was played.
        outcome: the episode's.
        origin: the run.

    Raises:
        DatasetError: there is no such entry.
    """
    entry = data.load_entry(entry_id)
    turns = outcome["result"] if entry.multi_turn else [[outcome["result"]]]
    calls = [[call for step in turn for call in decode_step(step, outcome["mode"])] for turn in turns]
    return [case for case in _cases(entry, calls, [origin] * len(calls), by_gold=False) if case.calls]


def turns_passed(entry: data.Entry, outcome: dict[str, Any]) -> int:
    """How many turns of a multi-turn run come before the first that says nothing good of itself.

    Args:
        entry: that was played.
        outcome: the episode's, as the log keeps it.
    """
    found = _origins(entry, outcome["result"], outcome["mode"], Origin(), bool(outcome["over"]))
    return sum(origin.success for origin in found)


def _origins(
    entry: data.Entry, result: Sequence[Any], mode: Mode, origin: Origin, over: bool
) -> list[Origin]:
    """The finding on each turn up to the first fault; turns without gold calls are never checked."""
    # A turn that a limit of the user's ended was not finished: it says nothing.
    result = result if over else result[:-1]
    fault = first_fault(entry, result, mode)
    passed = len(result) if fault is None else fault[0]
    cut_short = over and fault is None and len(result) < len(entry.gold)
    found = [origin] * passed
    if fault is not None:
        evidence = f"{fault[1].error_type} {fault[1].message}"[:MAX_EVIDENCE]
        found.append(origin.model_copy(update={"success": False, "evidence": evidence}))
    elif cut_short and found:
        # The last turn played ran into the cap on steps.
        found[-1] = origin.model_copy(update={"success": False, "evidence": FORCED})
    return found


def _cases(
    entry: data.Entry, turns: Sequence[Sequence[Call]], origins: Sequence[Origin], by_gold: bool = True
) -> Iterator[Case]:
    """The cases of turns; by default of those only that have gold calls: no others are checked."""
    checked = [bool(gold) for gold in entry.gold] if entry.multi_turn else [True]
    earlier: list[str] = []
    for turn, (calls, origin) in enumerate(zip(turns, origins, strict=False)):
        question = "\n".join(m["content"] for m in entry.turns[turn] if m["role"] == "user").strip()
        case = Case(
            benchmark="bfcl",
            source=entry.id,
            turn=turn,
            question=question,
            earlier=tuple(earlier),
            calls=tuple(RecordedCall(name=call.name, arguments=call.arguments) for call in calls),
            classes=tuple(sorted(entry.classes)),
            origin=origin,
        )
        if question:
            earlier.append(f"Request: {question}\n{case.handling}")
        if question and (checked[turn] or not by_gold) and (calls or not origin.success):
            yield case
