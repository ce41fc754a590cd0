"""The one bank of a grid: what its cells show, built once, before the first of them is played."""

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
from kate_eval.knowledge.acquire.build import Asking, build, preview
from kate_eval.knowledge.acquire.case import Acquired
from kate_eval.knowledge.acquire.estimate import Estimate
from kate_eval.knowledge.acquire.form import PROMPTS
from kate_eval.knowledge.acquire.write import Tick
from kate_eval.knowledge.card import LEXICAL, Card
from kate_eval.knowledge.embed import make_embedder
from kate_eval.knowledge.folder import is_bank, read_card

FOLDER = "bank"
"""Below the logs' folder; a folder a benchmark."""


@dataclass(frozen=True)
class GridBank:
    """The bank of one benchmark's cells.

    Attributes:
        folder: where it is, or will be.
        forms: that some cell shows, in the order of their declaration.
        embedder: its name.
        split: of the gold that it is built from; "" where the user gave it: it is used as it is.
        task: the benchmark that it is for.
        writer: the model that writes its items.
    """

    folder: Path
    forms: tuple[str, ...]
    embedder: str
    split: str
    task: str
    writer: Model | None

    @cached_property
    def acquired(self) -> Acquired:
        """The cases that it is made of."""
        return GOLD[self.task](self.split, None)

    @property
    def asking(self) -> Asking:
        """The models that write."""
        return Asking(models={"": self.writer} if self.writer is not None else {})

    @property
    def ready(self) -> Card | None:
        """The card of what is there, if that can be used; a bank of other data or prompts can't."""
        card = read_card(self.folder) if is_bank(self.folder) else None
        if card is None or not self.split:
            return card
        same = (
            card.data_hash == self.acquired.card.data_hash
            and card.embedder.name == self.embedder
            and card.prompts_hash == texts_hash(PROMPTS)
            and set(card.models) <= {str(self.writer)}
        )
        return card if same and set(self.forms) <= card.forms.keys() | card.failed.keys() else None

    def costs(self) -> dict[str, Estimate]:
        """What building it will cost, form by form."""
        return preview(self.acquired, self.forms, self.folder, self.asking)

    def build(self, tick: Tick | None = None) -> Card:
        """Build it; answers that are known are not asked for again.

        Raises:
            BankError: nothing came of it, or its folder is being written.
            EndpointError: the writing model failed; what is done is kept.
        """
        asking = Asking(models=self.asking.models, tick=tick)
        work = partial(build, self.acquired, self.forms, self.folder, make_embedder(self.embedder), asking)
        return anyio.run(work).bank.card


def plan_banks(rows: Sequence[Row], options: Options) -> dict[str, GridBank]:
    """Task -> its bank, for the tasks whose cells show what the default bank lacks.

    Raises:
        ConfigurationError: the writing model can't be used, or --bank is no bank.
    """
    if options.bank is not None and not is_bank(options.bank):
        raise ConfigurationError(f"--bank {options.bank}: there is no bank in it")
    cells = {row.cell.task: [r.cell for r in rows if r.cell.task == row.cell.task] for row in rows}
    found: dict[str, GridBank] = {}
    for task, mine in cells.items():
        forms = tuple(dict.fromkeys(form for cell in mine for form in forms_of(cell)))
        if options.bank is not None and forms:
            found[task] = GridBank(options.bank, forms, "", "", task, None)
        elif any(needs_bank(cell, options) for cell in mine):
            place = options.log_dir / FOLDER / task
            found[task] = GridBank(place, forms, options.embedder, _split(mine[0]), task, _writer(options))
    return found


def _writer(options: Options) -> Model | None:
    """The writing model; the URL and arguments are of the models that play, and hold for it if it is one."""
    if options.writer is not None and options.writer not in options.models:
        return make_model(options.writer, None, ())
    name = options.writer or next(iter(options.models), None)
    return make_model(name, options.base_url, options.model_args) if name else None


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
