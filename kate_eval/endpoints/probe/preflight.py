"""Before a task's first sample: whether the endpoint has what the task's solver needs.

Each model is asked at most two short requests, once a run. Only what is certain counts: no server, a key or
model that is refused, tools that are refused. A weak model or a slow server stops nothing.
KATE_EVAL_PREFLIGHT=false turns it off.
"""

import logging
import os
from collections.abc import Sequence

import anyio
from inspect_ai.model import Model, get_model

from kate_eval.endpoints.probe.findings import Findings
from kate_eval.endpoints.probe.needs import PRESENT, Need, verdict
from kate_eval.errors import EndpointError

logger = logging.getLogger(__name__)

VARIABLE = "KATE_EVAL_PREFLIGHT"
SECONDS = 5.0
PROVIDERS = ("vllm", "openai-api", "kate")
"""Servers that someone set up: hosted services have what they sell."""


def is_off() -> bool:
    """Whether the user wants no endpoint to be asked beforehand."""
    return os.environ.get(VARIABLE, "").lower() in ("false", "0", "no", "off")


class EndpointCheck:
    """Checks the models of one run."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, bool], Findings] = {}
        """Findings by model, URL and whether tools are offered."""
        self._lock = anyio.Lock()

    async def require(self, needs: Sequence[Need], url: str | None, roles: Sequence[str]) -> None:
        """Check the run's model and those in roles.

        Args:
            needs: of the solver.
            url: where the run's model is, if it was said.
            roles: names of the models beside it.

        Raises:
            EndpointError: something needed is certainly missing.
        """
        if not needs or is_off():
            return
        await self._check(get_model(), url, needs)
        for role in roles:
            await self._check(get_model(role=role), None, PRESENT)

    async def _check(self, model: Model, url: str | None, needs: Sequence[Need]) -> None:
        if str(model).split("/")[0] not in PROVIDERS:
            return
        key = (str(model), url or str(model.api.base_url), any(need.tools for need in needs))
        async with self._lock:
            if key not in self._seen:
                self._seen[key] = await _look(model, url, key[2])
                for finding in self._seen[key].values():
                    if finding.state == "unsure":
                        logger.warning("%s: %s. %s", model, finding.says, finding.evidence)
        found = verdict(needs, self._seen[key])
        if found.state == "lacks":
            off = f"({VARIABLE}=false starts the run all the same.)"
            raise EndpointError(f"{model} is not ready: {' '.join(found.lines)} {off}")


async def _look(model: Model, url: str | None, with_tools: bool) -> Findings:
    from kate_eval.endpoints.probe.run import glance

    return await glance(model, url, SECONDS, with_tools)
