"""Beyond the paper's tables: reflections on the model's own runs of the training half, on BFCL-V3.

Those runs are played first; with several models, the first one's serve all.
"""

from kate_eval.grid.cell import Grid, bfcl

GRID = Grid(
    title="Reflections, BFCL-V3 multi-turn",
    cells=(
        bfcl("FC", "baseline"),
        bfcl("trajectory", "knowledge", knowledge="trajectory"),
        bfcl("reflection", "knowledge", knowledge="reflection"),
        bfcl("trajectory + reflection", "knowledge", knowledge="trajectory,reflection"),
    ),
)
