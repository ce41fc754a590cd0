"""The form "summary": about 100 words that a model writes on why a past handling was right.

Source: KATE, section 3.1 (arXiv 2606.10875): from the question, the turns before it and the gold calls;
first the concrete causes, then rules that carry over. The wording is ours.
"""

from kate_eval.knowledge.acquire.case import Case
from kate_eval.knowledge.acquire.form import Form, Inputs, Job, ask, read_prose
from kate_eval.knowledge.bank import digest
from kate_eval.knowledge.item import Experience

NAME = "summary"


def jobs(inputs: Inputs) -> list[Job[Experience]]:
    """A job for each case that was handled rightly."""
    return [job(case, NAME) for case in inputs.cases if case.origin.success and (case.calls or case.steps)]


def job(case: Case, form: str) -> Job[Experience]:
    """Ask for the summary of a success, as an item of the given form."""

    def read(answer: str, writer: str) -> Experience:
        text = read_prose(answer)
        return case.item(form, text, writer, tag=digest(text))

    records = {"earlier": case.earlier, "question": case.question, "handling": case.handling}
    return Job(form, ask("summary", records), read)


FORM = Form(NAME, jobs=jobs)
