"""Forms of knowledge on BFCL-V3, one path each, beside function calling and prompting without any."""

from kate_eval.grid.cell import Grid, bfcl

GRID = Grid(
    title="Knowledge forms, BFCL-V3 multi-turn",
    cells=(
        bfcl("FC", "baseline"),
        bfcl("prompting", "baseline", task={"mode": "prompt"}),
        bfcl("summary", "knowledge", knowledge="summary"),
        bfcl("trajectory", "knowledge", knowledge="trajectory"),
        bfcl("intent", "knowledge", knowledge="intent"),
        bfcl("intent_summary", "knowledge", knowledge="intent_summary"),
        bfcl("trajectory + summary", "knowledge", knowledge="trajectory,summary"),
        bfcl("all four", "knowledge", knowledge="trajectory,summary,intent,intent_summary"),
    ),
)
