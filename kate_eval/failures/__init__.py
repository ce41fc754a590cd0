"""Why samples failed: exactly one cause for each, by documented rules (docs/failures.md), from logs alone."""

from kate_eval.failures.cause import KINDS, Cause, group_of
from kate_eval.failures.find import cause_of

__all__ = ["KINDS", "Cause", "cause_of", "group_of"]
