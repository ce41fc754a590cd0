"""Acquisition: a module a knowledge form."""
