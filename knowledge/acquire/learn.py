"""From one finished sample to experience, while a run goes on (solvers/online.py)."""

from collections.abc import Sequence
from pathlib import Path

from inspect_ai.model import Model

from kate_eval.appworld import data as appworld_data
from kate_eval.appworld import places
from kate_eval.bfcl import data as bfcl_data
from kate_eval.errors import DatasetError
from kate_eval.knowledge.acquire import reflection, summary, trajectory
from kate_eval.knowledge.acquire.build import FORMS
from kate_eval.knowledge.acquire.form import Inputs
from kate_eval.knowledge.acquire.journal import Journal
from kate_eval.knowledge.acquire.logs import Played, played_cases, run_card
from kate_eval.knowledge.acquire.write import write
from kate_eval.knowledge.card import Card, EmbedderCard
from kate_eval.knowledge.folder import writing
from kate_eval.knowledge.item import Experience, Origin

LEARNABLE = (trajectory.NAME, summary.NAME, reflection.NAME)
"""Forms that one sample suffices for."""


async def experience(
    played: Played, origin: Origin, forms: Sequence[str], writer: Model, folder: Path
) -> list[Experience]:
    """What a sample teaches, in the given forms.

    Args:
        played: the sample.
        origin: the run.
        forms: of LEARNABLE.
        writer: the model that writes summaries and reflections.
        folder: of the memory, which keeps the writer's answers.

    Raises:
        DatasetError: the sample is not one of our benchmarks' entries.
        EndpointError: the writer's endpoint failed.
    """
    try:
        cases = played_cases(played, origin)
    except ValueError as ex:
        raise DatasetError(f"Sample {played.entry} can't be learned from: {ex}") from ex
    items: list[Experience] = []
    for name in forms:
        form = FORMS[name]
        if form.items is not None:
            items += form.items(cases)
        jobs = form.jobs(Inputs(cases)) if form.jobs is not None else []
        if jobs:
            with writing(folder):
                items += (await write(jobs, writer, Journal(folder))).items
    return items


def learned_card(benchmark: str, entry: str, embedder: EmbedderCard) -> Card:
    """The card of what is learned from an entry, for a memory that begins with this embedder."""
    world = places.world_of_benchmark(benchmark)
    if world is None:
        category = bfcl_data.load_entry(entry).category
        card = run_card(benchmark, ["online"], [category], [bfcl_data.data_hash((category,))])
    else:
        card = run_card(benchmark, ["online"], [], [appworld_data.data_hash([entry], world)])
    return card.model_copy(update={"embedder": embedder})
