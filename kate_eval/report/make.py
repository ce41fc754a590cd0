"""From runs to the document."""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from kate_eval.report.baseline import BASELINE
from kate_eval.report.causes import LookUp
from kate_eval.report.cost import Prices
from kate_eval.report.document import Document, Series
from kate_eval.report.leaderboard import leaderboard
from kate_eval.report.plots import make_plots, training_plots
from kate_eval.report.read import Reading
from kate_eval.report.tables import make_tables


def make_document(
    reading: Reading,
    prices: Prices | None = None,
    baseline: str = BASELINE,
    looked_up: LookUp | None = None,
    training: Sequence[Series] = (),
) -> Document:
    """The report of what was read.

    Args:
        reading: the runs, and what was left out.
        prices: of models; by default those that the logs note.
        baseline: a solver, or the name, label or id of one run, that the others are compared with.
        looked_up: why samples failed, if that was looked up.
        training: curves of a trainer: a value over its steps, each.

    Raises:
        ConfigurationError: no run is this baseline, and it is not the default.
    """
    results = leaderboard(reading.runs, prices, baseline)
    found = looked_up or LookUp()
    return Document(
        generated=datetime.now(UTC).isoformat(timespec="seconds"),
        tool_versions={name: version(name) for name in ("kate-eval", "inspect-ai")},
        folders=reading.folders,
        baseline=baseline,
        notes=(*reading.notes, *found.notes),
        tables=tuple(make_tables(results, found.causes)),
        plots=(*make_plots(results, found.causes), *training_plots(training)),
    )
