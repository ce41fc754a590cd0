"""AppWorld, both test splits: one path without knowledge, with it, and with candidates and a critic."""

from kate_eval.grid.cell import Cell, Grid, appworld


def _rows(split: str, name: str) -> tuple[Cell, ...]:
    return (
        appworld(f"ReAct, {name}", "baseline", split),
        appworld(f"ReAct + trajectories, {name}", "knowledge", split, knowledge="trajectory"),
        appworld(f"Memp, {name}", "memp", split, knowledge="trajectory,summary"),
        appworld(f"KATE, {name}", "kate", split, knowledge="trajectory", width=4, aggregate="critic"),
    )


GRID = Grid(title="AppWorld", cells=(*_rows("test_normal", "normal"), *_rows("test_challenge", "challenge")))
