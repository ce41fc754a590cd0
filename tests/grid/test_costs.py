"""The costs that a dry run expects are those that the simulated endpoint has: measured again."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from kate_eval.grid.cell import Cell, bfcl
from kate_eval.grid.expect import simulated_costs
from kate_eval.grid.measure import measure, our_cells

SLACK = 0.1
"""Answers don't change from run to run; a new version of the harness may ask a little more or less."""


def check(cells: Sequence[Cell], folder: Path) -> None:
    """Measure the cells, and compare."""
    for shape, numbers in measure(cells, folder, lambda line: None).items():
        known = simulated_costs()[shape]
        expected = (known.requests, known.input_tokens, known.output_tokens)
        assert numbers == pytest.approx(expected, rel=SLACK), shape


def test_every_shape_of_our_grids_has_its_costs() -> None:
    # What other rows depend on, the split and who plays, is no part of a shape.
    assert len(simulated_costs()) == len(our_cells())


def test_the_baseline_costs_what_is_written_down(tmp_path: Path) -> None:
    check([bfcl("FC", "baseline")], tmp_path)


@pytest.mark.slow
def test_every_cell_costs_what_is_written_down(tmp_path: Path) -> None:
    check(our_cells(), tmp_path)
