"""The leak check: what rows, and the bank behind them, hold of the test half.

Rows made from entries of the test half, or from siblings of them, are refused; what merely looks alike is
counted (knowledge/audit.py has the measures).
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from kate_eval.appworld import places
from kate_eval.bfcl.categories import CATEGORIES, group_of, is_multi_turn
from kate_eval.errors import LeakageError
from kate_eval.knowledge.audit import Audit, EvaluationSet, Finding, audit, evaluation_set
from kate_eval.knowledge.bank import Bank, make_bank, merged_items
from kate_eval.knowledge.card import Card, EmbedderCard
from kate_eval.knowledge.item import Experience
from kate_eval.knowledge.scenario import siblings_of
from kate_eval.report.strata import DUPLICATE, NEAR
from kate_eval.trainers.rows.card import Leak

TEST_SPLITS = {"real": ("test_normal", "test_challenge"), "mini": ("mini_test",)}
SHOWN = 5
"""Entries that an error names."""


def evaluation_sets(benchmark: str, categories: Iterable[str]) -> list[EvaluationSet]:
    """The sets that training data of a benchmark must not hold.

    Args:
        benchmark: as banks name it.
        categories: BFCL's, of the rows: all variants of a multi-turn scenario count.

    Raises:
        DatasetError: its data is not set up.
    """
    world = places.world_of_benchmark(benchmark)
    if world is not None:
        return [evaluation_set(f"appworld:{split}") for split in TEST_SPLITS[world]]
    named = sorted({"multi_turn" if is_multi_turn(name) else name for name in categories}, key=_order)
    return [evaluation_set(f"bfcl:test:{','.join(named)}")]


def _order(name: str) -> tuple[str, str]:
    return ("" if name == "multi_turn" else group_of(name), name)


@dataclass(frozen=True)
class Shown:
    """The knowledge that rows show.

    Attributes:
        sources: entries that it was made from.
        unknown: items that don't say what they were made from.
    """

    sources: Set[str] = frozenset()
    unknown: int = 0

    @classmethod
    def of_bank(cls, bank: Bank | None) -> "Shown":
        """All that a bank holds."""
        if bank is None:
            return cls()
        return cls(bank.sources, sum(not item.sources for item in bank.items))


def require_apart(entries: Set[str], bank: Bank | None, sets: Sequence[EvaluationSet], allowed: bool) -> bool:
    """Check that neither entries nor the bank are of a test half; whether they are, where that is allowed.

    Raises:
        LeakageError: they are, and it is not allowed.
    """
    rows = sorted(of_test(entries, sets))
    items = sorted(of_any_test(bank.sources, bank.card.benchmark)) if bank else []
    if (rows or items) and not allowed:
        raise LeakageError(
            f"{_told(rows, 'rows would be made from')}{_told(items, 'the bank was built from')}"
            "These are entries of the test half, or siblings of them: a score on it would mean nothing. Take "
            "another split (--split train) or bank, or make them marked as leaked: --allow-leakage"
        )
    return bool(rows or items)


def of_test(entries: Set[str], sets: Sequence[EvaluationSet]) -> frozenset[str]:
    """Of entries those that share a scenario with a test set."""
    return frozenset(entry for against in sets for entry in _shared(entries, against))


def of_any_test(sources: Set[str], benchmark: str) -> frozenset[str]:
    """Of knowledge's sources those of a test half, whatever categories the rows are of.

    Args:
        sources: entries.
        benchmark: theirs, as banks name it.
    """
    categories = {entry.rpartition("_")[0] for entry in sources}.intersection(CATEGORIES)
    if places.world_of_benchmark(benchmark) is None and not categories:
        return frozenset()
    return of_test(sources, evaluation_sets(benchmark, categories))


def _told(entries: Sequence[str], what: str) -> str:
    if not entries:
        return ""
    return f"{what[0].upper()}{what[1:]} {named_entries(entries)}. "


def named_entries(entries: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(entries) - SHOWN} more" if len(entries) > SHOWN else ""
    return f"{', '.join(entries[:SHOWN])}{more}"


def _shared(entries: Set[str], against: EvaluationSet) -> set[str]:
    """Of the entries those that share a scenario with the test set."""
    siblings = siblings_of(against.benchmark)
    tested = {entry for asked in against.asked for entry in siblings(asked.entry)}
    return set(entries) & tested


async def check(
    items: Sequence[Experience], card: Card, shown: Shown, sets: Sequence[EvaluationSet]
) -> tuple[Leak, ...]:
    """Compare what rows are made of with the test sets.

    Args:
        items: the rows' turns: question and handling.
        card: of the benchmark.
        shown: the knowledge in their prompts.
        sets: to compare with.
    """
    if not items:
        return ()
    made = make_bank(merged_items((), items), card.model_copy(update={"embedder": EmbedderCard()}))
    return tuple([_leak(await audit(made, against), made, shown, against) for against in sets])


def _leak(found: Audit, made: Bank, shown: Shown, against: EvaluationSet) -> Leak:
    same = [finding for finding in found.findings if set(finding.same_question) & set(finding.same_handling)]
    return Leak(
        against=against.name,
        turns=len(found.findings),
        entries=tuple(sorted(_shared(made.sources, against))),
        bank_entries=tuple(sorted(_shared(shown.sources, against))),
        same=len(same),
        same_question=sum(bool(finding.same_question) for finding in found.findings),
        same_handling=sum(_handled(finding, trivial=False) for finding in found.findings),
        trivial=sum(_handled(finding, trivial=True) for finding in found.findings),
        near=sum(finding.tfidf.similarity >= NEAR for finding in found.findings),
        duplicate=sum(finding.tfidf.similarity >= DUPLICATE for finding in found.findings),
        unknown_sources=shown.unknown,
    )


def _handled(finding: Finding, trivial: bool) -> bool:
    return bool(finding.same_handling) and finding.asked.trivial is trivial
