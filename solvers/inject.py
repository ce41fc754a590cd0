"""Injection: knowledge into the user's message, at each user turn.

Source: KATE, section 3.2 (arXiv 2606.10875): BFCL at every user turn, by the turn's own text. If nothing
qualifies, the turn is left untouched.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from inspect_ai.model import ChatMessage, ChatMessageUser

from kate_eval.episode import Episode, Turn
from kate_eval.errors import BankError
from kate_eval.knowledge.acquire import BUILDERS
from kate_eval.knowledge.acquire.trajectory import default_bank
from kate_eval.knowledge.bank import load_bank
from kate_eval.knowledge.leakage import guard, leaked
from kate_eval.knowledge.render import render_experiences
from kate_eval.knowledge.retrieve import Retrieved, Retriever
from kate_eval.solvers.parameters import Parameters


@cache
def retriever_for(bank: str | None, benchmark: str) -> Retriever:
    """The retriever over a bank folder, or over the benchmark's default bank; made once a process.

    Raises:
        BankError: the bank is missing or corrupt, or of another benchmark.
    """
    loaded = default_bank(benchmark) if bank is None else load_bank(Path(bank))
    if loaded.card.benchmark != benchmark:
        raise BankError(
            f"The bank {bank} is of {loaded.card.benchmark}, the task is {benchmark}. "
            f"Build one: kate knowledge build {benchmark} --form trajectory -o banks/{benchmark}-train"
        )
    return Retriever(loaded)


def check_bank(parameters: Parameters) -> None:
    """Find out before the first sample whether the knowledge asked for can be had.

    Raises:
        BankError: the bank is missing or corrupt, or lacks a form.
    """
    if parameters.bank is not None:
        load_bank(Path(parameters.bank)).require_forms(parameters.knowledge)
        return
    for form in parameters.knowledge:
        if form not in BUILDERS:
            raise BankError(
                f"The default bank has no items of form {form!r}; it has: {', '.join(BUILDERS)}. Choose among "
                "them (-S knowledge=...) or name a bank that has it (-S bank=FOLDER)."
            )


class Injector:
    """Knowledge for one sample.

    Raises:
        BankError: the bank can't be used, or lacks a form.
        LeakageError: the bank was built from the entry or a sibling, and leakage is not allowed.
    """

    def __init__(self, parameters: Parameters, episode: Episode) -> None:
        self._parameters = parameters
        self._classes = episode.classes
        self._retriever = retriever_for(parameters.bank, episode.benchmark)
        bank = self._retriever.bank
        bank.require_forms(parameters.knowledge)
        if not parameters.allow_leakage:
            guard(bank, episode.entry_id, episode.related)
        self.leaked = leaked(bank, episode.related)
        given = parameters.threshold
        self.threshold = bank.card.embedder.threshold if given is None else given

    def provenance(self) -> dict[str, object]:
        """What the log must say about the knowledge used."""
        card = self._retriever.bank.card
        return {
            "bank": self._parameters.bank or f"default ({card.benchmark} {card.split})",
            "bank_hash": card.items_hash,
            "bank_data_hash": card.data_hash,
            "embedder": card.embedder.name,
            "threshold": self.threshold,
            "leaked": self.leaked,
        }

    def inject(self, turn: Turn) -> tuple[list[ChatMessage], list[Retrieved]]:
        """The turn's messages with experiences in the last user message, and which were used."""
        found = [
            hit
            for form in self._parameters.knowledge
            for hit in self._retriever.search(
                turn.query, form, self._classes, self._parameters.k, self.threshold
            )
        ]
        if not found:
            return list(turn.messages), []
        return _replace_question(turn.messages, render_experiences(turn.query, found)), found


def _replace_question(messages: Sequence[ChatMessage], text: str) -> list[ChatMessage]:
    last = max(number for number, message in enumerate(messages) if message.role == "user")
    return [*messages[:last], ChatMessageUser(content=text), *messages[last + 1 :]]
