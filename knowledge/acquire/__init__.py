"""Acquisition: a module a knowledge form, a line a form in BUILDERS."""

from collections.abc import Callable

from kate_eval.knowledge.acquire.trajectory import build_bfcl_bank
from kate_eval.knowledge.bank import Bank

BUILDERS: dict[str, Callable[..., Bank]] = {"trajectory": build_bfcl_bank}
"""Knowledge form -> what builds a bank of it: (categories, split) -> Bank."""
