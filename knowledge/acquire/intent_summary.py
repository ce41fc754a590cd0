"""The form "intent_summary": an intent's workflow in prose.

Source: KATE, section 3.1 (arXiv 2606.10875): the mainstream steps, where errors are made, and which steps may
be missing. The wording is ours.
"""

from kate_eval.knowledge.acquire import intent
from kate_eval.knowledge.acquire.form import Form, Inputs, Job, ask, read_prose
from kate_eval.knowledge.bank import digest
from kate_eval.knowledge.item import Experience

NAME = "intent_summary"


def jobs(inputs: Inputs) -> list[Job[Experience]]:
    """A job for each intent that was built."""
    return [_job(item) for item in inputs.built if item.form == intent.NAME]


def _job(pattern: Experience) -> Job[Experience]:
    def read(answer: str, writer: str) -> Experience:
        text = read_prose(answer)
        return pattern.model_copy(
            update={
                "id": f"{pattern.id.replace(f'/{intent.NAME}/', f'/{NAME}/')}/{digest(text)}",
                "form": NAME,
                "text": text,
                "workflow": (),
                "origin": pattern.origin.model_copy(update={"writer": writer}),
            }
        )

    steps = "\n".join(f"{number}. {step}" for number, step in enumerate(pattern.workflow, start=1))
    records = {"intent": pattern.question, "steps": steps}
    return Job(NAME, ask("intent_summary", records, group=", ".join(pattern.classes)), read)


FORM = Form(NAME, jobs=jobs, after=intent.NAME, by_intent=True)
