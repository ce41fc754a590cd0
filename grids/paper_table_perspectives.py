"""Perspectives on BFCL-V3: one candidate of each of four prompts, beside four samples of one prompt."""

from kate_eval.grid.cell import Grid, bfcl

GRID = Grid(
    title="Perspectives, BFCL-V3 multi-turn",
    cells=(
        bfcl("FC", "baseline"),
        *(bfcl(f"{rule} 4", "width", width=4, aggregate=rule) for rule in ("majority", "critic")),
        *(
            bfcl(f"perspectives, {rule}", "width", sampling="perspectives", aggregate=rule)
            for rule in ("majority", "critic")
        ),
        bfcl("four critics vote", "width", width=4, aggregate="critic_majority"),
    ),
)
