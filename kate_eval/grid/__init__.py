"""Grids: declared cells, what of them is there already, and running what is missing."""
