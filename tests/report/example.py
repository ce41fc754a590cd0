"""A small report with every kind of table and plot, and hostile names: what the formats are tested on."""

from kate_eval.report.document import (
    Axis,
    Cell,
    Column,
    Counts,
    Document,
    Flag,
    Kind,
    Log,
    Paired,
    Plot,
    Point,
    Row,
    Series,
    Table,
)

HOSTILE = '=cmd|"/c calc"!A0 <script>alert(1)</script> \\input{x} $%_&#{}~^ | `b`'
"""A model's name that is a formula, markup, and LaTeX."""

COLUMNS = (
    Column(key="multi_turn", label="Multi-turn", unit="share", group="score", better="higher"),
    Column(key="multi_turn_base", label="base", unit="share", group="score", better="higher"),
    Column(key="pass_at_2", label="pass@2", unit="share", group="epochs", better="higher"),
    Column(key="agreement_rate", label="Agree", unit="share", group="rate", digits=0),
    Column(key="requests", label="Req.", unit="mean", group="cost", better="lower"),
    Column(key="tokens", label="Tokens", unit="tokens", group="cost", digits=0, better="lower"),
    Column(key="p95", label="s/step p95", unit="seconds", group="cost", digits=2, better="lower"),
    Column(key="dollars", label="$/run", unit="dollars", group="cost", digits=4, better="lower"),
    Column(key="infrastructure", label="Not scored", unit="count", group="error", digits=0, better="lower"),
    Column(key="cause_wrong_tool", label="wrong tool", unit="count", group="cause", digits=0),
    Column(key="data_hash", label="Data hash", unit="text", group="provenance"),
)


def row(number: int, model: str, solver: str, kind: Kind, **more: object) -> Row:
    """A row with a value in every column but the dollars."""
    score = 0.3 + number / 50
    return Row.model_validate(
        {
            "id": f"r{number}",
            "model": model,
            "solver": solver,
            "label": f"{model} {solver}",
            "kind": kind,
            "cells": {
                "multi_turn": Cell(value=score, low=score - 0.05, high=score + 0.05, n=400),
                "multi_turn_base": Cell(value=score, low=score - 0.1, high=score + 0.1, n=100),
                "pass_at_2": Cell(value=score + 0.1, low=score, high=score + 0.2, n=100),
                "agreement_rate": 0.71,
                "requests": 9.7,
                "tokens": 40213.4,
                "p95": 0.363,
                "dollars": None,
                "infrastructure": 2,
                "cause_wrong_tool": 31,
                "data_hash": "0a1b2c3d",
            },
            "logs": [
                Log(name=f"bfcl_{number}.eval", folder="logs", path=f"set/bfcl_{number}.eval", created="2026")
            ],
            "counts": Counts(expected=400, scored=398, errors={"infrastructure": 2, "capability": 200}),
        }
        | more
    )


PAIRED = Paired(
    baseline="r1", difference=0.062, low=0.031, high=0.093, p=0.0004, p_holm=0.0008, detectable=0.04, n=398
)


def leaderboard(kind: Kind, rows: tuple[Row, ...]) -> Table:
    """A leaderboard of some rows."""
    return Table(
        id=f"bfcl-v3-{kind}",
        title="BFCL-V3" + (": SIMULATED" if kind == "simulated" else ""),
        board="BFCL-V3",
        benchmark="bfcl",
        role="leaderboard",
        kind=kind,
        note="Percent correct.",
        headline="multi_turn",
        columns=COLUMNS,
        rows=rows,
    )


def example() -> Document:
    """The report."""
    simulated = Flag(code="simulated", text="SIMULATED endpoint")
    best = row(
        2,
        HOSTILE,
        "kate",
        "measured",
        settings={"width": "8"},
        paired=PAIRED,
        flags=(Flag(code="partial", text="partial: 398 of 400 entries"),),
    )
    rows = (row(1, "vllm/Qwen/Qwen3-8B", "baseline", "measured"), best)
    points = tuple(
        Point(x=8.0 * n, y=0.4 + n / 20, low=0.35, high=0.6, n=400, row=f"r{n}", label=f"r{n}", front=n == 2)
        for n in (1, 2)
    )
    named = tuple(Point(x=p.label, y=p.y, low=p.low, high=p.high, n=p.n, row=p.row) for p in points)
    share = Axis(label="Score", unit="share")
    return Document(
        generated="2026-11-25T08:00:00+00:00",
        tool_versions={"kate-eval": "0.1.0", "inspect-ai": "0.3.285"},
        folders=("logs",),
        baseline="baseline",
        notes=(Flag(code="unreadable", text=f"Left out, can't be read: {HOSTILE}"),),
        tables=(
            leaderboard("measured", rows),
            leaderboard(
                "simulated", (row(3, "simulated/default", "baseline", "simulated", flags=[simulated]),)
            ),
            Table(
                id="bfcl-v3-published",
                title="BFCL-V3: published, not measured here",
                board="BFCL-V3",
                benchmark="bfcl",
                role="published",
                kind="published",
                headline="multi_turn",
                columns=COLUMNS[:2],
                rows=(
                    Row(
                        id="p1",
                        model="Qwen3-8B",
                        solver="function calling",
                        label="Qwen3-8B function calling",
                        kind="published",
                        cells={"multi_turn": 0.3275},
                    ),
                ),
            ),
        ),
        plots=(
            Plot(
                id="bfcl-v3-measured-width",
                name="width",
                title="BFCL-V3: score by width",
                board="BFCL-V3",
                kind="measured",
                mark="line",
                x=Axis(label="Candidates a step", unit="count", log=True),
                y=share,
                series=(Series(name=HOSTILE, points=points),),
            ),
            Plot(
                id="bfcl-v3-measured-tokens",
                name="tokens",
                title="BFCL-V3: score by tokens",
                board="BFCL-V3",
                kind="measured",
                mark="point",
                x=Axis(label="Tokens a sample", unit="tokens", log=True),
                y=share,
                series=(Series(name=HOSTILE, points=points),),
            ),
            *(
                Plot(
                    id=f"bfcl-v3-measured-{name}",
                    name=name,
                    title=f"BFCL-V3: {name}",
                    board="BFCL-V3",
                    kind="measured",
                    mark="bar" if name == "failures" else "point",
                    x=Axis(label=name, unit="text", values=("r1", "r2")),
                    y=share,
                    series=(Series(name="all", points=named),),
                )
                for name in ("forms", "categories", "failures")
            ),
        ),
    )
