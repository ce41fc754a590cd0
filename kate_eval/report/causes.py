"""Why the samples of a run failed, by cause and by kind of error."""

from collections.abc import Mapping
from dataclasses import dataclass

KINDS: dict[str, str] = {}


@dataclass(frozen=True)
class Causes:
    """Failed samples of a run.

    Attributes:
        kinds: cause -> samples.
        groups: parse and capability -> samples; what is infrastructure's was not scored, and counted as such.
    """

    kinds: Mapping[str, int]
    groups: Mapping[str, int]
