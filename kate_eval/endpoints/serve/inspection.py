"""What vLLM's environment says when asked: its version and parsers, its accelerators, a hub model's files."""

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kate_eval.endpoints.serve.environment import VARIABLE, variables
from kate_eval.errors import InstallationError, ServerError

_INSTALLED = """
import json, vllm
from vllm.platforms import current_platform as platform
from vllm.reasoning import ReasoningParserManager
from vllm.tool_parsers import ToolParserManager
print("\\n" + json.dumps({
    "version": vllm.__version__,
    "cpu": platform.is_cpu(),
    "devices": 0 if platform.is_cpu() else platform.device_count(),
    "tool_parsers": list(ToolParserManager.list_registered()),
    "reasoning_parsers": list(ReasoningParserManager.list_registered()),
}))
"""
# Files that a model may lack are looked up in the listing, so that a failure is the hub's own.
_HUB = """
import json, sys
from huggingface_hub import hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from pathlib import Path
name, files = sys.argv[1], {}
for file in ("config.json", "tokenizer_config.json", "chat_template.jinja", "params.json"):
    try:
        files[file] = Path(hf_hub_download(name, file)).read_text(encoding="utf-8")
    except LocalEntryNotFoundError as ex:
        if file == "config.json":
            print("\\n" + json.dumps({"failed": "unreachable", "text": str(ex)})); sys.exit()
    except EntryNotFoundError:
        pass
    except Exception as ex:
        print("\\n" + json.dumps({"failed": type(ex).__name__, "text": str(ex)})); sys.exit()
print("\\n" + json.dumps({"files": files}))
"""
_ASK_SECONDS = 300


@dataclass(frozen=True)
class Installed:
    """An installed vLLM."""

    version: str
    cpu: bool
    """Whether it is the build for CPUs."""
    devices: int
    """GPUs that it sees."""
    tool_parsers: tuple[str, ...]
    reasoning_parsers: tuple[str, ...]


@cache
def installed(python: Path) -> Installed:
    """What is installed in an environment; importing vLLM takes some ten seconds.

    Raises:
        InstallationError: it has no vLLM that starts.
    """
    found = _ask(python, _INSTALLED)
    return Installed(
        version=found["version"],
        cpu=found["cpu"],
        devices=found["devices"],
        tool_parsers=tuple(found["tool_parsers"]),
        reasoning_parsers=tuple(found["reasoning_parsers"]),
    )


def hub_files(python: Path, name: str) -> dict[str, str]:
    """The small files of a model on the hub, from vLLM's own cache of it where they are there.

    Raises:
        ServerError: the hub can't be reached, or has no such model for this user.
    """
    found = _ask(python, _HUB, name)
    if "files" in found:
        files: dict[str, str] = found["files"]
        return files
    said = str(found["text"]).strip().splitlines()[0]
    local = f"or serve a local folder that holds the model: kate serve ./{name.rpartition('/')[2]}"
    if found["failed"] in ("RepositoryNotFoundError", "GatedRepoError", "HFValidationError"):
        raise ServerError(
            f"The model hub has no {name!r} for you ({said}). Check the name, accept the model's licence and "
            f"set HF_TOKEN if it is gated, {local}"
        )
    raise ServerError(
        f"The model hub can't be reached for {name!r} ({said}). Check the network (HTTPS_PROXY; HF_ENDPOINT "
        f"for a mirror), {local}"
    )


def _ask(python: Path, script: str, *arguments: str) -> dict[str, Any]:
    """What a script says in its last line of output."""
    try:
        done = subprocess.run(
            [str(python), "-c", script, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            env=variables() | {"HF_HUB_DISABLE_PROGRESS_BARS": "1"},
            stdin=subprocess.DEVNULL,
            timeout=_ASK_SECONDS,
            check=False,
        )
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as ex:
        said = done.stderr.strip()[-600:] if isinstance(ex, ValueError | IndexError) else str(ex)
        raise InstallationError(
            f"{python} has no vLLM that starts: {said}\nName another environment (--env DIR or {VARIABLE}), "
            "or none: kate serve then makes one of its own"
        ) from ex
    return found
