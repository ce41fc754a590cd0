"""AppWorld: the real engine in an environment of its own, behind a process boundary."""
