"""`kate serve`: starts vLLM, waits until it is ready, prints the eval line, stops cleanly."""

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from kate_eval.terminal import say

if TYPE_CHECKING:
    from kate_eval.endpoints.serve.deployment import Deployment
    from kate_eval.endpoints.serve.server import Server

WATCH_SECONDS = 1.0


@click.command()
@click.argument("model")
@click.option(
    "--adapter",
    "adapters",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Folder of a LoRA adapter, asked for by the folder's name; may be given again.",
)
@click.option(
    "--replicas", default=1, show_default=True, help="Servers, on consecutive ports; GPUs are shared out."
)
@click.option("--port", default=8000, show_default=True, help="Of the first server.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="0.0.0.0: reachable from other machines."
)
@click.option(
    "--env", type=click.Path(path_type=Path), help="An environment with vLLM; by default one of its own."
)
@click.option("--timeout", default=900.0, show_default=True, help="Seconds that starting may take.")
@click.argument("flags", nargs=-1, type=click.UNPROCESSED)
def serve(
    model: str,
    adapters: tuple[Path, ...],
    replicas: int,
    port: int,
    host: str,
    env: Path | None,
    timeout: float,
    flags: tuple[str, ...],
) -> None:
    """Serve MODEL (a hub name or a local folder) with vLLM, until Ctrl-C.

    FLAGS are vLLM's own and follow a --, for instance: kate serve Qwen/Qwen3-8B -- --max-model-len 32768
    """
    from pydantic import ValidationError

    from kate_eval.endpoints.serve.deployment import serving
    from kate_eval.endpoints.serve.options import Options

    try:
        options = Options(
            model=model,
            adapters=adapters,
            replicas=replicas,
            port=port,
            host=host,
            env=env,
            timeout=timeout,
            flags=flags,
        )
    except ValidationError as ex:
        found = ex.errors()[0]
        raise click.UsageError(f"{'.'.join(map(str, found['loc']))}: {found['msg']}") from ex
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with serving(options, say) as deployment:
            _announce(deployment, host)
            code = _watch(deployment)
    except KeyboardInterrupt:
        say("Stopped.")
        code = 0
    sys.exit(code)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Other ways to be told to end are as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _announce(deployment: "Deployment", host: str) -> None:
    urls = ",".join(deployment.base_urls)
    say(f"\nReady: {deployment.model} at {urls}. Ctrl-C ends it.")
    if host in ("0.0.0.0", "::"):
        say("From other machines: the same with this machine's name.")
    for name in (deployment.model, *deployment.adapters):
        say(f"  inspect eval kate_eval/bfcl --solver kate --model kate/{name} --model-base-url {urls}")


def _watch(deployment: "Deployment") -> int:
    """Wait while servers run; says which ended.

    Returns:
        An exit code: all have ended by themselves.
    """
    known: list[Server] = list(deployment.servers)
    while known:
        for server in [server for server in known if server.code is not None]:
            known.remove(server)
            say(server.obituary())
            say(
                f"{len(known)} of {len(deployment.servers)} servers go on." if known else "No server is left."
            )
        time.sleep(WATCH_SECONDS if known else 0)
    return 1
