"""Building: cases and forms into a bank in a folder."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inspect_ai.model import Model

from kate_eval.errors import BankError, ConfigurationError, unknown
from kate_eval.hashes import texts_hash
from kate_eval.knowledge.acquire import intent, intent_summary, reflection, summary, trajectory
from kate_eval.knowledge.acquire.case import Acquired
from kate_eval.knowledge.acquire.estimate import Estimate, estimate
from kate_eval.knowledge.acquire.form import PROMPTS, Form, Inputs, Job
from kate_eval.knowledge.acquire.journal import Journal
from kate_eval.knowledge.acquire.once import Once
from kate_eval.knowledge.acquire.write import Tick, Written, answered, write
from kate_eval.knowledge.bank import Bank, Vectors, make_bank, merged_items
from kate_eval.knowledge.calibrate import embedder_card
from kate_eval.knowledge.card import LEXICAL, EmbedderCard, merged_card, require_alike
from kate_eval.knowledge.embed import Embedder, encode
from kate_eval.knowledge.folder import ORDER, commit, is_bank, load_bank, writing
from kate_eval.knowledge.item import Experience

FORMS: dict[str, Form] = {
    form.name: form
    for form in (trajectory.FORM, summary.FORM, reflection.FORM, intent.FORM, intent_summary.FORM)
}
"""The knowledge forms: a file each, and a line here."""
LOCK_AT_ONCE = 0.5
"""Seconds to wait for another build of the same folder."""


@dataclass(frozen=True)
class Asking:
    """The models that write, and what is said while they do.

    Attributes:
        models: form -> the model that writes it; "" -> the one for the others. None may be needed.
        retry_failed: ask again for what failed in an earlier build.
        price: dollars per million input and output tokens.
        tick: told of each item.
    """

    models: Mapping[str, Model] = field(default_factory=dict)
    retry_failed: bool = False
    price: tuple[float, float] | None = None
    tick: Tick | None = None

    def model_of(self, form: str) -> Model:
        """The model that writes a form.

        Raises:
            ConfigurationError: none was named.
        """
        model = self.named(form)
        if model is None:
            raise ConfigurationError(
                f"The form {form!r} is written by a model: name one, for instance --model openai/gpt-4.1"
            )
        return model

    def named(self, form: str) -> Model | None:
        """The model that writes a form, if one was named."""
        return self.models.get(form) or self.models.get("")

    def estimate(
        self, form: str, jobs: Sequence[Job[Experience]], journal: Journal, dependent: int = 0
    ) -> Estimate:
        """What jobs of a form will cost; `dependent` requests of forms built upon others are to be added."""
        return estimate(jobs, dependent, self.named(form), journal, self.price, self.retry_failed)


@dataclass(frozen=True)
class Built:
    """A bank that was built, with what it took.

    Attributes:
        bank: as it is on disk.
        added: items that were not in it before.
        written: form -> what came of asking a model.
    """

    bank: Bank
    added: int
    written: Mapping[str, Written[Experience]]


def wanted_forms(names: Sequence[str], acquired: Acquired) -> list[Form]:
    """The forms of these names, and those they build upon, in order.

    Raises:
        ConfigurationError: a form is unknown, or can't be made of these cases.
        BankError: there are no cases.
    """
    if not acquired.cases:
        raise BankError("A bank needs at least one item; the chosen categories and split have no gold calls")
    chosen: list[Form] = []
    for name in names:
        if name not in FORMS:
            raise unknown("knowledge form", name, FORMS)
        form = FORMS[name]
        if form.by_intent and not any(case.classes for case in acquired.cases if acquired.by_class):
            raise ConfigurationError(
                f"The form {name!r} is made per class of tools, which {acquired.card.benchmark} "
                f"{acquired.card.split} does not have. Choose among: trajectory, summary, reflection"
            )
        if form.from_runs and all(case.origin.kind != "run" for case in acquired.cases):
            raise ConfigurationError(
                f"The form {name!r} is made of a model's own runs: kate knowledge build --from-logs LOGS "
                f"--form {name}"
            )
        for needed in filter(None, (form.after, name)):
            if FORMS[needed] not in chosen:
                chosen.append(FORMS[needed])
    return chosen


async def build(
    acquired: Acquired,
    forms: Sequence[str],
    folder: Path,
    embedder: Embedder | None,
    asking: Asking,
    append: bool = False,
) -> Built:
    """Build a bank, or add to the one that is there.

    Args:
        acquired: the cases.
        forms: names of knowledge forms.
        folder: of the bank.
        embedder: None for the lexical one.
        asking: the writing models.
        append: add to the bank in the folder instead of replacing it.

    Raises:
        ConfigurationError: a form or model can't be had.
        BankError: nothing came of it, the folder is no bank, or is being written.
        EndpointError: a model or embedder failed; what is done is kept.
    """
    chosen = wanted_forms(forms, acquired)
    for form in chosen:
        if form.jobs is not None:
            asking.model_of(form.name)
    with writing(folder, LOCK_AT_ONCE):
        old = _old_bank(folder, append)
        if old is not None:
            require_alike(old.card, acquired.card, embedder.name if embedder else LEXICAL)
        embedder = Once(embedder, old) if embedder is not None else None
        vectors = await encode(embedder, [case.question for case in acquired.cases])
        made, written = await _make(chosen, acquired, vectors, Journal(folder), asking)
        items = [item for item in made if item.form in forms]
        if not items and written:
            raise BankError(f"No item could be made. Answers were refused because: {_reasons(written)}")
        bank = await assemble(items, acquired, embedder, old, _failed(written))
        return Built(commit(bank, folder), len(bank.items) - (len(old.items) if old else 0), written)


def _old_bank(folder: Path, append: bool) -> Bank | None:
    """The bank that is added to; one that an online run made is not replaced."""
    if append:
        return load_bank(folder) if is_bank(folder) else None
    if (folder / ORDER).is_file():
        raise BankError(
            f"{folder} is the memory of an online run: add to it (--append), or choose another folder"
        )
    return None


def preview(acquired: Acquired, forms: Sequence[str], folder: Path, asking: Asking) -> dict[str, Estimate]:
    """What the forms would cost; the lexical clusters stand for those of any embedder.

    A form whose model is not named is estimated too, but then its price and known answers are not known.
    """
    journal = Journal(folder)
    found: dict[str, Estimate] = {}
    jobs: dict[str, list[Job[Experience]]] = {}
    for form in wanted_forms(forms, acquired):
        if form.jobs is None:
            continue
        # Jobs that build upon answers are known as far as those answers are.
        before, writer = jobs.get(form.after, []), asking.named(form.after)
        built = answered(before, writer, journal) if writer is not None else []
        jobs[form.name] = form.jobs(Inputs(acquired.cases, built=built))
        found[form.name] = asking.estimate(form.name, jobs[form.name], journal, len(before) - len(built))
    return found


async def _make(
    forms: Sequence[Form], acquired: Acquired, vectors: Vectors | None, journal: Journal, asking: Asking
) -> tuple[list[Experience], dict[str, Written[Experience]]]:
    made: list[Experience] = []
    written: dict[str, Written[Experience]] = {}
    for form in forms:
        if form.items is not None:
            made += form.items(acquired.cases)
        if form.jobs is not None:
            jobs = form.jobs(Inputs(acquired.cases, vectors, made))
            model = asking.model_of(form.name)
            written[form.name] = await write(jobs, model, journal, asking.retry_failed, asking.tick)
            made += written[form.name].items
    return merged_items((), made), written


async def assemble(
    items: Sequence[Experience],
    acquired: Acquired,
    embedder: Embedder | None,
    old: Bank | None = None,
    failed: Mapping[str, int] | None = None,
) -> Bank:
    """A bank of items, in memory: embedded, with its threshold, and merged with an older one.

    Args:
        items: new ones.
        acquired: what they were made of.
        embedder: None for the lexical one.
        old: the bank they are added to.
        failed: form -> items that could not be made.

    Raises:
        BankError: the older bank is of another benchmark or embedder, or there are no items.
    """
    card = acquired.card
    if old is not None:
        require_alike(old.card, card, embedder.name if embedder else LEXICAL)
        items = merged_items(old.items, items)
        card = merged_card(old.card, card)
    elif not items:
        raise BankError("A bank needs at least one item; the chosen categories, split and forms gave none")
    every = await encode(embedder, [item.question for item in items])
    if old is None:
        measured = await _measured(acquired, embedder)
    else:
        measured = embedder_card(embedder, items, every, acquired.siblings, acquired.by_class)
    tally = Counter(old.card.failed if old else {}) + Counter(failed or {})
    update = {"embedder": measured, "failed": dict(tally), "prompts_hash": texts_hash(PROMPTS)}
    return make_bank(items, card.model_copy(update=update), every)


async def _measured(acquired: Acquired, embedder: Embedder | None) -> EmbedderCard:
    """The embedder's card, with a threshold found on the cases, whatever forms are made of them."""
    known = merged_items((), trajectory.trajectories(acquired.cases))  # a turn may be played twice alike
    vectors = await encode(embedder, [item.question for item in known])
    return embedder_card(embedder, known, vectors, acquired.siblings, acquired.by_class)


def _failed(written: Mapping[str, Written[Experience]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in written.values():
        total += part.failed
    return dict(total)


def _reasons(written: Mapping[str, Written[Experience]]) -> str:
    total: Counter[str] = Counter()
    for part in written.values():
        total += part.reasons
    return "; ".join(f"{reason} ({count})" for reason, count in total.most_common(5))
