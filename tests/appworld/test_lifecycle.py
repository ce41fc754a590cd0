"""Nothing outlives its sample, its eval or its host; what dies is noticed, counted and replaced."""

import gc
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import anyio
import psutil
import pytest
from anyio.from_thread import BlockingPortal
from inspect_ai.log import EvalLog
from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver

from kate_eval.appworld import sessions
from kate_eval.appworld.data import AppTask
from kate_eval.appworld.play import open_appworld
from kate_eval.appworld.sessions import Limits
from kate_eval.errors import EngineError
from kate_eval.tasks.appworld import appworld
from tests.appworld.conftest import SPLIT, WORLD, Open, engine_processes
from tests.conftest import Scripted, output

pytestmark = [pytest.mark.attacks, pytest.mark.xdist_group("appworld-evals")]

PRINT = "```python\nprint(1)\n```"
DONE = "```python\napis.supervisor.complete_task()\n```"
Run = Callable[..., EvalLog]


def folders(pid: int) -> list[Path]:
    """The scratch folders of a host's engines."""
    return list(Path(tempfile.gettempdir()).glob(f"kate-appworld-{pid}-*"))


def left_of(pid: int) -> list[str]:
    """What a host's engines have left: their folders' sessions, and processes that know them."""
    known = [str(session) for folder in folders(pid) for session in folder.glob("session-*")]
    for process in psutil.process_iter(["cmdline", "pid"]):
        if any(f"kate-appworld-{pid}-" in word for word in process.info["cmdline"] or ()):
            known.append(f"process {process.pid}")
    return known


def soon(condition: Callable[[], object], seconds: float = 60) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def nothing_left(portal: BlockingPortal) -> Iterator[None]:
    """After the test this process has as many engine processes and sessions as before."""
    before = len(engine_processes()), len(left_of(os.getpid()))
    descriptors = psutil.Process().num_fds()
    yield
    gc.collect()
    # An engine that was started meanwhile may stay: one process, known by one folder.
    assert soon(lambda: len(engine_processes()) <= max(1, before[0])), engine_processes()
    assert soon(lambda: len(left_of(os.getpid())) <= max(1, before[1])), left_of(os.getpid())
    assert psutil.Process().num_fds() <= descriptors + 12


def scripted(reply: Callable[[int], str]) -> Scripted:
    """A model that answers by how many answers it has given."""

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        return output(reply(sum(message.role == "assistant" for message in messages)))

    return Scripted(answer)


@solver
def broken() -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        raise ValueError("the solver is broken")

    return solve


ENDINGS = {
    "success": lambda run: run(appworld(SPLIT), scripted(lambda n: DONE).model(), limit=2),
    "an error in the solver": lambda run: run(appworld(SPLIT), "mockllm/model", solver=broken(), limit=2),
    "a message limit": lambda run: run(
        appworld(SPLIT), scripted(lambda n: PRINT).model(), limit=1, message_limit=5
    ),
    "a time limit in a step": lambda run: run(
        appworld(SPLIT, sample_seconds=1),
        scripted(lambda n: "```python\nwhile True: pass\n```").model(),
        limit=1,
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left_after(ending: str, run: Run, nothing_left: None) -> None:
    ENDINGS[ending](run)


def test_nothing_is_left_after_a_cancellation(
    portal: BlockingPortal, tasks: list[AppTask], nothing_left: None
) -> None:
    async def cancelled() -> None:
        with anyio.move_on_after(0.5):
            episode = await open_appworld(WORLD, tasks[0], Limits(step_seconds=60), 5)
            try:
                episode.next_turn()
                await episode.step(episode.encode([], "x"))
                await anyio.sleep(60)
            finally:
                with anyio.CancelScope(shield=True):
                    await episode.close()

    portal.call(cancelled)
    assert portal.call(_borrowed) == 0


async def _borrowed() -> int:
    return sessions.slots().borrowed_tokens


SIGNALS = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM, "SIGKILL": signal.SIGKILL}


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
    """A host for each signal, all in the middle of a step that does not end."""
    folder = str(tmp_path_factory.mktemp("hosts"))
    command = [sys.executable, "-m", "tests.appworld.host", folder, "while True: __import__('time').sleep"]
    running = {
        name: subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            # A suite that runs in the background ignores interrupts, and what it starts would too.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        for name in SIGNALS
    }
    for host in running.values():
        # Before it Inspect names its version and hooks.
        assert host.stdout is not None and b"playing\n" in iter(host.stdout.readline, b"")
    time.sleep(0.5)
    yield running
    for host in running.values():
        host.kill()
        host.communicate()


@pytest.mark.parametrize("name", SIGNALS)
def test_nothing_is_left_after_the_host_s_end_by(
    name: str, hosts: dict[str, "subprocess.Popen[bytes]"]
) -> None:
    host = hosts[name]
    assert left_of(host.pid)
    host.send_signal(SIGNALS[name])
    host.wait(20)
    assert soon(lambda: not left_of(host.pid)), left_of(host.pid)
    assert soon(lambda: not folders(host.pid)), folders(host.pid)


def test_a_killed_world_is_an_error_of_its_sample_and_others_score(
    run: Run, tasks: list[AppTask], nothing_left: None
) -> None:
    killed: list[int] = []
    before = {process.pid for process in engine_processes()}

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        said = sum(message.role == "assistant" for message in messages)
        first = any(tasks[0].instruction in message.text for message in messages)
        if first and said == 1:
            # The processes with threads are worlds (their clients run one); only this sample has a new one.
            new = [process for process in engine_processes() if process.pid not in before]
            for world in (process for process in new if process.num_threads() > 1):
                killed.append(world.pid)
                world.kill()
        return output(DONE if said else PRINT)

    log = run(appworld(SPLIT), Scripted(answer).model(), limit=2, max_samples=1)
    assert len(killed) == 1
    assert log.samples is not None
    failed, other = log.samples
    assert failed.error is not None and "world is gone: it was ended by SIGKILL" in failed.error.message
    verdict = (failed.scores or {}).get("appworld_verdict")
    assert verdict is None or math.isnan(float(str(verdict.value)))
    assert (other.scores or {})["appworld_verdict"].value == "I"


def test_a_shell_that_is_killed_in_a_step_is_replaced_and_the_model_is_told(
    open_player: Open, tasks: list[AppTask]
) -> None:
    player = open_player(tasks[0].id, step_seconds=30)
    killer = subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -9 {player.shell_pid}"])
    reply = player.step("while True: pass")
    killer.wait()
    assert "SIGKILL" in reply["lost"] and "variables" in reply["output"] and not reply["over"]
    assert player.run("print(1)") == "1\n"


def test_a_step_that_the_host_gave_up_on_does_not_answer_the_next(
    open_player: Open, tasks: list[AppTask], portal: BlockingPortal
) -> None:
    player = open_player(tasks[0].id, step_seconds=30)

    async def give_up() -> None:
        with anyio.move_on_after(0.5):
            await player.session.ask(60, code="while True: print('old')")

    portal.call(give_up)
    assert player.run("print('new')") == "new\n"


def test_a_killed_engine_ends_its_sessions_and_is_started_again(
    open_player: Open, tasks: list[AppTask]
) -> None:
    player = open_player(tasks[0].id)
    engine = player.process.parent()
    assert engine is not None
    pids = [player.process.pid, player.world_pid, player.shell_pid]
    engine.kill()
    # First: a session may answer once more in the moment before the system ends it.
    assert soon(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    with pytest.raises(EngineError, match=r"has ended|connection .* broke"):
        player.run("print(1)")
    assert soon(lambda: not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE)
    assert open_player(tasks[0].id).run("print(1)") == "1\n"


def test_two_engines_at_once_know_nothing_of_each_other(open_player: Open, tasks: list[AppTask]) -> None:
    player = open_player(tasks[0].id)
    code = (
        "import anyio\n"
        "from kate_eval.appworld import sessions as s\n"
        "async def main():\n"
        f"    session = await s.open_session({WORLD!r}, {tasks[1].id!r}, s.Limits())\n"
        "    print((await session.ask(60, code='print(2)'))['output'])\n"
        "anyio.run(main)\n"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=90, check=True
    )
    assert other.stdout.split() == ["2"]
    assert player.run("print(1)") == "1\n"


def test_no_more_sessions_are_open_than_there_are_slots(
    portal: BlockingPortal, tasks: list[AppTask], nothing_left: None
) -> None:
    async def play() -> int:
        sessions.slots().total_tokens = 2
        most = 0

        async def one(task: AppTask) -> None:
            nonlocal most
            episode = await open_appworld(WORLD, task, Limits(), 5)
            most = max(most, int(sessions.slots().borrowed_tokens))
            await anyio.sleep(0.2)
            await episode.close()

        async with anyio.create_task_group() as group:
            for task in [*tasks, *tasks]:
                group.start_soon(one, task)
        sessions.slots().total_tokens = sessions.session_limit()
        return most

    assert portal.call(play) == 2


def test_an_unknown_task_is_refused_and_nothing_is_left(portal: BlockingPortal, nothing_left: None) -> None:
    with pytest.raises(EngineError, match="doesn't exist"):
        portal.call(sessions.open_session, WORLD, "nothing_1", Limits())


def test_an_eval_runs_in_the_loop_of_another(run: Run, open_player: Open, tasks: list[AppTask]) -> None:
    player = open_player(tasks[0].id)
    player.run("x = 1")
    run(appworld(SPLIT), scripted(lambda n: DONE).model(), limit=1)
    assert player.run("print(x)") == "1\n"
