"""Experiential knowledge: items, banks on disk, retrieval, and how items are shown to a model."""
