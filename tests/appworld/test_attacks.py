"""What a model's code may try, and that nothing comes of it.

Attacks of one kind run in one session, beside an honest session of another task. Each attack reports what it
got; then the attacked session still plays its task's solution and succeeds, one without it still fails, and
the honest session has not noticed. On another system than Linux only the resource limits hold, and the tests
that need more say so by failing on `contained`.

Not contained, as in the engine itself: access tokens are signed with a known word, so that code can act as
another user through documented APIs; what such code changes is judged like any other change.
"""

import contextlib
import json
import os
import re
import sqlite3
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from kate_eval.appworld import places
from kate_eval.appworld.data import AppTask
from tests.appworld.conftest import FORBIDDEN, WORLD, Open, Player, engine_processes

pytestmark = [pytest.mark.attacks, pytest.mark.xdist_group("appworld-attacks")]

Solution = Callable[[str], list[str]]

PRELUDE = """
load = builtins.__import__
posix, ctypes, gc, system, io_, signal_ = (
    load(name) for name in ("posix", "ctypes", "gc", "sys", "_io", "_signal")
)
libc = ctypes.CDLL(None, use_errno=True)

def module(name):
    return load(name, fromlist=["x"])

def attempt(work):
    # "refused: ..." or what it got
    try:
        got = work()
    except BaseException as ex:
        return f"refused: {type(ex).__name__}: {ex}"
    return f"got: {got!r}"[:2000]

def call(number, *arguments):
    # a system call past everything that Python could have patched
    ctypes.set_errno(0)
    got = libc.syscall(number, *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if got == -1:
        raise OSError(ctypes.get_errno(), "system call")
    return got

found_wires = []
def wires():
    # The open connections that it can find: its own, to the session.
    if not found_wires:
        known = [item for item in gc.get_objects() if type(item).__name__ == "Wire"]
        found_wires.extend(wire for wire in known if wire.fileno() >= 0)
    return found_wires

def send(data):
    wires()[0].connection.sendall(data)

def wait():
    load("select").select([], [], [], 60)

def deaf():
    # to the alarm that ends a step from within
    signal_.pthread_sigmask(signal_.SIG_SETMASK, range(1, 65))

def raw(method, url, **sent):
    # an API call as no Requester would make it
    wires()[0].send({"call": {"method": method, "url": url, **sent}})
    return wires()[0].receive(20)
"""

REFUSED = {
    # Reading: the ground truth, other processes, the system.
    "the ground truth by Path.read_text": "load('pathlib').Path(TRUTH).read_text()",
    "the ground truth by posix.open": "posix.open(TRUTH, 0)",
    "the ground truth by C's open": "check(libc.open(TRUTH.encode(), 0))",
    "the ground truth by the original open": "io_.open(TRUTH).read()",
    "the task's own files": "posix.listdir(AGENTS)",
    "the agents' databases": "io_.open(AGENTS + '/base_dbs/admin.db', 'rb').read(10)",
    "the ground truth by importing a file": "load('runpy').run_path(TRUTH)",
    "the solutions of the mini world": "load('kate_engine.mini')",
    "its own environment": "io_.open('/proc/self/environ', 'rb').read()",
    "its own open files": "posix.listdir('/proc/self/fd')",
    "its own memory map": "io_.open('/proc/self/maps').read()",
    "the engine's memory": "io_.open(f'/proc/{ENGINE}/mem', 'rb')",
    "the world's memory": "io_.open(f'/proc/{WORLD}/mem', 'rb')",
    "the world's open files": "posix.listdir(f'/proc/{WORLD}/fd')",
    "the host's environment": "io_.open(f'/proc/{HOST}/environ', 'rb').read()",
    "the passwords of the system": "io_.open('/etc/passwd').read()",
    "what is in the temporary folder": "posix.listdir(TEMPORARY)",
    "another process's memory by process_vm_readv": "call(310, WORLD, 0, 0, 0, 0, 0)",
    # Writing.
    "a new file": "posix.open(TEMPORARY + '/kate-attack', 0o101)",
    "a new file in its own folder": "posix.open('attack', 0o101)",
    "a new folder": "posix.mkdir('attack folder')",
    "a link to a file": "posix.symlink('/etc/passwd', 'attack link')",
    "a file's rights": "posix.chmod(TRUTH, 0)",
    "a file's rights by C": "check(libc.chmod(TRUTH.encode(), 0))",
    "a file's owner": "posix.chown(TRUTH, 1, 1)",
    "a file's times": "posix.utime(TRUTH, (0, 0))",
    "a file's attributes": "posix.setxattr(TRUTH, 'user.x', b'1')",
    "a file removed": "posix.unlink(TRUTH)",
    "a file renamed": "posix.rename(TRUTH, TRUTH + 'x')",
    "a file cut": "posix.truncate(TRUTH, 0)",
    "a pipe with a name": "posix.mkfifo('attack pipe')",
    "the engine's own code": "io_.open(load('appworld').__file__, 'a')",
    "the engine's log": "posix.ftruncate(2, 0)",
    "a file in memory": "posix.memfd_create('attack')",
    "shared memory": "call(29, 0, 4096, 0o1600)",
    "a list of others' shared memory": "call(31, 0, 14, b'\\0' * 200)",
    "a message queue": "call(240, b'kate-attack', 0o102, 0o600, None)",
    "a semaphore": "load('_multiprocessing').SemLock(1, 1, 1, '/kate-attack', True)",
    # Processes.
    "a fork": "posix.fork()",
    "a fork by C": "check(libc.fork())",
    "a vfork": "call(58)",
    "clone": "call(56, 17, 0, 0, 0, 0)",
    "clone3": "call(435, None, 0)",
    "a thread": "load('_thread').start_new_thread(print, ())",
    "posix_spawn": "posix.posix_spawn('/bin/true', ['true'], {})",
    "execve": "posix.execv('/bin/sh', ['sh'])",
    "C's system": "check(-libc.system(b'true'))",
    "subprocess": (
        "load('_posixsubprocess').fork_exec([b'true'], [b'/bin/true'], True, (), None, None,"
        " -1, -1, -1, -1, -1, -1, *posix.pipe(), False, False, -1, None, None, None, -1, None, False)"
    ),
    "a session of its own": "posix.setsid()",
    "a process group of its own": "posix.setpgid(0, 0)",
    "ptrace": "call(101, 16, WORLD, 0, 0)",
    # Signals and priorities.
    "killing the world": "posix.kill(WORLD, 9)",
    "killing the engine": "posix.kill(ENGINE, 9)",
    "killing the host": "posix.kill(HOST, 9)",
    "killing everything": "posix.kill(-1, 9)",
    "killing its group": "posix.kill(0, 9)",
    "stopping the world": "posix.kill(WORLD, 19)",
    "a signal by tkill": "call(200, WORLD, 9)",
    "a signal by tgkill": "call(234, WORLD, WORLD, 9)",
    "a signal by queue": "call(129, WORLD, 9, load('struct').pack('iii', 9, 0, -1) + b'\\0' * 116)",
    "a signal by a handle": "load('signal').pidfd_send_signal(posix.pidfd_open(WORLD), 9)",
    "a signal by a connection's owner": "call(72, wires()[0].fileno(), 8, WORLD)",
    "a signal by a connection's owner, set by ioctl": "call(16, wires()[0].fileno(), 0x8901, b'1234')",
    "the world's priority": "posix.setpriority(0, WORLD, 19)",
    "the world's processors": "posix.sched_setaffinity(WORLD, [0])",
    "the world's scheduling": "posix.sched_setscheduler(WORLD, 5, posix.sched_param(0))",
    "the world's limits": "load('resource').prlimit(WORLD, 7, (1, 1))",
    "outliving its parent": "check(libc.prctl(1, 0, 0, 0, 0))",
    # Limits and capabilities.
    "more memory": "load('resource').setrlimit(9, (1 << 40, 1 << 40))",
    "longer files": "load('resource').setrlimit(1, (1 << 20, 1 << 20))",
    "more of anything, for itself": "load('resource').prlimit(0, 9, (1 << 40, 1 << 40))",
    "another user": "posix.setuid(12345)",
    "a user namespace": "call(272, 0x10000000)",
    "a mount": "check(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))",
    "another root": "posix.chroot('/')",
    "the host's name": "load('_socket').sethostname('x')",
    # The network.
    "an Internet socket": "load('_socket').socket(2, 1)",
    "a datagram socket": "load('_socket').socket(2, 2)",
    "a Unix socket": "load('_socket').socket(1, 1)",
    "the engine's own socket": "load('socket').socket(1).connect(SOCKET)",
    "a netlink socket": "load('_socket').socket(16, 3)",
    "a name on the network": "load('_socket').getaddrinfo('localhost', 80)",
    # The kernel.
    "io_uring": "call(425, 8, b'\\0' * 200)",
    "bpf": "call(321, 0, b'0' * 100, 100)",
    "userfaultfd": "call(323, 0)",
    "performance counters": "call(298, b'0' * 120, 0, -1, -1, 0)",
    "keys of the kernel": "call(248, b'user', b'x', b'y', 1, -3)",
    # Databases, which it does not have.
    "the databases by the engine's models": "module('appworld.apps.venmo.models').User.all()",
    "a record written by the engine's models": (
        "module('appworld.apps.simple_note.models').Note.create_save(user_id=1, title='x', content='y')"
    ),
}
"""What it tries -> an expression that must raise an exception."""

PATHS = (
    "/admin/main_users",
    "//admin/main_users",
    "//spotify/admin/main_users",
    "///spotify/dbs",
    "//spotify/dbs",
    "spotify/../admin/main_users",
    "/spotify/%2e%2e/admin/main_users",
    "/%61dmin/main_users",
    "/spotify/..%2fdbs",
    "/%2561dmin/main_users",
    "/dbs",
    "/date_time",
    "http://testserver/admin/main_users",
    "http://spotify/dbs",
    "/\\admin/main_users",
    "/spotify\t/../admin",
    "?/admin",
    "",
)
"""Ways to what is no documented API; all answer 404, but for what no URL can be."""

NO_CALLS = (
    "{'call': None}",
    "{'call': []}",
    "{'call': {'method': 'get', 'url': 7}}",
    "{'call': {'method': 'trace', 'url': '/spotify/songs'}}",
    "{'call': {'method': 'get', 'url': '/spotify/songs', 'params': [1]}}",
    "{'call': {'method': 'post', 'url': '/spotify/auth/token', 'data': 'x'}}",
    "{'call': {'method': 'get', 'url': '/spotify/songs', 'headers': [1]}}",
    "{'call': {'method': 'get', 'url': '/spotify/songs', 'headers': {'Authorization': 7}}}",
    "{'call': {'method': 'get', 'url': '/spotify/songs', 'headers': {'a\\nb': '\\ud800'}}}",
    "{'call': {'method': 'get', 'url': '/spotify/songs\\ud800'}}",
    "{'call': {'method': 'get', 'url': '/spotify/' + '%25' * 10000}}",
    "{'call': {'method': 'post', 'url': '/simple_note/notes', 'json': {'title': float('nan')}}}",
    "{'call': {'method': 'post', 'url': '/simple_note/notes', 'json': {'title': deep(60)}}}",
    "{'call': {'method': 'post', 'url': '/simple_note/notes', 'json': {'title': deep(900)}}}",
)
"""Messages that no Requester sends."""

ENDS = {
    "an abort": "posix.abort()",
    "a crash": "ctypes.string_at(0)",
    "a signal to itself": "posix.kill(posix.getpid(), 9)",
    "a signal without a name": "posix.kill(posix.getpid(), 35)",
    "stopping itself": "posix.kill(posix.getpid(), 19)",
    "leaving": "posix._exit(0)",
    "32-bit system calls": (
        "m = load('mmap').mmap(-1, 4096, prot=7)\n"
        "m.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\n"
        "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()"
    ),
    "a loop that lets no time-out through": (
        "while True:\n    try: sum(range(10**6))\n    except BaseException: pass"
    ),
    "a loop deaf to signals": "deaf()\nwait()",
    "closing its connection": "posix.close(wires()[0].fileno())\nwait()",
    "garbage on its connection": "send(b'no json\\n')\nwait()",
    "a line without end": "while True: send(b'x' * 65536)",
    "a line of 100 MB": "deaf()\nsend(b'[' * 100_000_000 + b'\\n')",
    "deep garbage": "send(b'[' * 1_000_000 + b'\\n')\nwait()",
    "calls without end": "deaf()\nwhile True: raw('get', '/spotify/songs')",
    "calls without end that take no answer": (
        "deaf()\nwhile True: wires()[0].send({'call': {'method': 'get', 'url': '/spotify/' + 'x' * 9000}})"
    ),
}
"""What ends the shell, or makes it useless: the model is told, and gets another."""


def setting(player: Player) -> str:
    """What an attacker may know: paths and process ids."""
    engine = player.process.parent()
    assert engine is not None
    socket = next(Path(word) / "engine.sock" for word in engine.cmdline() if "kate-appworld-" in word)
    truth = places.full_data(WORLD) / "tasks" / player.task / "ground_truth" / "evaluation.py"
    assert truth.is_file() and socket.exists()
    known = {
        "TASK": player.task,
        "TRUTH": str(truth),
        "AGENTS": str(places.agents_data(WORLD)),
        "ENGINE": engine.pid,
        "WORLD": player.world_pid,
        "HOST": os.getpid(),
        "SOCKET": str(socket),
        "TEMPORARY": tempfile.gettempdir(),
    }
    return PRELUDE + "".join(f"{name} = {value!r}\n" for name, value in known.items())


CHECK = "def check(got):\n    if got < 0: raise OSError(ctypes.get_errno(), 'C')\n    return got\n"


def attacks(expressions: dict[str, str]) -> str:
    """A block that tries each and reports all."""
    tried = ", ".join(f"{name!r}: attempt(lambda: {code})" for name, code in expressions.items())
    return f"{CHECK}builtins.print(json.dumps({{{tried}}}))"


@pytest.fixture(scope="module")
def bystander(open_player: Open, tasks: list[AppTask]) -> Player:
    """An honest session beside the attacked one."""
    player = open_player(tasks[1].id, step_seconds=10)
    player.run("counter = 7")
    return player


@pytest.fixture(scope="module")
def attacked(open_player: Open, task: str, bystander: Player) -> Player:
    player = open_player(task, step_seconds=10)
    assert player.run(setting(player)) == "Execution successful."
    return player


@pytest.fixture(scope="module")
def outcomes(attacked: Player) -> dict[str, str]:
    """What each refused attack got."""
    found: dict[str, str] = json.loads(attacked.run(attacks(REFUSED)))
    return found


def test_every_layer_is_there(attacked: Player) -> None:
    assert set(attacked.contained) == FORBIDDEN


@pytest.mark.parametrize("attack", REFUSED)
def test_refused(attack: str, outcomes: dict[str, str]) -> None:
    assert outcomes[attack].startswith("refused: "), outcomes[attack]
    # By a layer, not by the attack's own mistake.
    assert not re.match(r"refused: (NameError|TypeError|AttributeError|SyntaxError)", outcomes[attack])


@pytest.mark.parametrize("path", PATHS)
def test_only_documented_apis_can_be_called(path: str, attacked: Player) -> None:
    shown = attacked.run(f"print([raw(m, {path!r}).get('status') for m in ('get', 'post', 'delete')])")
    assert json.loads(shown) == [404, 404, 404], shown


@pytest.fixture(scope="module")
def miscalled(open_player: Open, task: str) -> set[str]:
    """The messages after which a step still runs and the world can still be saved."""

    def unharmed(messages: Sequence[str]) -> set[str]:
        player = open_player(task)
        survived = set()
        for message in messages:
            player.run(PRELUDE + "def deep(n):\n    return [deep(n - 1)] if n else 0\n")
            player.run(f"system.setrecursionlimit(3000)\nwires()[0].send({message})\nwires()[0].receive(1)")
            if player.run("print(1)") == "1\n":
                survived.add(message)
        return survived if player.ask(finish=True)["files"] else set()

    three = [NO_CALLS[start : start + 3] for start in range(0, len(NO_CALLS), 3)]
    with ThreadPoolExecutor(4) as pool:
        return set().union(*pool.map(unharmed, three))


@pytest.mark.parametrize("message", NO_CALLS)
def test_what_is_no_call_harms_no_world(message: str, miscalled: set[str]) -> None:
    assert message in miscalled


@dataclass(frozen=True)
class Ended:
    """What happened after a shell was ended."""

    reply: dict[str, Any]
    variable: str
    profile: str
    saved: bool
    old_shell: int


@pytest.fixture(scope="module")
def ended(open_player: Open, task: str) -> dict[str, Ended]:
    """What happened after each attack of ENDS, all tried at the same time."""

    def end(attack: str) -> Ended:
        player = open_player(task, step_seconds=1)
        player.run(PRELUDE + "mine = 1")
        reply = player.step(ENDS[attack])
        variable = player.run("print(mine)")
        profile = player.run("print(apis.supervisor.show_profile())")
        saved = bool(player.ask(finish=True)["files"])
        player.close()
        return Ended(reply, variable, profile, saved, player.shell_pid)

    with ThreadPoolExecutor(5) as pool:
        return dict(zip(ENDS, pool.map(end, ENDS), strict=True))


@pytest.mark.parametrize("attack", ENDS)
def test_a_shell_that_ends_is_replaced_and_the_world_goes_on(attack: str, ended: dict[str, Ended]) -> None:
    found = ended[attack]
    assert found.reply["lost"] and not found.reply["over"], found.reply
    assert found.reply["output"].startswith("Execution failed: ")
    assert "NameError: name 'mine'" in found.variable
    assert "email" in found.profile and found.saved
    assert not psutil.pid_exists(found.old_shell)


def test_a_session_loses_three_shells_at_most(open_player: Open, task: str) -> None:
    player = open_player(task)
    over = [player.step("__import__('posix')._exit(0)")["over"] for _ in range(4)]
    assert over == [False, False, False, True]
    assert not player.verdict()["success"]


def test_a_task_can_be_solved_after_its_shell_has_ended(
    open_player: Open, task: str, solution: Solution
) -> None:
    player = open_player(task, step_seconds=30)
    player.run("__import__('posix').abort()")
    for step in solution(task):
        player.run(step)
    assert player.verdict()["success"]


MEMORY = {
    "a list of 2 GB": "x = [0] * 250_000_000",
    "a text of 2 GB": "x = 'x' * 2_000_000_000",
    "a list that grows": "x = []\nwhile True: x.append(' ' * 10_000_000)",
    "a number that grows": "x = 10 ** 10 ** 10",
}


def test_too_much_memory_is_an_error_of_the_code(open_player: Open, task: str) -> None:
    player = open_player(task, step_seconds=2)
    for code in MEMORY.values():
        shown = player.run(code)
        assert "MemoryError" in shown or "timed out" in shown or "did not end" in shown
        player.run("x = None")
    assert player.run("print(1)").strip()


def test_output_is_cut(open_player: Open, task: str) -> None:
    player = open_player(task, step_seconds=3, max_output=1000)
    for code in ("print('x' * 20_000_000)", "raise ValueError('x' * 20_000_000)"):
        assert len(player.run(code)) < 1500
    assert len(player.run("while True: print('x' * 100)")) < 1500


def test_a_forged_output_fools_only_the_model_itself(
    open_player: Open, task: str, solution: Solution
) -> None:
    player = open_player(task)
    player.run(PRELUDE)
    forged = player.step(
        "wires()[0].send({'output': 'forged', 'completed': True, 'lost': None, 'over': False, 'files': {}})"
    )
    assert forged["output"] == "forged" and not forged["completed"]
    assert not player.verdict()["success"]


def test_nothing_runs_between_steps(open_player: Open, task: str) -> None:
    player = open_player(task)
    player.run(
        PRELUDE + "made = []\nload('signal').signal(14, lambda *_: made.append(raw('get', '/spotify/songs')))"
    )
    player.run("signal_.setitimer(0, 0.3, 0.3)")
    shell = psutil.Process(player.shell_pid)
    deadline = time.monotonic() + 10
    while shell.status() != psutil.STATUS_STOPPED and time.monotonic() < deadline:
        time.sleep(0.02)  # the system stops it a moment after it was told to
    time.sleep(0.5)  # time for the timer, if it could run
    assert shell.status() == psutil.STATUS_STOPPED


def test_broken_builtins_break_only_the_shell(open_player: Open, task: str, solution: Solution) -> None:
    player = open_player(task, step_seconds=30)
    for step in solution(task):
        player.run(step)
    player.run("for name in ('sorted', 'len', 'dict', 'isinstance'): delattr(builtins, name)")
    assert player.verdict()["success"]


def test_a_patched_evaluator_changes_no_verdict(open_player: Open, task: str) -> None:
    player = open_player(task)
    player.run(
        "evaluator = builtins.__import__('appworld.evaluator', fromlist=['x'])\n"
        "evaluator.TestTracker.success = True\n"
        "evaluator.evaluate_task = lambda **_: None\n"
        "apis.supervisor.complete_task()"
    )
    assert not player.verdict()["success"]


def test_the_shell_s_memory_holds_no_ground_truth_and_no_database(open_player: Open, task: str) -> None:
    """But for what the engine's warm-up has left of one task's supervisor, in Python's own free memory."""
    player = open_player(task)
    evaluation = places.full_data(WORLD) / "tasks" / task / "ground_truth" / "evaluation.py"
    truth = max(evaluation.read_bytes().splitlines(), key=len).strip()
    owners = _passwords()
    memory = b"\0".join(_memory(player.shell_pid))
    assert b"kate_engine" in memory
    assert truth not in memory
    assert (
        len({owner for password, owner in owners.items() if password.encode() in memory}) <= 1 < len(owners)
    )


def _passwords() -> dict[str, str]:
    """Some app's users' passwords -> whose they are."""
    file = places.full_data(WORLD) / "base_dbs" / "venmo.db"
    with contextlib.closing(sqlite3.connect(file)) as database:
        return dict(database.execute("SELECT password, email FROM users LIMIT 30"))


def _memory(pid: int) -> list[bytes]:
    """What a process can write to, piece by piece."""
    found = []
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            where, rights = line.split()[:2]
            if rights.startswith("rw"):
                start, end = (int(part, 16) for part in where.split("-"))
                memory.seek(start)
                found.append(memory.read(end - start) or b"")
    return found


def test_after_all_attacks_the_attacked_session_still_succeeds(
    attacked: Player, outcomes: dict[str, str], solution: Solution
) -> None:
    for step in solution(attacked.task):
        attacked.run(step)
    assert attacked.verdict()["success"]


def test_after_all_attacks_the_bystander_has_noticed_nothing(bystander: Player, solution: Solution) -> None:
    assert bystander.run("print(counter)") == "7\n"
    for step in solution(bystander.task):
        bystander.run(step)
    assert bystander.verdict()["success"]


def test_after_all_attacks_nothing_is_left(attacked: Player, bystander: Player) -> None:
    left = [process for process in engine_processes() if process.status() == psutil.STATUS_STOPPED]
    assert len(left) <= 20  # the shells of sessions that are still open
    assert not list(Path(tempfile.gettempdir()).glob("kate-attack*"))
    assert not list(Path("/dev/shm").glob("*kate-attack*"))


def test_a_shell_inherits_nothing_open_but_its_connection(open_player: Open, task: str) -> None:
    player = open_player(task)
    code = """
    import os
    for number in range(3, 256):
        try:
            print(oct(os.fstat(number).st_mode & 0o170000))
        except OSError:
            pass
    """
    kinds = set(player.run(textwrap.dedent(code)).split())
    assert kinds <= {"0o140000"}, kinds  # sockets: its own connection, and IPython's to itself


def test_limits_of_others_are_out_of_reach_by_any_pointer(open_player: Open, task: str) -> None:
    player = open_player(task)
    # A filter that looked at half of the pointer would take one that ends in zeros for none.
    code = """
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    page = libc.mmap(0x100000000, 4096, 3, 0x32, -1, 0)
    libc.syscall.argtypes = [ctypes.c_long] * 5
    print(hex(page), [libc.syscall(302, pid, 7, page, 0) for pid in PIDS])
    """
    pids = [player.world_pid, os.getpid(), 0]
    code = textwrap.dedent(code).replace("PIDS", str(pids))
    assert player.run(PRELUDE + code).strip() == "0x100000000 [-1, -1, -1]"
