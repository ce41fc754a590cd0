"""A trained model on disk: a Hugging Face folder (weights or an adapter) with a card of how it came to be."""

from kate_eval.trainers.checkpoint.card import CheckpointCard, Curves, Score, load_card
from kate_eval.trainers.checkpoint.folder import add_scores, save_checkpoint

__all__ = ["CheckpointCard", "Curves", "Score", "add_scores", "load_card", "save_checkpoint"]
