"""Published embeddings: lists of numbers, checked and scaled to length 1."""

import numpy as np
import numpy.typing as npt

from kate_eval.knowledge.embed import unit

DIMENSION = 384
"""Of MiniLM's vectors, which the published banks hold."""
Vector = npt.NDArray[np.float32]


def unit_vector(value: object) -> Vector:
    """A published embedding, scaled to length 1: shape (DIMENSION,).

    Raises:
        ValueError: it is none of MiniLM's dimension, or holds what is no number; the message says why.
    """
    if value is None:
        raise ValueError("absent")
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if not isinstance(value, list) or any(type(number) not in (int, float) for number in value):
        raise ValueError("no list of numbers")
    if len(value) != DIMENSION:
        raise ValueError(f"{len(value)} numbers; MiniLM's vectors have {DIMENSION}")
    try:
        array = np.asarray(value, dtype=np.float64)
    except OverflowError:
        raise ValueError("holds a number beyond all floats") from None
    if not np.isfinite(array).all():
        raise ValueError("holds NaN or infinity")
    largest = float(np.abs(array).max())
    if not largest:
        raise ValueError("only zeros")
    scaled: Vector = unit(array / largest)  # first to a range in which float32 neither overflows nor vanishes
    return scaled
