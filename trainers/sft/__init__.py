"""Supervised fine-tuning on rows, by TRL: the loss is on the assistant's tokens only."""
