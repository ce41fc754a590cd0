"""The form "trajectory": a past request with what resolved it. No model is asked.

Source: KATE, section 3.1 (arXiv 2606.10875). Of a model's runs only what the checker passed becomes one.
"""

from collections.abc import Sequence

from kate_eval.knowledge.acquire.case import Case
from kate_eval.knowledge.acquire.form import Form
from kate_eval.knowledge.bank import digest
from kate_eval.knowledge.item import Experience

NAME = "trajectory"


def trajectories(cases: Sequence[Case]) -> list[Experience]:
    """An item for each case that was handled rightly, by calls or code."""
    return [trajectory(case) for case in cases if case.origin.success and (case.calls or case.steps)]


def trajectory(case: Case) -> Experience:
    """The item of a case. Gold has one a turn; of runs there may be several, told apart by a digest."""
    tag = "" if case.origin.kind == "gold" else digest(case.handling)
    return case.item(NAME, tag=tag)


FORM = Form(NAME, items=trajectories)
