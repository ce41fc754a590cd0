"""The errors this package raises: one base class, one type per boundary.

A message says what is wrong, the value received, the choices, and the remedy.
"""

import re
from collections.abc import Iterable

_MARKUP = re.compile(r"\[/?(?:bold|blue)\]")
"""What Inspect's errors on missing packages and keys are written with."""
_PARAGRAPH = re.compile(r"(?<=\w)\n\s*\n")


class KateError(Exception):
    """Base of every error that kate-eval raises on purpose."""


class ConfigurationError(KateError):
    """A parameter that a user passed (task, solver, command) can't be used."""


class DatasetError(KateError):
    """A benchmark's package or data is missing, of another version, or corrupt."""


class BankError(KateError):
    """A knowledge bank is missing, corrupt, or of another benchmark."""


class LeakageError(BankError):
    """The entry under evaluation, or its sibling, is in the bank."""


class RowsError(KateError):
    """Training rows are missing, corrupt, of another schema, or can't be made."""


class EndpointError(KateError):
    """The model endpoint gave something that can't be used (not: a bad answer)."""


class InstallationError(KateError):
    """Software in an environment of its own could not be installed or run there."""


class ServerError(KateError):
    """A model server of ours could not be started, or died."""


class TrainingError(KateError):
    """A training run can't start or go on: its base model, configuration, machine or numbers."""


class EngineError(KateError):
    """A benchmark's engine failed: it did not start, died, or gave no answer."""


class EpisodeError(KateError):
    """The environment was used wrongly, or no episode is open for the sample."""


def one_line(error: BaseException) -> str:
    """What an error of another package says, in one line and without markup."""
    text = _PARAGRAPH.sub(". ", _MARKUP.sub("", str(error)).strip())
    return " ".join(text.split()).removeprefix("ERROR: ") or type(error).__name__


def unknown(kind: str, value: object, choices: Iterable[str], remedy: str = "") -> ConfigurationError:
    """Build the error for a name that is not among the choices."""
    listed = ", ".join(sorted(choices)) or "none"
    text = f"Unknown {kind} {value!r}; choose from: {listed}."
    return ConfigurationError(f"{text} {remedy}".strip())
