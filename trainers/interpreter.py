"""The Python that the user names for training, tried before this process becomes it."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from kate_eval.endpoints.serve.environment import variables
from kate_eval.errors import ConfigurationError

VARIABLE = "KATE_EVAL_TRAIN_PYTHON"
ASK_SECONDS = 60
Wanted = Mapping[str, tuple[str, ...]]
"""Python or package -> how its version may begin."""
_ASK = (
    "import json, platform, importlib.metadata as m; found = {}; "
    "[found.setdefault(d.metadata['Name'].lower(), d.version) "
    "for d in m.distributions() if d.metadata['Name']]; "
    "print(json.dumps({'python': platform.python_version(), **found}))"
)
"""Loads none of the packages. Of two versions the first on the path counts, as it does for an import."""
_REMEDY = (
    f"Unset {VARIABLE} and run kate train setup, which makes an environment that can train, or name the "
    "Python of one with torch, TRL and kate-eval"
)


def named() -> Path | None:
    """The Python that $KATE_EVAL_TRAIN_PYTHON names.

    Raises:
        ConfigurationError: there is none.
    """
    value = os.environ.get(VARIABLE)
    if not value:
        return None
    python = Path(value).expanduser().absolute()
    python = python / "bin" / "python" if python.is_dir() else python
    if not python.is_file():
        raise ConfigurationError(f"{VARIABLE} names {python}, which doesn't exist. {_REMEDY}")
    return python


def check(python: Path, wanted: Wanted) -> None:
    """Check that a Python can run the trainers.

    Raises:
        ConfigurationError: it doesn't run, is of another version, or lacks a package.
    """
    found = _asked(python)
    wrong = [
        f"{name} {found.get(name, '(missing)')}, where {' or '.join(versions)} is needed"
        for name, versions in wanted.items()
        if not any(f"{found.get(name, '')}.".startswith(f"{version}.") for version in versions)
    ]
    if wrong:
        raise ConfigurationError(
            f"{VARIABLE} names {python}, which can't train: it has {'; '.join(wrong)}. {_REMEDY}"
        )


def _asked(python: Path) -> dict[str, str]:
    """Versions by name."""
    command = [str(python), "-c", _ASK]
    try:
        asked = subprocess.run(
            command, env=variables(), capture_output=True, text=True, timeout=ASK_SECONDS, check=True
        )
        found = json.loads(asked.stdout.strip().rpartition("\n")[2])
    except (OSError, ValueError, subprocess.SubprocessError) as ex:
        said = (
            str(getattr(ex, "stderr", None) or "").strip().rpartition("\n")[2] or str(ex).partition("\n")[0]
        )
        raise ConfigurationError(
            f"{VARIABLE} names {python}, which doesn't run as a Python ({said[:200]}). {_REMEDY}"
        ) from ex
    return dict(found) if isinstance(found, dict) else {}
