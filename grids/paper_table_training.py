"""Training on BFCL-V3: checkpoints or adapters trained with and without knowledge in their rows.

Each is a model that the command line names, for instance --model-variant sft=kate/my-adapter.
"""

from kate_eval.grid.cell import Grid, bfcl

VARIANTS = ("sft", "sft-knowledge", "rl", "rl-knowledge", "sft-rl", "sft-rl-knowledge")

GRID = Grid(
    title="Training, BFCL-V3 multi-turn",
    cells=(
        bfcl("FC", "baseline"),
        bfcl("KATE", "kate", knowledge="trajectory", width=4, aggregate="critic"),
        *(bfcl(f"{name}, FC", "baseline", variant=name) for name in VARIANTS),
        *(
            bfcl(f"{name}, KATE", "kate", variant=name, knowledge="trajectory", width=4, aggregate="critic")
            for name in VARIANTS
        ),
    ),
)
