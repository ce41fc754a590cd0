"""The data of the plots that people look at first, from the same results as the tables."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from kate_eval.failures import KINDS
from kate_eval.report.causes import Causes
from kate_eval.report.columns import estimate
from kate_eval.report.curve import curve
from kate_eval.report.document import Axis, Plot, PlotName, Point, Series
from kate_eval.report.leaderboard import Result
from kate_eval.report.tables import block_kind, blocks, slug
from kate_eval.stats import Estimate

_SCORE = Axis(label="Score", unit="share")
_NONE = "none"
"""How the plot of forms names a run without knowledge."""


def make_plots(results: Sequence[Result], causes: Mapping[str, Causes]) -> list[Plot]:
    """All plots that have something to show, board by board, simulated runs apart.

    Args:
        results: of all runs.
        causes: id of a run -> why its samples failed, as far as that was looked up.
    """
    boards: dict[str, list[Result]] = {}
    for result in results:
        boards.setdefault(result.run.board, []).append(result)
    return [
        plot
        for board in boards.values()
        for block in blocks(board)
        for plot in (
            _width(block),
            _tokens(block),
            _forms(block),
            _categories(block),
            _learning(block),
            _failures(block, causes),
        )
        if plot is not None
    ]


def training_plots(series: Sequence[Series]) -> list[Plot]:
    """A trainer's curves, if there are any: losses, and apart from them what should rise."""
    losses = [one for one in series if one.name.endswith("loss")]
    others = [one for one in series if one not in losses]
    return [
        Plot(
            id=f"training-{name}",
            name="training",
            title=f"Training: {title}",
            board="Training",
            kind="measured",
            mark="line",
            x=Axis(label="Step", unit="count"),
            y=Axis(label=title.capitalize(), unit="mean"),
            series=tuple(shown),
        )
        for name, title, shown in (("loss", "loss", losses), ("reward", "reward and accuracy", others))
        if shown
    ]


def _plot(
    block: Sequence[Result], name: PlotName, what: str, mark: str, x: Axis, y: Axis, series: Sequence[Series]
) -> Plot:
    board, kind = block[0].run.board, block_kind(block)
    simulated = " (SIMULATED)" if kind == "simulated" else ""
    return Plot.model_validate(
        {
            "id": f"{slug(board)}-{kind}-{name}",
            "name": name,
            "title": f"{board}: {what}{simulated}",
            "board": board,
            "kind": kind,
            "mark": mark,
            "x": x,
            "y": y,
            "series": series,
        }
    )


def _point(result: Result, x: float | str, found: Estimate | None) -> Point | None:
    cell = estimate(found)
    if cell is None:
        return None
    told = {"low": cell.low, "high": cell.high, "n": cell.n}
    return Point.model_validate(
        {"x": x, "y": cell.value, "row": result.run.id, "label": result.run.title, **told}
    )


def _alike(block: Sequence[Result]) -> Iterator[Result]:
    """Results of which the same score is the headline: that of most rows."""
    names = [result.headline for result in block if result.scores]
    if names:
        usual = max(dict.fromkeys(names), key=names.count)
        yield from (result for result in block if result.headline == usual)


def _series(points: Sequence[tuple[str, Point]]) -> list[Series]:
    """Points by the name of their series, each in order of x."""
    named: dict[str, list[Point]] = {}
    for name, point in points:
        named.setdefault(name, []).append(point)
    return [
        Series(name=name, points=tuple(sorted(found, key=lambda p: p.x if isinstance(p.x, float) else 0.0)))
        for name, found in named.items()
    ]


def _but(result: Result, *settings: str) -> str:
    """Model, solver and settings of a run, without some of them."""
    run = result.run
    told = ", ".join(f"{name}={value}" for name, value in run.settings.items() if name not in settings)
    return f"{run.model} {run.solver}" + (f" ({told})" if told else "")


def _width(block: Sequence[Result]) -> Plot | None:
    points = []
    for result in _alike(block):
        width = result.means.get("mean_width")
        point = _point(result, width, result.score) if width else None
        if point is not None:
            points.append((_but(result, "width"), point))
    if len({round(float(point.x), 2) for _, point in points}) < 2:
        return None
    axis = Axis(label="Candidates a step", unit="mean", log=True)
    return _plot(block, "width", "score by width", "line", axis, _SCORE, _series(points))


def _tokens(block: Sequence[Result]) -> Plot | None:
    points = []
    for result in _alike(block):
        tokens = result.means.get("tokens")
        point = _point(result, tokens, result.score) if tokens else None
        if point is not None:
            points.append((f"{result.run.model} {result.run.solver}", point))
    if len(points) < 2:
        return None
    front = pareto([point for _, point in points])
    marked = [(name, point.model_copy(update={"front": id(point) in front})) for name, point in points]
    axis = Axis(label="Tokens a sample", unit="tokens", log=True)
    return _plot(block, "tokens", "score by tokens", "point", axis, _SCORE, _series(marked))


def pareto(points: Sequence[Point]) -> set[int]:
    """The ids (of the objects) of the points that none betters: as much y for less x, or more for as much."""
    front: set[int] = set()
    best = float("-inf")
    ordered = sorted(points, key=lambda point: (float(point.x), -point.y))
    for x, group in groupby(ordered, key=lambda point: point.x):
        del x
        tied = list(group)
        if tied[0].y > best:
            best = tied[0].y
            front |= {id(point) for point in tied if point.y == best}
    return front


def _forms(block: Sequence[Result]) -> Plot | None:
    points = []
    compared: dict[str, Result] = {result.run.id: result for result in block}
    for result in _alike(block):
        form = result.run.parameters.get("knowledge")
        point = _point(result, _form(form), result.score) if form else None
        if point is None:
            continue
        name = _but(result, "knowledge", "bank")
        points.append((name, point))
        without = compared.get(result.baseline.id) if result.baseline else None
        plain = _point(without, _NONE, without.score) if without else None
        if plain is not None and (name, plain) not in points:
            points.append((name, plain))
    values = dict.fromkeys(str(point.x) for _, point in points)
    if len(values.keys() - {_NONE}) < 2:
        return None
    order = ([_NONE] if _NONE in values else []) + [value for value in values if value != _NONE]
    axis = Axis(label="Knowledge", unit="text", values=tuple(order))
    return _plot(block, "forms", "score by form of knowledge", "point", axis, _SCORE, _series(points))


def _form(value: object) -> str:
    return " + ".join(map(str, value)) if isinstance(value, list) else str(value).replace(",", " + ")


def _categories(block: Sequence[Result]) -> Plot | None:
    benchmark = block[0].run.benchmark
    present = {o.group for result in block for o in result.run.by_entry.values()}
    names = [name for name in benchmark.categories if name in present]
    if len(names) < 2:
        return None
    labels = [benchmark.labels.get(name, name) for name in names]
    series = []
    for result in block:
        found = [
            _point(result, label, result.scores.get(name)) for name, label in zip(names, labels, strict=True)
        ]
        points = tuple(point for point in found if point is not None)
        series += [Series(name=result.run.title, points=points)] if points else []
    axis = Axis(label="Category", unit="text", values=tuple(labels))
    return _plot(block, "categories", "score by category", "point", axis, _SCORE, series)


def _learning(block: Sequence[Result]) -> Plot | None:
    series = []
    for result in block:
        found = curve(result)
        for name, estimates in (
            (f"{result.run.title}: so far", [point.so_far.score for point in found]),
            (f"{result.run.title}: its baseline on the same entries", [p.so_far.baseline for p in found]),
        ):
            points = [_point(result, point.last, e) for point, e in zip(found, estimates, strict=True)]
            known = tuple(point for point in points if point is not None)
            series += [Series(name=name, points=known)] if known else []
    if not series:
        return None
    axis = Axis(label="Samples learned from", unit="count")
    return _plot(block, "learning", "learning curve", "line", axis, _SCORE, series)


def _failures(block: Sequence[Result], causes: Mapping[str, Causes]) -> Plot | None:
    known = [(result, causes[result.run.id]) for result in block if result.run.id in causes]
    kinds = [kind for kind in KINDS if any(found.kinds.get(kind) for _, found in known)]
    if not kinds:
        return None
    series = []
    for result, found in known:
        whole = max(result.run.expected, len(result.run.samples), 1)
        points = [
            Point(
                x=kind.replace("_", " "),
                y=found.kinds.get(kind, 0) / whole,
                n=found.kinds.get(kind, 0),
                row=result.run.id,
                label=result.run.title,
            )
            for kind in kinds
        ]
        series.append(Series(name=result.run.title, points=tuple(points)))
    axis = Axis(label="Cause", unit="text", values=tuple(kind.replace("_", " ") for kind in kinds))
    share = Axis(label="Share of samples", unit="share")
    return _plot(block, "failures", "why samples failed", "bar", axis, share, series)
