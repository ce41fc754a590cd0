"""Audit: how much of an evaluation set a bank already holds, by similarity, exact duplicates and sources.

A turn is compared with the whole bank, whatever forms and classes a solver would search: by TF-IDF (the
same measure for every bank, on which the report's strata rest), by the bank's own embedder, and for equality
of its request's words and of its gold handling. Equal handling is calls in the same order with the same
arguments (case and whitespace of texts aside), or code with the same syntax tree. A single call without
arguments (`ls()`) is shared by requests that have nothing else in common: it is kept apart as trivial.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from kate_eval.appworld import data as appworld_data
from kate_eval.appworld import places
from kate_eval.appworld.decode import normal_form
from kate_eval.appworld.record import load_demonstration
from kate_eval.bfcl import data as bfcl_data
from kate_eval.bfcl.categories import SPLITS, has_gold, parse_categories
from kate_eval.bfcl.gold import multi_turn_gold, single_turn_gold
from kate_eval.episode import Call
from kate_eval.errors import ConfigurationError, DatasetError, unknown
from kate_eval.knowledge.acquire.appworld import recorded_step
from kate_eval.knowledge.bank import Bank
from kate_eval.knowledge.embed import encode, make_embedder
from kate_eval.knowledge.item import Experience
from kate_eval.knowledge.nearness import bank_nearness
from kate_eval.knowledge.retrieve import Query, Retriever
from kate_eval.knowledge.scenario import siblings_of

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Asked:
    """One user turn of an evaluation set in which something is asked.

    Attributes:
        handling: the normal form of its gold; "" where there is none, or it is not known.
        trivial: whether its gold is a single call without arguments.
    """

    entry: str
    category: str
    turn: int
    question: str
    handling: str = ""
    trivial: bool = False


@dataclass(frozen=True)
class EvaluationSet:
    """What a bank is audited against: a benchmark's name as banks have it, and the turns of its entries."""

    name: str
    benchmark: str
    asked: Sequence[Asked]


@dataclass(frozen=True)
class Nearest:
    """The most similar item, and its similarity in [0, 1]; no item ("") where nothing is similar."""

    item: str
    similarity: float


@dataclass(frozen=True)
class Finding:
    """What the bank holds of one turn.

    Attributes:
        asked: the turn.
        tfidf: nearest item by TF-IDF.
        embedder: nearest item by the bank's embedder.
        same_question: items that ask the same.
        same_handling: items that handle it by the turn's gold.
    """

    asked: Asked
    tfidf: Nearest
    embedder: Nearest
    same_question: Sequence[str] = ()
    same_handling: Sequence[str] = ()


@dataclass(frozen=True)
class Audit:
    """The overlap of a bank and an evaluation set.

    Attributes:
        against: name of the evaluation set.
        embedder: of the bank.
        findings: one for each turn, in the set's order.
        leaks: entry -> sources of the bank that are the entry or a sibling of it.
        items: of the bank.
        unknown_sources: items that don't say which entries they were made from: their leaks can't be seen.
    """

    against: str
    embedder: str
    findings: Sequence[Finding]
    items: int
    unknown_sources: int
    leaks: dict[str, list[str]] = field(default_factory=dict)

    @property
    def nearest(self) -> dict[str, float]:
        """Entry -> TF-IDF similarity of the item that is nearest to any of its turns."""
        found: dict[str, float] = {}
        for finding in self.findings:
            entry = finding.asked.entry
            found[entry] = max(found.get(entry, 0.0), finding.tfidf.similarity)
        return found


async def audit(bank: Bank, against: EvaluationSet) -> Audit:
    """Compare a bank with an evaluation set.

    Raises:
        BankError: the bank's vectors are not what its embedder makes.
        ConfigurationError: the bank's embedder can't be used.
        EndpointError: the embedder's endpoint failed.
    """
    # Variants of an entry ask the same: each different request is compared once.
    distinct = list(dict.fromkeys(asked.question for asked in against.asked))
    by_tfidf = dict(zip(distinct, _by_tfidf(bank, distinct), strict=True))
    by_embedder = dict(zip(distinct, await _by_embedder(bank, distinct), strict=True))
    questions = _index(bank.items, lambda item: words(item.question))
    handlings = _index(bank.items, handling_of)
    findings = [
        Finding(
            asked=asked,
            tfidf=by_tfidf[asked.question],
            embedder=by_embedder[asked.question],
            same_question=questions.get(words(asked.question), ()),
            same_handling=handlings.get(asked.handling, ()),
        )
        for asked in against.asked
    ]
    return Audit(
        against=against.name,
        embedder=bank.card.embedder.name,
        findings=findings,
        items=len(bank.items),
        unknown_sources=sum(not item.sources for item in bank.items),
        leaks=_leaks(bank, against),
    )


def _by_tfidf(bank: Bank, questions: Sequence[str]) -> Iterator[Nearest]:
    nearness = bank_nearness(bank)
    for question in questions:
        place, similarity = nearness.nearest(question)
        yield Nearest(bank.items[place].id if place >= 0 else "", round(similarity, 4))


async def _by_embedder(bank: Bank, questions: Sequence[str]) -> list[Nearest]:
    """The nearest item of each question, of whatever form and class."""
    retriever = Retriever(bank)
    if questions:
        await retriever.query(questions[0])  # checks that the vectors are this embedder's
    vectors = await encode(make_embedder(bank.card.embedder.name), questions) if questions else None
    found = []
    for number, question in enumerate(questions):
        query = Query(question, None if vectors is None else vectors[number])
        hits = [hit for form in bank.card.forms for hit in retriever.search(query, form, set(), 1, 0.0)]
        best = max(hits, key=lambda hit: hit.similarity, default=None)
        found.append(Nearest(best.item.id, best.similarity) if best else Nearest("", 0.0))
    return found


def _index(items: Iterable[Experience], key: Callable[[Experience], str]) -> dict[str, list[str]]:
    """Key -> ids of the items that have it; items without one are left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if name := key(item):
            found[name].append(item.id)
    return found


def _leaks(bank: Bank, against: EvaluationSet) -> dict[str, list[str]]:
    siblings = siblings_of(against.benchmark)
    entries = dict.fromkeys(asked.entry for asked in against.asked)
    shared = {entry: sorted(siblings(entry) & bank.sources) for entry in entries}
    return {entry: sources for entry, sources in shared.items() if sources}


def words(text: str) -> str:
    """A request's words: equal for requests that differ in case, whitespace or punctuation only."""
    return " ".join(_WORD.findall(text.lower()))


def handling_of(item: Experience) -> str:
    """The normal form of what an item did; "" if it holds neither calls nor code."""
    if item.steps:
        return code_form(step.code for step in item.steps)
    return calls_form([call.call() for call in item.calls])


def code_form(codes: Iterable[str]) -> str:
    """The normal form of code, however it is cut into steps."""
    return normal_form("\n".join(codes))


def calls_form(calls: Sequence[Call]) -> str:
    """The normal form of calls, in their order; "" for none."""
    if not calls:
        return ""
    # Official names have dots, which function calling writes as underscores.
    plain = [(call.name.replace(".", "_"), _plain(call.arguments)) for call in calls]
    return json.dumps(plain, sort_keys=True, ensure_ascii=False, default=repr)


def _plain(value: Any) -> Any:
    """A value without what JSON, or a reader, doesn't tell apart."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return " ".join(value.lower().split()) if isinstance(value, str) else value


def evaluation_set(name: str) -> EvaluationSet:
    """The evaluation set of a name.

    Args:
        name: "bfcl:test", "bfcl:test:multi_turn_base,live" (by default multi_turn), "appworld:mini_test".

    Raises:
        ConfigurationError: there is no such benchmark, split or category.
        DatasetError: its data is not set up.
    """
    benchmark, _, rest = name.partition(":")
    split, separator, categories = rest.partition(":")
    if benchmark not in SETS:
        raise unknown("benchmark", benchmark, SETS, "Write BENCHMARK:SPLIT, for instance bfcl:test")
    found = SETS[benchmark](split, categories if separator else None)
    return EvaluationSet(name, *found)


def _bfcl(split: str, categories: str | None) -> tuple[str, list[Asked]]:
    if split not in SPLITS:
        raise unknown("split", split, SPLITS, "Write bfcl:SPLIT or bfcl:SPLIT:CATEGORIES")
    chosen = parse_categories("multi_turn" if categories is None else categories)
    return "bfcl", [turn for entry in bfcl_data.load(chosen, split) for turn in _turns(entry)]


def _turns(entry: bfcl_data.Entry) -> Iterator[Asked]:
    gold: list[list[Call]] = [[] for _ in entry.turns]
    if has_gold(entry.category):
        gold = multi_turn_gold(entry) if entry.multi_turn else [single_turn_gold(entry)]
    for turn, (messages, calls) in enumerate(zip(entry.turns, gold, strict=True)):
        question = "\n".join(m["content"] for m in messages if m["role"] == "user").strip()
        if question:
            trivial = len(calls) == 1 and not calls[0].arguments
            yield Asked(entry.id, entry.category, turn, question, calls_form(calls), trivial)


def _appworld(split: str, categories: str | None) -> tuple[str, list[Asked]]:
    if categories is not None:
        raise ConfigurationError(f"AppWorld has no categories: write appworld:{split}")
    world = places.world_of(split)
    return places.BENCHMARKS[world], [
        Asked(task.id, f"difficulty_{task.difficulty}", 0, task.instruction, _demonstrated(world, task.id))
        for task in appworld_data.load(split)
    ]


def _demonstrated(world: str, task_id: str) -> str:
    """The normal form of a task's own solution; "" where none is published."""
    try:
        shown = load_demonstration(world, task_id)
    except DatasetError:
        return ""
    return code_form(recorded_step(step["code"], step["output"]).code for step in shown["steps"])


SETS: dict[str, Callable[[str, str | None], tuple[str, list[Asked]]]] = {"bfcl": _bfcl, "appworld": _appworld}
"""Benchmark -> (split, categories) -> its name as banks have it, and its turns."""
