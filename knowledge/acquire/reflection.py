"""The form "reflection": what a model's own run teaches. A success is summarised, a failure is diagnosed.

Source: KATE, section 3.1 (arXiv 2606.10875): direct cause, root cause, targeted advice, about 100 words.
The evidence of a failure is the checker's own finding. The wording is ours.
"""

from kate_eval.knowledge.acquire import summary
from kate_eval.knowledge.acquire.case import Case
from kate_eval.knowledge.acquire.form import Form, Inputs, Job, ask, read_prose
from kate_eval.knowledge.bank import digest
from kate_eval.knowledge.item import Experience

NAME = "reflection"


def jobs(inputs: Inputs) -> list[Job[Experience]]:
    """A job for each turn of a run."""
    runs = [case for case in inputs.cases if case.origin.kind == "run"]
    return [summary.job(case, NAME) if case.origin.success else _diagnosis(case) for case in runs]


def _diagnosis(case: Case) -> Job[Experience]:
    def read(answer: str, writer: str) -> Experience:
        text = read_prose(answer)
        return case.item(NAME, text, writer, tag=digest(text))

    records = {
        "earlier": case.earlier,
        "question": case.question,
        "handling": case.handling,
        "evidence": case.origin.evidence or "(the checker gave no details)",
    }
    return Job(NAME, ask("reflection", records), read)


FORM = Form(NAME, jobs=jobs, from_runs=True)
