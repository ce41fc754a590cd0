"""Inspect task files: thin, one a benchmark."""
