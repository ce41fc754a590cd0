"""Injection: knowledge into the user's message, at each user turn.

Source: KATE, section 3.2 (arXiv 2606.10875): at every user turn (AppWorld has one), by the turn's own
text; intents by the turn's intent, which the model states first, one item each. If nothing qualifies, the
turn is left untouched. Departures: `k` counts per knowledge form, and a turn in which the user asks nothing
(it only offers more functions) gets no knowledge.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol

from inspect_ai.model import ChatMessage, ChatMessageUser

from kate_eval.episode import Episode, Turn
from kate_eval.errors import BankError
from kate_eval.knowledge.acquire import DEFAULT_FORMS, default_bank
from kate_eval.knowledge.acquire.build import FORMS
from kate_eval.knowledge.acquire.form import without_thinking
from kate_eval.knowledge.bank import Bank
from kate_eval.knowledge.calibrate import hybrid_threshold
from kate_eval.knowledge.card import LEXICAL
from kate_eval.knowledge.folder import load_bank
from kate_eval.knowledge.leakage import guard, leaked
from kate_eval.knowledge.nearness import Nearness, bank_nearness
from kate_eval.knowledge.render import render_experiences, within_budget
from kate_eval.knowledge.retrieve import Retrieved, Retriever, require_match
from kate_eval.solvers.parameters import Parameters, prompt
from kate_eval.solvers.preflight import require_benchmark

logger = logging.getLogger(__name__)

FAR = 2.0
"""A threshold so many times the bank's own is likely meant for another embedder."""
State = Callable[[str], Awaitable[str]]
"""Asks the model something in one request; its answer."""
MAX_INTENT = 400
"""Characters of a stated intent that are searched by."""


class Shelf:
    """One bank, ready to be searched by all samples of a run.

    Args:
        bank: what is searched.
        before: the shelf that this one replaces and that is used no more, of a bank that has grown since.
    """

    def __init__(self, bank: Bank, before: "Shelf | None" = None) -> None:
        self.bank = bank
        # One back at most: a shelf that nothing was asked of is no base, and must not keep a chain of others.
        self._before: Shelf | None = before if before is not None and before._before is None else None
        self.retriever = Retriever(bank)
        self.retriever.prepare()

    @cached_property
    def nearness(self) -> Nearness:
        """Made when first needed; of a bank that has grown, what is new is added."""
        before, self._before = self._before, None
        if before is None:
            return bank_nearness(self.bank)
        grown, held = before.nearness, len(before.bank.items)
        if self.bank.items[:held] != before.bank.items:
            return bank_nearness(self.bank)
        grown.add(item.question for item in self.bank.items[held:])
        return grown

    @cached_property
    def _hybrid(self) -> tuple[float, str]:
        return hybrid_threshold(self.bank)

    def threshold(self, match: str) -> tuple[float, str]:
        """The similarity that items must exceed where the user gave none, and how it was found."""
        own = self.bank.card.embedder
        return self._hybrid if match == "hybrid" else (own.threshold, own.calibration)


class Source(Protocol):
    """Where a sample's knowledge comes from."""

    def __call__(self, benchmark: str, /) -> Shelf | None:
        """The bank for a benchmark; None while there is none yet."""


def open_bank(
    bank: str | None, forms: Sequence[str], match: str = "embedder", threshold: float | None = None
) -> Callable[[str], Shelf]:
    """Find out before the first sample whether the knowledge asked for can be had.

    Args:
        bank: folder of the bank, which is loaded and indexed now; None: the benchmark's default bank.
        forms: the knowledge forms that will be searched.
        match: how similarity is measured.
        threshold: given by the user; None: it is calibrated now where the bank's card has none for the match.

    Raises:
        BankError: the bank is missing or corrupt, lacks a form, or can't be matched so.
    """
    if bank is None:
        for form in forms:
            if form not in DEFAULT_FORMS:
                raise BankError(
                    f"The default bank has no items of form {form!r}; it has: {', '.join(DEFAULT_FORMS)}. "
                    "Choose among them (-S knowledge=...) or name a bank that has it (-S bank=FOLDER)."
                )
        require_match(LEXICAL, match)
        return _default_shelf
    loaded = load_bank(Path(bank))
    loaded.require_forms(forms)
    require_match(loaded.card.embedder.name, match)
    shelf = Shelf(loaded)
    _ = shelf.nearness  # now, not in the middle of a sample
    if threshold is None:
        shelf.threshold(match)
    elif match == "embedder" and threshold > FAR * loaded.card.embedder.threshold:
        logger.warning(
            "threshold=%s is far above the %s of bank %s, which is embedded by %s: little may be found. The "
            "method's 0.5 belongs to minilm",
            *(threshold, loaded.card.embedder.threshold, bank, loaded.card.embedder.name),
        )

    def of_benchmark(benchmark: str) -> Shelf:
        require_benchmark(loaded.card, bank, benchmark)
        return shelf

    return of_benchmark


@cache
def _default_shelf(benchmark: str) -> Shelf:
    return Shelf(default_bank(benchmark))


@dataclass(frozen=True)
class Injected:
    """What was done to a turn.

    Attributes:
        messages: the turn's, with experiences in the last user message.
        used: the experiences, most similar first.
        dropped: those left out to keep within the budget.
        intent: what the model said that the user wants; "" if it was not asked.
    """

    messages: list[ChatMessage]
    used: list[Retrieved] = field(default_factory=list)
    dropped: list[Retrieved] = field(default_factory=list)
    intent: str = ""


class Injector:
    """Knowledge for one sample.

    Args:
        parameters: what the solver was told.
        episode: of the sample.
        shelf: the bank.
        exclude: entries whose items are never shown; what is in them can't leak.

    Raises:
        LeakageError: the bank was built from the entry or a sibling, and leakage is not allowed.
    """

    def __init__(
        self, parameters: Parameters, episode: Episode, shelf: Shelf, exclude: Set[str] = frozenset()
    ) -> None:
        self._parameters = parameters
        self._episode = episode
        self._shelf = shelf
        self._exclude = exclude
        self._tools = frozenset(str(doc["name"]) for doc in episode.docs)
        self._earlier: list[str] = []
        own = episode.related <= exclude
        self.leaked = [] if own else check_leakage(shelf.bank, episode, parameters.allow_leakage)
        given = parameters.threshold
        self.threshold, self._calibration = (
            shelf.threshold(parameters.match) if given is None else (given, "given")
        )

    def provenance(self) -> dict[str, Any]:
        """What the log must say about the knowledge used."""
        used = {"threshold": self.threshold, "calibration": self._calibration}
        return bank_provenance(self._shelf.bank, self._parameters.bank) | used

    def wants(self, turn: Turn) -> bool:
        """Whether knowledge is searched for in this turn."""
        first = not self._earlier
        return bool(turn.query) and (first or self._parameters.inject == "turn")

    async def inject(self, turn: Turn, state: State) -> Injected:
        """The turn's messages with experiences in the last user message, and what was used.

        Args:
            turn: that asks something.
            state: asks the model what the user wants, where a form is retrieved by that.
        """
        intent: str | None = None
        found: list[Retrieved] = []
        for form in self._parameters.knowledge:
            by_intent = form in FORMS and FORMS[form].by_intent
            if by_intent and intent is None:
                intent = await self._stated_intent(turn, state)
            found += await self._search((intent or "") if by_intent else turn.query, form, by_intent)
        self._earlier.append(turn.query)
        found.sort(key=lambda hit: -hit.similarity)
        used, dropped = within_budget(found, self._parameters.budget, self._episode.tool_name)
        messages = list(turn.messages)
        if used:
            last = max(number for number, message in enumerate(messages) if message.role == "user")
            text = render_experiences(messages[last].text, used, self._episode.tool_name)
            messages[last] = ChatMessageUser(content=text)
        return Injected(messages, used, dropped, intent or "")

    def nearest(self, turn: Turn) -> float:
        """Similarity of the nearest item of the bank to the turn's text, by TF-IDF, in [0, 1]."""
        _, similarity = self._shelf.nearness.nearest(turn.query, self._never_shown if self._exclude else None)
        return round(similarity, 4)

    def _never_shown(self, position: int) -> bool:
        return self._shelf.bank.items[position].made_from(self._exclude)

    async def _search(self, text: str, form: str, by_intent: bool) -> list[Retrieved]:
        if not text:
            return []
        retriever = self._shelf.retriever
        return retriever.search(
            await retriever.query(text),
            form,
            self._episode.classes,
            1 if by_intent else self._parameters.k,
            self.threshold,
            exclude=self._exclude,
            match=self._parameters.match,
            select=self._parameters.select,
            tools=self._tools,
        )

    async def _stated_intent(self, turn: Turn, state: State) -> str:
        earlier = "\n\n".join(self._earlier) or "(none)"
        answer = await state(prompt("state_intent").substitute(earlier=earlier, question=turn.query))
        return " ".join(without_thinking(answer).split())[:MAX_INTENT]


def check_leakage(bank: Bank, episode: Episode, allowed: bool) -> list[str]:
    """Sources of the bank that share the episode's scenario; [] unless leakage is allowed.

    Raises:
        LeakageError: there are some, and leakage is not allowed.
    """
    if not allowed:
        guard(bank, episode.entry_id, episode.related)
    return leaked(bank, episode.related)


def bank_provenance(bank: Bank, name: str | None) -> dict[str, Any]:
    """Which bank was used, by name and by what it holds."""
    card = bank.card
    return {
        "bank": name or f"default ({card.benchmark} {card.split})",
        "bank_hash": card.items_hash,
        "bank_data_hash": card.data_hash,
        "bank_forms": card.forms,
        "bank_models": list(card.models),
        "bank_sources_known": all(item.sources for item in bank.items),
        "embedder": card.embedder.name,
    }
