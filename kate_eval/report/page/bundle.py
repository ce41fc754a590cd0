"""The logs and Inspect's viewer beside the page, so that a static host serves both."""

from collections.abc import Sequence
from pathlib import Path

from inspect_ai.log import bundle_log_dir

from kate_eval.errors import ConfigurationError

VIEWERS = "viewer"


def bundle(folders: Sequence[str], report: Path) -> dict[str, str]:
    """Copy the logs and the viewer below the report's folder; a bundle of before is replaced.

    Args:
        folders: of logs, as the report was asked for them.
        report: the report's folder.

    Returns:
        Folder of logs -> URL of its viewer, relative to the page.

    Raises:
        ConfigurationError: one of them is a file, or holds the report.
    """
    found = {}
    for number, name in enumerate(dict.fromkeys(folders), start=1):
        source = Path(name).resolve()
        if not source.is_dir():
            raise ConfigurationError(f"--bundle takes folders of logs, and {name} is a file: name its folder")
        if report.resolve().is_relative_to(source):
            raise ConfigurationError(
                f"--bundle copies {name} into {report}, which lies in it: choose another -o"
            )
        place = Path(VIEWERS, str(number))
        # Inspect takes away what was there before.
        bundle_log_dir(str(source), str(report / place), overwrite=True)
        found[name] = f"{place.as_posix()}/index.html"
    return found
