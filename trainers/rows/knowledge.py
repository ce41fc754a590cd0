"""Knowledge in the rows' prompts: by the solvers' own injector, never of the entry itself or a sibling.

Nor is it of entries that are held out, or their siblings: no training row may show their gold.

Some entries get none (dropout), so that a trained model works without a bank too, and some of the items
shown are exchanged for ones that do not qualify, so that it learns to pass over what doesn't fit.
Everything is drawn from the seed, by entry: it depends neither on the order nor on what else is made.
"""

from collections.abc import Set
from random import Random

from pydantic import BaseModel, ConfigDict, Field

from kate_eval.episode import Episode
from kate_eval.knowledge.bank import Bank
from kate_eval.knowledge.retrieve import Query, Retrieved, Retriever
from kate_eval.solvers.inject import Injector, Shelf, open_bank
from kate_eval.solvers.parameters import Parameters, make_parameters
from kate_eval.trainers.rows.card import Knowledge


class Augmentation(BaseModel):
    """How prompts are augmented. The defaults are untuned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    forms: tuple[str, ...] = ()
    """Knowledge forms; none: no knowledge."""
    bank: str | None = None
    """Folder of the bank; None: the benchmark's default bank."""
    k: int = 3
    threshold: float | None = None
    match: str = "embedder"
    select: str = "top"
    budget: int | None = None
    dropout: float = Field(default=0.3, ge=0, le=1)
    """Share of the entries that get no knowledge."""
    irrelevant: float = Field(default=0.2, ge=0, le=1)
    """Probability that an item is exchanged for one that does not qualify."""
    seed: int = 0

    def parameters(self) -> Parameters:
        """The solver's parameters that do the same.

        Raises:
            ConfigurationError: one is unknown or out of range.
        """
        given = {"k": self.k, "threshold": self.threshold, "match": self.match, "select": self.select}
        return make_parameters(knowledge=self.forms, bank=self.bank, budget=self.budget, **given)


class Noise(Retriever):
    """A retriever that exchanges some of what it finds for items that do not qualify.

    An item qualifies if it shares a class with the entry and is similar enough; an exchanged one keeps the
    place, and so the similarity, of the one that it stands for.

    Attributes:
        exchanged: items so far.
    """

    def __init__(self, bank: Bank, share: float, seed: int) -> None:
        super().__init__(bank)
        self.exchanged = 0
        self._share = share
        self._seed = seed

    def search(
        self,
        query: Query,
        form: str,
        classes: Set[str],
        k: int,
        threshold: float,
        exclude: Set[str] = frozenset(),
        match: str = "embedder",
        select: str = "top",
        tools: Set[str] = frozenset(),
    ) -> list[Retrieved]:
        """As `Retriever.search`, with some items exchanged."""
        found = super().search(query, form, classes, k, threshold, exclude, match, select, tools)
        rng = Random(f"{self._seed}|irrelevant|{sorted(exclude)}|{form}|{query.text}")
        places = [place for place in range(len(found)) if rng.random() < self._share]
        if not places:
            return found
        every = super().search(query, form, classes, len(self.bank.items), threshold, exclude, match)
        qualified = {hit.item.content for hit in every}
        others = [
            item
            for item in self.bank.items
            if item.form == form and item.content not in qualified and not item.made_from(exclude)
        ]
        for place, item in zip(places, rng.sample(others, min(len(others), len(places))), strict=False):
            found[place] = Retrieved(item, found[place].similarity)
            self.exchanged += 1
        return found


class NoisyShelf(Shelf):
    """A shelf with noise."""

    def __init__(self, bank: Bank, noise: Noise) -> None:
        super().__init__(bank)
        noise.prepare()
        self.retriever = noise


class Augmenter:
    """Gives entries their knowledge.

    Args:
        how: parameters, and the shares that get none or something else.
        benchmark: of the entries.
        away: entries that are held out, with their siblings.

    Attributes:
        bank: whose items are shown.

    Raises:
        BankError: the bank is missing, of another benchmark, or lacks a form.
        ConfigurationError: a parameter is unknown or out of range.
    """

    def __init__(self, how: Augmentation, benchmark: str, away: Set[str] = frozenset()) -> None:
        self._how = how
        self._away = away
        self._parameters = how.parameters()
        shelf = open_bank(how.bank, how.forms, how.match, how.threshold)(benchmark)
        self.bank = shelf.bank
        self._noise = Noise(shelf.bank, how.irrelevant, how.seed)
        self._shelf = NoisyShelf(shelf.bank, self._noise)

    def injector(self, episode: Episode) -> Injector | None:
        """The injector of an episode; None for the share that gets no knowledge."""
        if Random(f"{self._how.seed}|dropout|{episode.entry_id}").random() < self._how.dropout:
            return None
        return Injector(self._parameters, episode, self._shelf, exclude=episode.related | self._away)

    def card(self, entries: int) -> Knowledge:
        """What the rows' card says of the knowledge.

        Args:
            entries: that have rows which show items.
        """
        card, how = self.bank.card, self._how
        threshold = self._shelf.threshold(how.match)[0] if how.threshold is None else how.threshold
        return Knowledge(
            bank=how.bank or "default",
            bank_hash=card.items_hash,
            bank_data_hash=card.data_hash,
            forms=how.forms,
            embedder=card.embedder.name,
            threshold=threshold,
            k=how.k,
            dropout=how.dropout,
            irrelevant=how.irrelevant,
            entries=entries,
            items_exchanged=self._noise.exchanged,
        )
