"""A host of its own, for tests that kill it: runs an eval and says when it plays."""

import sys
import time

from inspect_ai import eval
from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput

from kate_eval.tasks.appworld import appworld
from tests.appworld.conftest import SPLIT
from tests.conftest import Scripted, output


def main() -> None:
    folder, code = sys.argv[1:]

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        sys.stdout.write("playing\n")
        sys.stdout.flush()
        time.sleep(0.2)
        return output(f"```python\n{code}\n```")

    eval(
        appworld(SPLIT, step_seconds=60),
        model=Scripted(answer).model(),
        limit=2,
        log_dir=folder,
        display="log",
    )


if __name__ == "__main__":
    main()
