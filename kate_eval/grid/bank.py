"""The one bank of a grid: what its cells show, built once, before the first of them is played."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import anyio
from inspect_ai.model import Model

from kate_eval.appworld.places import SPLITS
from kate_eval.endpoints.probe.command import make_model
from kate_eval.errors import ConfigurationError
from kate_eval.grid.cell import Cell
from kate_eval.grid.options import Options
from kate_eval.grid.rows import Row, forms_of
from kate_eval.hashes import texts_hash
from kate_eval.knowledge.acquire import DEFAULT_FORMS, GOLD, default_bank
from kate_eval.knowledge.acquire.build import FORMS, Asking, build, preview
from kate_eval.knowledge.acquire.case import Acquired
from kate_eval.knowledge.acquire.estimate import Estimate
from kate_eval.knowledge.acquire.form import PROMPTS
from kate_eval.knowledge.acquire.logs import log_cases
from kate_eval.knowledge.acquire.write import Tick
from kate_eval.knowledge.card import LEXICAL, Card
from kate_eval.knowledge.embed import make_embedder
from kate_eval.knowledge.folder import is_bank, read_card

FOLDER = "bank"
"""Below the logs' folder; a folder a benchmark."""
TRAINING = "train"
"""Ends the name of the folder of the training half's runs, beside that of the logs: they are no rows."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GridBank:
    """The bank of one benchmark's cells.

    Attributes:
        folder: where it is, or will be.
        forms: that some cell shows.
        embedder: its name.
        split: of the gold that it is built from; "" where the user gave it: it is used as it is.
        task: the benchmark that it is for.
        writer: the model that writes its items.
        runs: logs of the writer's own runs of the split, which are played first where a form is about runs.
    """

    folder: Path
    forms: tuple[str, ...]
    embedder: str
    split: str
    task: str
    writer: Model | None
    runs: Path

    @cached_property
    def acquired(self) -> Acquired:
        """The gold cases that it is made of."""
        return GOLD[self.task](self.split, None)

    @property
    def of_gold(self) -> tuple[str, ...]:
        """Its forms that are made of gold."""
        return tuple(form for form in self.forms if not FORMS[form].from_runs)

    @property
    def of_runs(self) -> tuple[str, ...]:
        """Its forms that are made of runs."""
        return tuple(form for form in self.forms if FORMS[form].from_runs)

    @property
    def ready(self) -> Card | None:
        """The card of what is there, if that can be used; a bank of other data or prompts can't."""
        card = read_card(self.folder) if is_bank(self.folder) else None
        if card is None or not self.split:
            return card
        same = (
            self.acquired.card.data_hash in card.data_hash.split("+")
            and card.embedder.name == self.embedder
            and card.prompts_hash == texts_hash(PROMPTS)
            and set(card.models) <= {str(self.writer)}
        )
        return card if same and set(self.forms) <= card.forms.keys() | card.failed.keys() else None

    def costs(self) -> dict[str, Estimate]:
        """What building it will cost, form by form; of runs that is not known before they are played."""
        return preview(self.acquired, self.of_gold, self.folder, self._asking(None)) if self.of_gold else {}

    def build(self, tick: Tick | None = None) -> Card:
        """Build it; answers that are known are not asked for again.

        Args:
            tick: told of each item that is written.

        Raises:
            BankError: nothing came of it, or its folder is being written.
            ConfigurationError: the runs that it needs have not been played.
            EndpointError: the writing model failed; what is done is kept.
        """
        if self.of_gold:
            self._add(self.acquired, self.of_gold, tick, append=False)
        if self.of_runs:
            cases = log_cases([self.runs], None, logger.warning)
            self._add(cases, self.of_runs, tick, append=bool(self.of_gold))
        return read_card(self.folder)

    def _add(self, cases: Acquired, forms: Sequence[str], tick: Tick | None, append: bool) -> None:
        embedder = make_embedder(self.embedder)
        anyio.run(partial(build, cases, forms, self.folder, embedder, self._asking(tick), append))

    def _asking(self, tick: Tick | None) -> Asking:
        return Asking(models={"": self.writer} if self.writer is not None else {}, tick=tick)


def plan_banks(rows: Sequence[Row], options: Options) -> dict[str, GridBank]:
    """Task -> its bank, for the tasks whose cells show what the default bank lacks.

    Raises:
        ConfigurationError: the writing model can't be used, or --bank is no bank.
    """
    if options.bank is not None and not is_bank(options.bank):
        raise ConfigurationError(f"--bank {options.bank}: there is no bank in it")
    found: dict[str, GridBank] = {}
    for task in dict.fromkeys(row.cell.task for row in rows):
        cells = [row.cell for row in rows if row.cell.task == task]
        if any(needs_bank(cell, options) for cell in cells):
            found[task] = _bank(task, cells, options)
    return found


def _bank(task: str, cells: Sequence[Cell], options: Options) -> GridBank:
    shown = {form for cell in cells for form in forms_of(cell)}
    forms = tuple(form for form in FORMS if form in shown)  # in our order: one bank has one hash
    runs = options.log_dir.parent / f"{options.log_dir.name}-{TRAINING}"
    if options.bank is not None:
        return GridBank(options.bank, forms, "", "", task, None, runs)
    # What is made of a part of the runs must not be taken for what all of them give.
    part = f"-of-{options.limit}" if options.limit and any(FORMS[form].from_runs for form in forms) else ""
    folder = options.log_dir / FOLDER / f"{task}{part}"
    return GridBank(folder, forms, options.embedder, _split(cells[0]), task, _writer(options), runs)


def _writer(options: Options) -> Model | None:
    """The writing model; the URL and arguments are of the models that play, and hold for it if it is one."""
    name = options.writer or next(iter(options.models), None)
    if name is None:
        return None
    plays = name in options.models
    told = (options.base_url, options.model_args) if plays else (None, ())
    model: Model = make_model(name, *told)
    return model


def needs_bank(cell: Cell, options: Options) -> bool:
    """Whether the default bank, which is built in memory, doesn't do for a cell."""
    forms = forms_of(cell)
    if not forms:
        return False
    return options.bank is not None or options.embedder != LEXICAL or not set(forms) <= set(DEFAULT_FORMS)


def _split(cell: Cell) -> str:
    return SPLITS["mini"][0] if str(cell.task_args.get("split", "")).startswith("mini_") else "train"


def bank_hash(cell: Cell, banks: Mapping[str, Card | None], options: Options) -> str:
    """What the bank that a cell is shown holds now; "" without one, or where it is not built yet."""
    if not forms_of(cell):
        return ""
    if needs_bank(cell, options):
        card = banks.get(cell.task)
        return card.items_hash if card is not None else ""
    name = f"{cell.task}-mini" if _split(cell) != "train" else cell.task
    return default_bank(name).card.items_hash
