"""Solvers: one loop over an Episode, made of three parts (inject, sample, aggregate)."""
