"""The command: `make mechanism` runs one seed, `make mechanism-full` three of them, longer."""

import argparse
from dataclasses import replace
from pathlib import Path

from mechanism.run import FULL, QUICK, check


def main() -> None:
    """Run the check that the command line asks for."""
    parser = argparse.ArgumentParser(description="The method's training on a small model, on a CPU.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for all that is made")
    parser.add_argument("--full", action="store_true", help="three seeds, longer")
    parser.add_argument("--seeds", type=int, help="other than the size's own")
    parser.add_argument("--vllm", help="environment with vLLM, as for kate serve --env")
    parser.add_argument("--no-rescore", action="store_true", help="leave the real server out")
    told = parser.parse_args()
    size = FULL if told.full else QUICK
    check(told.output, replace(size, seeds=told.seeds or size.seeds), told.vllm, not told.no_rescore)


if __name__ == "__main__":
    main()
