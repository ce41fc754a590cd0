"""Being told to stop: the first signal lets a run finish its step and save, the second ends it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Say = Callable[[str], None]


class StopRequest:
    """Whether this process was told to end: by Ctrl-C, or by a scheduler's SIGTERM."""

    def __init__(self) -> None:
        self.made = False

    @contextmanager
    def listening(self, say: Say) -> Iterator[None]:
        """Take the first signal as a request; a second one ends at once."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

        def hear(number: int, frame: FrameType | None) -> None:
            if self.made:
                raise KeyboardInterrupt
            self.made = True
            say("Told to stop: finishing this step and saving its state. Once more ends at once.")

        before = {number: signal.signal(number, hear) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
