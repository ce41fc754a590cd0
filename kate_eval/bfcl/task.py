"""The BFCL task's parts: samples, the episode that its setup opens, and what the log must say."""

import json
from collections.abc import Sequence
from typing import cast

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.solver import Generate, Solver, TaskState, solver

from kate_eval.bfcl import data, engine
from kate_eval.bfcl.categories import (
    MODES,
    SPLITS,
    Mode,
    group_of,
    parse_categories,
)
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.bfcl.scorer import bfcl_verdict
from kate_eval.counters import run_counters
from kate_eval.episode import SAMPLE_KEY, close_episode, open_episode
from kate_eval.errors import unknown

TASK_VERSION = "3-A"
"""Comparability number (BFCL-V3), then interface letter."""

DEFAULTS = GenerateConfig(temperature=0, max_tokens=3000, max_retries=5, attempt_timeout=300)
"""The method: temperature 0 but for sampling, 3,000 new tokens a step. Inspect's retries never end."""


def bfcl_task(categories: str | Sequence[str], split: str, mode: str, default_solver: Solver) -> Task:
    """Assemble the task.

    Raises:
        ConfigurationError: an unknown category, split or mode.
        DatasetError: bfcl-eval is missing (the message names the remedy).
    """
    chosen = parse_categories(categories)
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    if mode not in MODES:
        raise unknown("mode", mode, MODES)
    engine.require()
    samples = [sample_of(entry, mode) for entry in data.load(chosen, split)]
    return Task(
        dataset=MemoryDataset(samples, name=f"BFCL-V3 {split}"),
        setup=open_bfcl(),
        solver=default_solver,
        cleanup=_close,
        scorer=[bfcl_verdict(), run_counters()],
        config=DEFAULTS,
        fail_on_error=False,
        score_on_error=True,
        version=TASK_VERSION,
        metadata={
            "benchmark": "bfcl",
            "bfcl_eval_version": engine.BFCL_EVAL_VERSION,
            "data_hash": data.data_hash(chosen),
            "category_hashes": {category: data.data_hash((category,)) for category in chosen},
            "entries": len(samples),
            "categories": list(chosen),
            "split": split,
            "mode": mode,
        },
    )


def sample_of(entry: data.Entry, mode: str) -> Sample:
    """The Inspect sample of an entry. The episode gives the messages; the input is for people."""
    first = next((m["content"] for m in reversed(entry.turns[0]) if m["role"] == "user"), "")
    return Sample(
        id=entry.id,
        input=first or "(no user message in the first turn)",
        target=json.dumps(entry.gold),
        metadata={
            "category": entry.category,
            "group": group_of(entry.category),
            "cluster": entry.cluster,
            "index": entry.index,
            "classes": list(entry.classes),
            "broken_gold": entry.broken_gold,
            "mode": mode,
        },
    )


@solver
def open_bfcl() -> Solver:
    """Open the sample's episode; runs before whatever solver the user chose."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        mode = cast(Mode, state.metadata["mode"])
        open_episode(state, BfclEpisode(data.load_entry(str(state.sample_id)), mode))
        sample = {"benchmark": "bfcl", "entry": state.sample_id, "epoch": state.epoch, "mode": mode}
        state.store.set(SAMPLE_KEY, sample)
        state.messages = []
        return state

    return solve


async def _close(state: TaskState) -> None:
    await close_episode(state)
