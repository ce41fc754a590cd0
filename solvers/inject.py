"""Injection: knowledge into the user's message, at each user turn.

Source: KATE, section 3.2 (arXiv 2606.10875): at every user turn (AppWorld has one), by the turn's own
text. If nothing qualifies, the turn is left untouched. Departures: `k` counts per knowledge form, and a
turn in which the user asks nothing (it only offers more functions) gets no knowledge.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from inspect_ai.model import ChatMessage, ChatMessageUser

from kate_eval.episode import Episode, Turn
from kate_eval.errors import BankError
from kate_eval.knowledge.acquire import DEFAULT_FORMS, default_bank
from kate_eval.knowledge.bank import load_bank
from kate_eval.knowledge.leakage import guard, leaked
from kate_eval.knowledge.render import render_experiences
from kate_eval.knowledge.retrieve import Retrieved, Retriever
from kate_eval.solvers.parameters import Parameters

Source = Callable[[str], Retriever]
"""Benchmark -> the retriever over its bank."""


def open_bank(bank: str | None, forms: Sequence[str]) -> Source:
    """Find out before the first sample whether the knowledge asked for can be had.

    Args:
        bank: folder of the bank, which is loaded and indexed now; None: the benchmark's default bank.
        forms: the knowledge forms that will be searched.

    Raises:
        BankError: the bank is missing or corrupt, or lacks a form.
    """
    if bank is None:
        for form in forms:
            if form not in DEFAULT_FORMS:
                raise BankError(
                    f"The default bank has no items of form {form!r}; it has: {', '.join(DEFAULT_FORMS)}. "
                    "Choose among them (-S knowledge=...) or name a bank that has it (-S bank=FOLDER)."
                )
        return _default_retriever
    loaded = load_bank(Path(bank))
    loaded.require_forms(forms)
    retriever = Retriever(loaded)

    def of_benchmark(benchmark: str) -> Retriever:
        if loaded.card.benchmark != benchmark:
            raise BankError(
                f"The bank {bank} is of {loaded.card.benchmark}, the task is {benchmark}. Build one: kate "
                f"knowledge build {benchmark.removesuffix('-mini')} --form trajectory -o banks/{benchmark}"
            )
        return retriever

    return of_benchmark


@cache
def _default_retriever(benchmark: str) -> Retriever:
    return Retriever(default_bank(benchmark))


class Injector:
    """Knowledge for one sample.

    Raises:
        BankError: the bank is of another benchmark.
        LeakageError: the bank was built from the entry or a sibling, and leakage is not allowed.
    """

    def __init__(self, parameters: Parameters, episode: Episode, source: Source) -> None:
        self._parameters = parameters
        self._episode = episode
        self._retriever = source(episode.benchmark)
        self.leaked = check_leakage(self._retriever, episode, parameters.allow_leakage)
        given = parameters.threshold
        self.threshold = self._retriever.bank.card.embedder.threshold if given is None else given

    def provenance(self) -> dict[str, Any]:
        """What the log must say about the knowledge used."""
        return bank_provenance(self._retriever, self._parameters.bank) | {"threshold": self.threshold}

    def inject(self, turn: Turn) -> tuple[list[ChatMessage], list[Retrieved]]:
        """The turn's messages with experiences in the last user message, and which were used."""
        found = [
            hit
            for form in self._parameters.knowledge
            for hit in self._retriever.search(
                turn.query, form, self._episode.classes, self._parameters.k, self.threshold
            )
        ]
        if not found:
            return list(turn.messages), []
        found.sort(key=lambda hit: -hit.similarity)
        last = max(number for number, message in enumerate(turn.messages) if message.role == "user")
        text = render_experiences(turn.messages[last].text, found, self._episode.tool_name)
        messages = list(turn.messages)
        messages[last] = ChatMessageUser(content=text)
        return messages, found


def check_leakage(retriever: Retriever, episode: Episode, allowed: bool) -> list[str]:
    """Sources of the bank that share the episode's scenario; [] unless leakage is allowed.

    Raises:
        LeakageError: there are some, and leakage is not allowed.
    """
    if not allowed:
        guard(retriever.bank, episode.entry_id, episode.related)
    return leaked(retriever.bank, episode.related)


def bank_provenance(retriever: Retriever, bank: str | None) -> dict[str, Any]:
    """Which bank was used, by name and by what it holds."""
    card = retriever.bank.card
    return {
        "bank": bank or f"default ({card.benchmark} {card.split})",
        "bank_hash": card.items_hash,
        "bank_data_hash": card.data_hash,
        "embedder": card.embedder.name,
    }
