"""`python -m kate_engine.mini ROOT`: build the mini world at ROOT/data, unless it is there already."""

import argparse
import json
import signal
import sys
from pathlib import Path

from kate_engine.mini.build import build, existing


def _progress(text: str, done: int, total: int) -> None:
    print(json.dumps({"progress": text, "done": done, "total": total}), file=sys.stderr, flush=True)


def main() -> int:
    """Run the command; the last line on standard output is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m kate_engine.mini", description=__doc__)
    parser.add_argument("root", type=Path, help="becomes APPWORLD_ROOT; only this folder is written to")
    parser.add_argument("--force", action="store_true", help="build again even if a complete build is there")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a half-made build is removed
    marker = None if arguments.force else existing(root)
    if marker is None:
        try:
            marker = build(root, _progress)
        except (RuntimeError, ValueError) as error:
            print(f"The mini world was not built: {error}", file=sys.stderr)
            return 1
    print(json.dumps({"tasks": marker["tasks"], "data_hash": marker["data_hash"]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
