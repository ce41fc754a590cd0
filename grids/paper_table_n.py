"""The number of candidates on BFCL-V3: n = 1, 4, 8, 16, chosen among by majority and by a critic."""

from kate_eval.grid.cell import Grid, bfcl

GRID = Grid(
    title="Number of candidates, BFCL-V3 multi-turn",
    cells=(
        bfcl("n = 1", "baseline"),
        *(
            bfcl(f"{rule} {n}", "width", width=n, aggregate=rule)
            for rule in ("majority", "critic")
            for n in (4, 8, 16)
        ),
    ),
)
