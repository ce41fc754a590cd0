"""Depth against width on BFCL-V3: more thinking before each step, or several candidates and a choice.

The last two rows add trajectories: with the critic, it is KATE without training.
"""

from kate_eval.grid.cell import Grid, bfcl

GRID = Grid(
    title="Depth against width, BFCL-V3 multi-turn",
    cells=(
        bfcl("FC", "baseline"),
        *(bfcl(f"depth: {prompt}", "depth", prompt=prompt) for prompt in ("state", "reflection", "intent")),
        *(bfcl(f"{rule} 4", "width", width=4, aggregate=rule) for rule in ("majority", "critic")),
        *(
            bfcl(f"trajectory + {rule} 4", "kate", knowledge="trajectory", width=4, aggregate=rule)
            for rule in ("majority", "critic")
        ),
    ),
)
