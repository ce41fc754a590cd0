"""Strata of samples by how near they are to the bank that they were played with.

The measure is TF-IDF's cosine between a turn's text and the most similar question of the bank, whatever the
bank's embedder; of a sample's turns the nearest counts. The thresholds were chosen on the 400 multi-turn
test samples of BFCL-V3 and the default bank (the training half of multi_turn_base, 371 items): 258 are novel,
138 near and 4 duplicates (the four variants of one scenario, which opens with a training turn's very words);
half of all lie within 0.24 and 0.32, and none between 0.6 and 1. Of multi_turn_base's different test turns,
43 are at NEAR or above: for 93% of them the nearest item uses at least half of the functions that they need,
for 63% of the 317 others. In BFCL's single-turn categories (test half against training half, 1,820 samples)
90 are at DUPLICATE or above, 16 in the tenth below it.
"""

from typing import Literal

Stratum = Literal["novel", "near", "duplicate"]
STRATA: tuple[Stratum, ...] = ("novel", "near", "duplicate")
NEAR = 0.3
"""Similarity from which the bank holds a request of this kind in similar words."""
DUPLICATE = 0.9
"""Similarity from which it holds this request."""
BOUNDS: dict[Stratum, str] = {
    "novel": f"< {NEAR}",
    "near": f"< {DUPLICATE}",
    "duplicate": f">= {DUPLICATE}",
}


def stratum(similarity: float) -> Stratum:
    """The stratum of a similarity in [0, 1]."""
    if similarity >= DUPLICATE:
        return "duplicate"
    return "near" if similarity >= NEAR else "novel"
