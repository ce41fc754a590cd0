"""Preflight: before a task's first sample, whether the endpoint has what the task's solver needs.

It runs when Inspect starts a task, asks each model at most two short requests, once a run, and stops the
task only for what is certain: no server, a key or model that is refused, tools that are refused. A weak
model or a slow server stops nothing. KATE_EVAL_PREFLIGHT=false turns it off.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
from inspect_ai.hooks import Hooks, RunEnd, TaskStart
from inspect_ai.model import Model, get_model
from inspect_ai.util import LimitExceededError

from kate_eval.endpoints.probe.findings import Findings
from kate_eval.endpoints.probe.needs import PRESENT, Need, verdict
from kate_eval.errors import EndpointError

logger = logging.getLogger(__name__)

VARIABLE = "KATE_EVAL_PREFLIGHT"
SECONDS = 5.0
PROVIDERS = ("vllm", "openai-api", "kate")
"""Servers that someone set up: hosted services have what they sell."""

NeedsOf = Callable[[str, Mapping[str, Any]], "tuple[Need, ...] | None"]


class NotReadyError(EndpointError, LimitExceededError):
    """The endpoint lacks what the solver needs. A limit too: of what hooks raise Inspect heeds only those."""

    def __init__(self, message: str) -> None:
        LimitExceededError.__init__(self, "custom", value=0, limit=0, message=message)

    def __str__(self) -> str:
        return str(self.message)


class Preflight(Hooks):
    """Checks models when a task starts."""

    def __init__(self, needs_of: NeedsOf) -> None:
        self._needs_of = needs_of
        self._seen: dict[str, dict[tuple[str, str, bool], Findings]] = {}
        """Findings by run, then by model, URL and whether tools are offered."""
        self._locks: dict[str, anyio.Lock] = {}

    def enabled(self) -> bool:
        """Unless turned off."""
        return os.environ.get(VARIABLE, "").lower() not in ("false", "0", "no", "off")

    async def on_task_start(self, data: TaskStart) -> None:
        """Stop the task if its models can't do what its solver needs.

        Raises:
            NotReadyError: something needed is certainly missing.
        """
        needs = self._needed(data)
        if needs is None:
            return
        url = data.spec.model_base_url
        await self._check(data.run_id, get_model(), url, needs)
        for role in data.spec.model_roles or {}:
            await self._check(data.run_id, get_model(role=role), None, PRESENT)

    async def on_run_end(self, data: RunEnd) -> None:
        """Forget the run."""
        self._seen.pop(data.run_id, None)
        self._locks.pop(data.run_id, None)

    def _needed(self, data: TaskStart) -> Sequence[Need] | None:
        """What the plan's solver needs; None if no solver of ours is in it, or it asks nothing."""
        found = [self._needs_of(step.solver, step.params) for step in data.plan.steps]
        needs = [need for of in found for need in of or ()]
        offered = (data.spec.metadata or {}).get("mode", "fc") != "prompt"
        return [need for need in needs if offered or not need.tools] or None

    async def _check(self, run: str, model: Model, url: str | None, needs: Sequence[Need]) -> None:
        if str(model).split("/")[0] not in PROVIDERS:
            return
        key = (str(model), url or str(model.api.base_url), any(need.tools for need in needs))
        async with self._locks.setdefault(run, anyio.Lock()):
            seen = self._seen.setdefault(run, {})
            if key not in seen:
                seen[key] = await _look(model, url, key[2])
                for finding in seen[key].values():
                    if finding.state == "unsure":
                        logger.warning("%s: %s. %s", model, finding.says, finding.evidence)
        found = verdict(needs, seen[key])
        if found.state == "lacks":
            off = f"({VARIABLE}=false starts the run all the same.)"
            raise NotReadyError(f"{model} is not ready: {' '.join(found.lines)} {off}")


async def _look(model: Model, url: str | None, with_tools: bool) -> Findings:
    from kate_eval.endpoints.probe.run import glance

    return await glance(model, url, SECONDS, with_tools)
