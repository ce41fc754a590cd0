"""The attacks of test_attacks.py without the jail: they get through, so there it is the jail that refuses.

Each runs in a process of its own, in the engine's Python, on files made for it and on a victim to kill.
"""

import json
import os
import socket
import subprocess

import pytest

from kate_eval.appworld import places
from tests.appworld.conftest import WORLD
from tests.appworld.test_attacks import CHECK, PRELUDE, REFUSED

pytestmark = [pytest.mark.attacks, pytest.mark.xdist_group("appworld-attacks")]

NOT_TRIED = {
    "killing everything",
    "a mount",
    "the host's name",
    "a signal by a connection's owner",
    "a signal by a connection's owner, set by ioctl",
    "the databases by the engine's models",
    "a record written by the engine's models",
}
"""They would harm the machine, or need a session of the engine."""
KERNEL = {
    "io_uring",
    "bpf",
    "userfaultfd",
    "performance counters",
    "keys of the kernel",
    "a user namespace",
    "clone",
    "clone3",
    "another process's memory by process_vm_readv",
    "ptrace",
    "the world's priority",
    "the world's scheduling",
}
"""A kernel, or a container around the tests, may refuse them by itself."""
TRIED = sorted(REFUSED.keys() - NOT_TRIED - KERNEL)

RUNNER = """
import builtins, json, os, select, subprocess, sys
attacks, prelude, check, known = json.load(sys.stdin)
found = {}
for name, expression in attacks.items():
    with open("truth.py", "w") as truth:
        truth.write("answer = 1\\n")
    victim = subprocess.Popen(["sleep", "60"])
    known |= {"WORLD": victim.pid, "ENGINE": victim.pid, "HOST": victim.pid}
    read, write = os.pipe()
    own = os.fork()
    if own == 0:
        if name == "killing its group":
            os.setpgid(0, 0)
        parent = os.getpid()
        scope = dict(known, builtins=builtins, json=json)
        exec(prelude + check, scope)
        got = eval(f"attempt(lambda: {expression})", scope)
        if os.getpid() == parent:
            os.write(write, got.encode()[:500])
        os._exit(0)
    os.close(write)
    os.waitpid(own, 0)
    ready, _, _ = select.select([read], [], [], 2)
    found[name] = os.read(read, 500).decode() if ready else ""
    os.close(read)
    victim.kill()
    victim.wait()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def uncontained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each attack gets where nothing holds it; "" where it ended its own process, as by execve."""
    folder = tmp_path_factory.mktemp("uncontained")
    agents = places.agents_data(WORLD)
    task = min(path.name for path in (agents / "tasks").iterdir())
    engine = socket.socket(socket.AF_UNIX)
    engine.bind(str(folder / "engine.sock"))
    engine.listen()
    known = {
        "TASK": task,
        "TRUTH": str(folder / "truth.py"),
        "AGENTS": str(agents),
        "SOCKET": str(folder / "engine.sock"),
        "TEMPORARY": str(folder),
    }
    tried = {name: REFUSED[name] for name in TRIED}
    environment = {
        "PATH": os.environ["PATH"],
        "APPWORLD_ROOT": str(agents.parent),
        "PYTHONPATH": str(places.ENGINE_CODE),
    }
    with engine, (folder / "log").open("w+") as log:
        done = subprocess.run(
            [places.engine_python(), "-c", RUNNER],
            input=json.dumps([tried, PRELUDE, CHECK, known]),
            stdout=subprocess.PIPE,
            stderr=log,  # as the engine's is
            text=True,
            cwd=folder,
            env=environment,
            timeout=240,
            check=True,
        )
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("attack", TRIED)
def test_without_the_jail_it_gets_through(attack: str, uncontained: dict[str, str]) -> None:
    assert not uncontained[attack].startswith("refused: "), uncontained[attack]
