"""`python -m kate_eval.trainers`: as `kate train`, for launchers that start a module on each GPU.

accelerate launch -m kate_eval.trainers sft --config FILE
"""

import sys

from kate_eval.cli import main

if __name__ == "__main__":
    given = sys.argv[1:]
    main(args=given if given[:1] == ["train"] else ["train", *given], prog_name="kate")
