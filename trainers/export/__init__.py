"""Rows for trainers that bring an engine of their own: verl, for many nodes."""
