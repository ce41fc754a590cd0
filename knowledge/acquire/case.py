"""A case: one request and how it was handled, in gold or in a model's run. Every form is made of cases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kate_eval.knowledge.card import Card
from kate_eval.knowledge.item import Experience, Origin, RecordedCall, RecordedStep
from kate_eval.knowledge.render import fenced
from kate_eval.knowledge.scenario import Siblings, itself

GOLD = Origin()
MAX_EVIDENCE = 2000
"""Characters of a checker's finding that an item keeps."""
MAX_OUTPUT = 2000
"""Characters of a step's output that a writing model is shown."""


@dataclass(frozen=True)
class Case:
    """One user turn.

    Attributes:
        benchmark: it comes from.
        source: id of the entry.
        turn: from 0.
        question: what the user asked.
        earlier: the turns before it, as text (request and handling).
        calls: that handled it, or tried to.
        steps: the code that did (AppWorld).
        classes: groups of tools, or apps, involved.
        origin: gold, or the run, with the checker's finding.
    """

    benchmark: str
    source: str
    turn: int
    question: str
    earlier: tuple[str, ...] = ()
    calls: tuple[RecordedCall, ...] = ()
    steps: tuple[RecordedStep, ...] = ()
    classes: tuple[str, ...] = ()
    origin: Origin = GOLD

    @property
    def handling(self) -> str:
        """The calls, or the code with what it printed, as text."""
        if self.steps:
            return "\n".join(
                f"{fenced(step.code, 'python')}\nOutput:\n{step.output[:MAX_OUTPUT]}" for step in self.steps
            )
        return "\n".join(call.call().text for call in self.calls) or "(no calls)"

    def item(self, form: str, text: str = "", writer: str = "", tag: str = "") -> Experience:
        """The item of a form that is made from this case.

        Args:
            form: the knowledge form.
            text: what the writing model wrote.
            writer: that model; "" leaves the case's own, if a model wrote its steps.
            tag: tells this item's id from those that other runs and answers give for the turn.
        """
        origin = self.origin.model_copy(update={"writer": writer}) if writer else self.origin
        return Experience(
            id="/".join(filter(None, (self.source, str(self.turn), form, tag))),
            form=form,
            benchmark=self.benchmark,
            sources=(self.source,),
            turn=self.turn,
            question=self.question,
            calls=self.calls,
            steps=self.steps,
            text=text,
            classes=self.classes,
            origin=origin,
        )


@dataclass(frozen=True)
class Acquired:
    """Cases with what a bank made of them must know.

    Attributes:
        cases: in a stable order.
        card: benchmark, split, categories, data hash, engine and licence.
        siblings: which entries vary the same scenario.
        by_class: whether entries say which classes they involve.
        notes: what was left out, in words, for the user.
    """

    cases: Sequence[Case]
    card: Card
    siblings: Siblings = itself
    by_class: bool = True
    notes: Sequence[str] = field(default_factory=tuple)


Gold = Callable[..., Acquired]
"""(split, categories) -> the cases of a benchmark's gold."""
