"""Making rows of gold: played, augmented, written by a teacher, with choices, checked and saved."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import anyio
from inspect_ai.model import Model

from kate_eval.errors import ConfigurationError, RowsError, unknown
from kate_eval.hashes import texts_hash
from kate_eval.knowledge.acquire.build import Asking
from kate_eval.knowledge.acquire.case import GOLD as GOLD_ORIGIN
from kate_eval.knowledge.acquire.case import Case
from kate_eval.knowledge.acquire.estimate import Estimate, estimate
from kate_eval.knowledge.acquire.form import Job
from kate_eval.knowledge.acquire.journal import Journal
from kate_eval.knowledge.acquire.trajectory import NAME as TRAJECTORY
from kate_eval.knowledge.acquire.write import Written, write
from kate_eval.knowledge.item import Experience, RecordedCall, RecordedStep
from kate_eval.knowledge.scenario import siblings_of
from kate_eval.solvers.parameters import prompts_hash
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows import appworld, bfcl
from kate_eval.trainers.rows.aggregation import corrupted_row
from kate_eval.trainers.rows.card import Teacher
from kate_eval.trainers.rows.corruption import Corruptions
from kate_eval.trainers.rows.finish import Made, card_of, save
from kate_eval.trainers.rows.folder import writing
from kate_eval.trainers.rows.knowledge import Augmenter
from kate_eval.trainers.rows.leak import Shown, check, evaluation_sets, require_apart
from kate_eval.trainers.rows.play import Played
from kate_eval.trainers.rows.recipe import Recipe
from kate_eval.trainers.rows.source import Gold, Injection
from kate_eval.trainers.rows.split import held_out
from kate_eval.trainers.rows.statistics import Counter as TokenCounter
from kate_eval.trainers.rows.teacher import PROMPTS, Text, jobs
from kate_eval.trainers.rows.written import moments, step_row

GOLD: dict[str, tuple[Callable[..., Gold], str, str]] = {
    "bfcl": (bfcl.gold, bfcl.DEFAULT_SPLIT, "fc"),
    "appworld": (appworld.gold, appworld.DEFAULT_SPLIT, appworld.MODE),
}
"""Benchmark -> its gold, its default split and its default mode."""
STATED = "stated_intent"


def gold_of(recipe: Recipe) -> Gold:
    """The gold that a recipe names.

    Raises:
        ConfigurationError: no such benchmark, split, category or mode.
        DatasetError: its data is not set up.
    """
    if recipe.benchmark is None:
        raise ConfigurationError(f"Name a benchmark ({', '.join(GOLD)}), or --from-logs LOGS")
    if recipe.benchmark not in GOLD:
        raise unknown("benchmark", recipe.benchmark, GOLD)
    make, split, mode = GOLD[recipe.benchmark]
    found = make(recipe.split or split, recipe.categories, recipe.mode or mode, recipe.limit)
    if not found.entries:
        raise RowsError(f"{recipe.benchmark} {found.card.split} has no gold to make rows of")
    return found


async def estimate_gold(recipe: Recipe, asking: Asking, folder: Path) -> Estimate:
    """What a teacher's texts for a recipe would cost; intents that it would state are not counted."""
    played = await _play(gold_of(recipe), Injection(), lambda done: None)
    asked = [job for one in played for job in jobs(one)]
    return estimate(asked, 0, asking.named(""), Journal(folder), asking.price, asking.retry_failed)


async def make_gold_rows(
    recipe: Recipe,
    folder: Path,
    counter: TokenCounter,
    asking: Asking | None = None,
    said: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Made:
    """Make rows of a benchmark's gold.

    Args:
        recipe: what is wanted.
        folder: to write; it keeps the teacher's answers too.
        counter: of tokens.
        asking: the teacher; None for none.
        said: told of progress: what is done, how much, of how much.

    Raises:
        ConfigurationError: no such benchmark, split, category, mode or form of knowledge.
        LeakageError: entries or bank are of the test half, which is not allowed.
        RowsError: gold can't be played, or the folder holds something else.
        EndpointError: the teacher's endpoint failed; what is done is kept.
    """
    gold = gold_of(recipe)
    card = gold.card
    augmenter = _augmenter(gold, recipe)
    bank = augmenter.bank if augmenter else None
    sets = evaluation_sets(card.benchmark, card.categories)
    leaked = require_apart(frozenset(gold.entries), bank, sets, recipe.allow_leakage)
    teacher = asking.named("") if asking else None
    with writing(folder):
        journal = Journal(folder)
        injection = Injection()
        if augmenter:
            injection = Injection(augmenter.injector, _stating(teacher, journal) if teacher else None)
        played = await _play(gold, injection, lambda done: said("Playing gold", done, len(gold.entries)))
        written = await _write(played, teacher, journal, asking, said) if asking and teacher else None
        rows = list(_rows(played, recipe, written, str(teacher or "")))
        items = [item for one in played for item in _items(one)]
        shown = len({row.entry for row in rows if row.knowledge})
        filled = card_of(recipe, card, gold.mode, rows).model_copy(
            update={
                "knowledge": augmenter.card(shown) if augmenter else None,
                "teacher": _teacher(written, str(teacher)) if written else None,
                "prompts_hash": prompts_hash(),
                "leak": await check(items, card, Shown.of_bank(bank), sets),
                "leaked": leaked,
                "notes": gold.notes,
            }
        )
        return Made(save(folder, rows, recipe, filled, counter), written)


def _augmenter(gold: Gold, recipe: Recipe) -> Augmenter | None:
    """The knowledge that is wanted, if any."""
    if not recipe.knowledge.forms:
        return None
    apart = held_out(gold.clusters.values(), recipe.held_out, recipe.seed)
    siblings = siblings_of(gold.card.benchmark)
    # A bank may hold other variants of their scenarios than those that rows are made of.
    away = frozenset(
        s for entry, cluster in gold.clusters.items() if cluster in apart for s in siblings(entry)
    )
    return Augmenter(recipe.knowledge, gold.card.benchmark, away)


async def _play(gold: Gold, injection: Injection, tick: Callable[[int], None]) -> list[Played]:
    """Play all entries, in order, some side by side; after an error no more are begun."""
    limiter = anyio.CapacityLimiter(gold.at_once)
    found: dict[int, Played] = {}
    errors: list[Exception] = []

    async def one(place: int, entry: str) -> None:
        async with limiter:
            if errors:
                return
            try:
                found[place] = await gold.play(entry, injection)
            except Exception as ex:  # raised when those under way have ended: one error, not a group
                errors.append(ex)
        tick(len(found))

    async with anyio.create_task_group() as group:
        for place, entry in enumerate(gold.entries):
            group.start_soon(one, place, entry)
    if errors:
        raise errors[0]
    return [found[place] for place in sorted(found)]


def _stating(teacher: Model, journal: Journal) -> Callable[[str], Awaitable[str]]:
    """Lets the teacher state intents, each once: variants of an entry ask for the same."""
    locks: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)

    def read(answer: str, writer: str) -> str:
        if not answer.strip():
            raise ValueError("the answer is empty")
        return answer

    async def state(text: str) -> str:
        async with locks[text]:
            written = await write([Job(STATED, text, read)], teacher, journal)
        return written.items[0] if written.items else ""

    return state


async def _write(
    played: Sequence[Played],
    teacher: Model,
    journal: Journal,
    asking: Asking,
    said: Callable[[str, int, int], None],
) -> Written[Text]:
    asked = [job for one in played for job in jobs(one)]
    total = len({job.key(str(teacher)) for job in asked})  # equal ones are asked once
    done = failed = 0

    def tick(good: bool) -> None:
        nonlocal done, failed
        done, failed = done + 1, failed + (not good)
        said(f"Writing ({failed} refused)" if failed else "Writing", done, total)

    return await write(asked, teacher, journal, asking.retry_failed, tick)


def _rows(
    played: Sequence[Played], recipe: Recipe, written: Written[Text] | None, writer: str
) -> Iterator[Row]:
    texts = {text.key: text.text for text in written.items} if written else {}
    away = held_out((one.cluster for one in played), recipe.held_out, recipe.seed)
    # What is held out must not come back as a wrong choice in rows to learn from.
    learnt = Corruptions([one for one in played if one.cluster not in away]) if recipe.aggregation else None
    apart = Corruptions(played) if recipe.aggregation else None
    for one in played:
        corruptions = apart if one.cluster in away else learnt
        for moment in moments(one, texts):
            key = (one.entry, moment.turn.index, moment.number)
            row = step_row(moment, writer if key in texts else "")
            yield row
            if corruptions is not None:
                choice = corrupted_row(row, moment, recipe.aggregation, corruptions, recipe.seed)
                if choice is not None:
                    yield choice


def _items(played: Played) -> Iterator[Experience]:
    """The turns that rows are of, as experiences, for the leak check."""
    for turn in played.turns:
        calls = [call for step in turn.steps for call in step.calls]
        if not turn.query:
            continue
        code = played.mode == "code"
        case = Case(
            benchmark=played.benchmark,
            source=played.entry,
            turn=turn.index,
            question=turn.query,
            calls=tuple(RecordedCall(name=c.name, arguments=c.arguments) for c in calls if not code),
            steps=tuple(RecordedStep(code=str(c.arguments["code"]), output="") for c in calls)
            if code
            else (),
            classes=played.classes,
            origin=GOLD_ORIGIN,
        )
        yield case.item(TRAJECTORY)


def _teacher(written: Written[Text], model: str) -> Teacher:
    replies = sum(text.reply for text in written.items)
    return Teacher(
        model=model,
        prompts_hash=texts_hash(PROMPTS),
        reasoning=len(written.items) - replies,
        replies=replies,
        refused=dict(written.reasons),
    )
