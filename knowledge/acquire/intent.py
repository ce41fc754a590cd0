"""The form "intent": what a group of requests wants, and a generalised workflow for it.

Source: KATE, section 3.1 (arXiv 2606.10875): per API class the questions are clustered (k-means, k from 2 to
14 by silhouette); a model names each cluster's intent in at most 20 words and writes the workflow as JSON
steps with placeholders. The wording is ours.

Departures: a model is shown at most SHOWN requests of a cluster, those nearest to its centre.
"""

import json
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kate_eval.knowledge.acquire.case import Case
from kate_eval.knowledge.acquire.cluster import clusters
from kate_eval.knowledge.acquire.form import (
    MAX_WORDS,
    Form,
    Inputs,
    Job,
    ask,
    require_latin,
    without_thinking,
)
from kate_eval.knowledge.bank import digest
from kate_eval.knowledge.item import Experience, Origin

NAME = "intent"
SHOWN = 12
WORDS = 20
MAX_STEPS = 40
SCHEMA = {
    "type": "object",
    "properties": {
        "intent": {"type": "string"},
        "steps": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 12},
    },
    "required": ["intent", "steps"],
    "additionalProperties": False,
}


class Pattern(BaseModel):
    """An answer: an intent with its workflow."""

    model_config = ConfigDict(extra="ignore")

    intent: str = Field(min_length=3)
    steps: list[str] = Field(min_length=1, max_length=MAX_STEPS)


def jobs(inputs: Inputs) -> list[Job[Experience]]:
    """A job for each cluster of each class's requests."""
    found = []
    for name in sorted({name for case in inputs.cases for name in case.classes}):
        places = [
            place
            for place, case in enumerate(inputs.cases)
            if name in case.classes and case.origin.success and (case.calls or case.steps)
        ]
        questions = [inputs.cases[place].question for place in places]
        vectors = None if inputs.vectors is None else inputs.vectors[places]
        for members in clusters(questions, vectors):
            found.append(_job(name, [inputs.cases[places[member]] for member in members]))
    return found


def _job(name: str, cases: Sequence[Case]) -> Job[Experience]:
    """Ask for the intent of a cluster: cases of one class, nearest to the cluster's centre first."""
    shown = [f"Request: {case.question}\n{case.handling}" for case in cases[:SHOWN]]
    asked = ask("intent", {"requests": shown}, group=name, words=WORDS)
    sources = tuple(sorted({case.source for case in cases}))
    kinds = {case.origin.kind for case in cases}

    def read(answer: str, writer: str) -> Experience:
        pattern = read_pattern(answer)
        return Experience(
            id=f"{name}/{NAME}/{digest(repr((sources, pattern.intent, pattern.steps)))}",
            form=NAME,
            benchmark=cases[0].benchmark,
            sources=sources,
            question=pattern.intent,
            workflow=tuple(pattern.steps),
            classes=(name,),
            origin=Origin(kind="run" if "run" in kinds else "gold", writer=writer),
        )

    return Job(NAME, asked, read, SCHEMA)


def read_pattern(answer: str) -> Pattern:
    """The first JSON object of an answer that is a pattern.

    Raises:
        ValueError: there is none; the message says why.
    """
    text = without_thinking(answer)
    reason = "the answer holds no JSON object" if text else "the answer is empty"
    decoder = json.JSONDecoder()
    start = text.find("{")
    for _ in range(20):
        if start < 0:
            break
        try:
            value, _ = decoder.raw_decode(text, start)
            return _checked(Pattern.model_validate(value))
        except ValidationError as ex:
            first = ex.errors()[0]
            reason = f"field {'.'.join(map(str, first['loc'])) or '(whole object)'}: {first['msg']}"
        except (ValueError, RecursionError) as ex:
            reason = str(ex)
        start = text.find("{", start + 1)
    raise ValueError(reason)


def _checked(pattern: Pattern) -> Pattern:
    intent = " ".join(pattern.intent.split())
    steps = [" ".join(step.split()) for step in pattern.steps if step.strip()]
    if len(intent.split()) > 3 * WORDS:
        raise ValueError(f"the intent has {len(intent.split())} words; at most {WORDS} are wanted")
    if not steps or sum(len(step.split()) for step in steps) > MAX_WORDS:
        raise ValueError(f"the steps are empty, or have more than {MAX_WORDS} words")
    require_latin(intent)
    return Pattern(intent=intent, steps=steps)


FORM = Form(NAME, jobs=jobs, by_intent=True)
