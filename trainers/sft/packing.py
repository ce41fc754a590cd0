"""Whether rows that share a sequence are kept apart: tried on the model itself before training with packing.

TRL's packing gives each row positions from 0 on and no attention mask. Some implementations of attention
make a mask by rows of that, others let a row see those before it, which no number would tell.
"""

from typing import Any

from kate_eval.errors import TrainingError

LENGTHS = (7, 12)
TOLERANCE = 0.05
"""Of the logits' own spread; rows that see each other differ by much of it."""


def check_packing(model: Any) -> None:
    """Compare two rows in one sequence with the same rows alone.

    Raises:
        TrainingError: the second sees the first.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    vocabulary = model.config.get_text_config().vocab_size
    rows = [torch.randint(vocabulary, (1, length), generator=generator) for length in LENGTHS]
    packed = torch.cat(rows, dim=1).to(model.device)
    places = torch.cat([torch.arange(length) for length in LENGTHS])[None].to(model.device)
    trained = model.training
    model.eval()
    with torch.no_grad():
        together = _logits(model, input_ids=packed, position_ids=places)[:, LENGTHS[0] :]
        alone = _logits(model, input_ids=rows[1].to(model.device))
    model.train(trained)
    spread = float(alone.std())
    difference = float((together - alone).abs().max())
    if not difference <= TOLERANCE * max(spread, 1e-6):
        raise TrainingError(
            "With packing, rows in one sequence would see each other: this model's attention makes no mask "
            f"of their positions here (logits differ by {difference:.3g}). Train without --packing, or with "
            "--attention sdpa or flash_attention_2"
        )


def _logits(model: Any, **inputs: Any) -> Any:
    return model(**inputs, use_cache=False).logits.float()
