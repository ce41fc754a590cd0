"""What keeps a model's code in: limits, no files, no network, no processes. For the caller, for good.

Linux, without privileges: Landlock (no file is writable; readable are Python's own), seccomp (no sockets,
processes, threads, signals to others, or changes of files' attributes), no capabilities. Elsewhere only the
resource limits hold, and `contain` says so by leaving the others out.
Sources: landlock(7), seccomp(2), and the kernel's syscall tables for x86_64 and aarch64.
"""

import contextlib
import ctypes
import os
import platform
import resource
import site
import stat
import struct
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from kate_engine.process import limit

LAYERS = ("rlimits", "landlock", "seccomp", "no_capabilities")
"""All layers, by the names that `contain` returns."""
MAX_OPEN_FILES = 256
MAX_CPU_SECONDS = 3600

_LANDLOCK_CREATE, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT = 444, 445, 446
_PATH_BENEATH = 1
_READ = (1 << 2) | (1 << 3)
_NO_NEW_PRIVS, _SET_SECCOMP, _SECCOMP_FILTER = 38, 22, 2
_CAPSET = {"x86_64": 126, "aarch64": 91}
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Name -> (x86_64, aarch64); None where the architecture has no such call.
_DENIED: dict[str, tuple[int | None, int | None]] = {
    **{"socket": (41, 198), "connect": (42, 203), "accept": (43, 202), "accept4": (288, 242)},
    **{"bind": (49, 200), "listen": (50, 201)},
    # Threads too: they would run on while the shell is between steps, and exhaust the system's process ids.
    **{
        "fork": (57, None),
        "vfork": (58, None),
        "clone": (56, 220),
        "execve": (59, 221),
        "execveat": (322, 281),
    },
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
    **{"tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240)},
    **{"pidfd_send_signal": (424, 424), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438)},
    **{"unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39)},
    **{"pivot_root": (155, 41), "chroot": (161, 51), "bpf": (321, 280), "perf_event_open": (298, 241)},
    **{"userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426)},
    **{"io_uring_register": (427, 427), "keyctl": (250, 219), "add_key": (248, 217)},
    **{"request_key": (249, 218), "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190)},
    # What others have made, by guessed numbers: the user is the same.
    **{
        "shmat": (30, 196),
        "shmctl": (31, 195),
        "msgsnd": (69, 189),
        "msgrcv": (70, 188),
        "msgctl": (71, 187),
    },
    **{"semop": (65, 193), "semtimedop": (220, 192), "semctl": (66, 191), "mq_unlink": (241, 181)},
    **{"setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setparam": (142, 118)},
    **{"sched_setscheduler": (144, 119), "sched_setattr": (314, 274), "sched_setaffinity": (203, 122)},
    **{"migrate_pages": (256, 238), "move_pages": (279, 239), "sync": (162, 81), "syncfs": (306, 267)},
    **{"mq_open": (240, 180), "setrlimit": (160, 164), "personality": (135, 92), "reboot": (169, 142)},
    **{"init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106)},
    **{"kexec_load": (246, 104), "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264)},
    **{"memfd_create": (319, 279), "setsid": (112, 157), "setpgid": (109, 154)},
    **{"chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452)},
    **{"chown": (92, None), "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54)},
    **{"utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88)},
    **{"setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7)},
    **{"removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16)},
}
_NOT_THERE = {"clone3": (435, 435)}
"""Answered with ENOSYS: the C library then uses clone."""
_KILL, _TGKILL = (62, 129), (234, 131)
_PRLIMIT, _PRCTL, _FCNTL, _IOCTL = (302, 261), (157, 167), (72, 25), (16, 29)
_PR_SET_PDEATHSIG = 1
_SET_OWNER = {_FCNTL: (8, 10, 15), _IOCTL: (0x8901, 0x8902)}
"""Who gets a connection's signals, and which: by these the kernel would signal any process of the user's."""

_libc = ctypes.CDLL(None, use_errno=True)


def contain(memory_bytes: int) -> list[str]:
    """Give up what a model's code must not have.

    Args:
        memory_bytes: address space that the process may have in all.

    Returns:
        The layers that hold; of LAYERS.

    Raises:
        RuntimeError: other threads run, which the kernel would leave outside, or a file is open.
    """
    _refuse_open_files()
    _limit(memory_bytes)
    held = ["rlimits"]
    if sys.platform != "linux":
        return held
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - names are all that is needed
        raise RuntimeError("only a process with a single thread can be contained")
    _be_first_to_go()
    _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    layers = (("no_capabilities", _drop_capabilities), ("landlock", _landlock), ("seccomp", _seccomp))
    return [*held, *(name for name, apply in layers if apply())]


def keep_only(*descriptors: int) -> None:
    """Close everything else that is open, but for the standard streams."""
    kept = sorted({0, 1, 2, *descriptors})
    for number, following in zip(kept, [*kept[1:], 1 << 20], strict=True):
        os.closerange(number + 1, following)


def _refuse_open_files() -> None:
    """No layer holds for what is open already."""
    for number in range(3, MAX_OPEN_FILES):
        with contextlib.suppress(OSError):
            if stat.S_ISREG(mode := os.fstat(number).st_mode) or stat.S_ISDIR(mode):
                raise RuntimeError(f"file descriptor {number} is an open file or folder")


def _limit(memory_bytes: int) -> None:
    limit(resource.RLIMIT_AS, memory_bytes)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, 0)
    limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    limit(resource.RLIMIT_CPU, MAX_CPU_SECONDS)


def _be_first_to_go() -> None:
    """Where memory runs out, the kernel ends a model's code before anything else."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def readable() -> list[Path]:
    """The folders that Python itself needs: its library, its packages, time zones."""
    paths = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), *site.getsitepackages()}
    found = {Path(path).resolve() for path in (*paths, "/usr/share/zoneinfo")}
    # A Python under /usr would open all of /usr: of a system's Python only the libraries are needed.
    system = {Path("/"), Path("/usr"), Path("/usr/local"), Path("/usr/bin"), Path("/usr/local/bin")}
    return sorted(path for path in found if path.is_dir() and path not in system)


def _landlock() -> bool:
    abi = _libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if abi < 1:
        return False
    files = (1 << 13) - 1
    for version, bit in ((2, 13), (3, 14), (5, 15)):
        files |= (1 << bit) if abi >= version else 0
    # Files; from version 4 TCP; from version 6 abstract sockets and signals beyond this process.
    attributes = struct.pack("=QQQ", files, 3, 3)[: 8 + 8 * (abi >= 4) + 8 * (abi >= 6)]
    ruleset = _libc.syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    for path in readable():
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        _libc.syscall(_LANDLOCK_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", _READ, folder), 0)
        os.close(folder)
    held = bool(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0)
    os.close(ruleset)
    return held


def _drop_capabilities() -> bool:
    number = _CAPSET.get(platform.machine())
    header, none = struct.pack("=Ii", 0x20080522, 0), struct.pack("=6I", *[0] * 6)
    return number is not None and bool(_libc.syscall(number, header, none) == 0)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def _seccomp() -> bool:
    machine = platform.machine()
    if machine not in _AUDIT_ARCH:
        return False
    code = b"".join(_filter(machine))
    program = _Program(len(code) // 8, code)
    return int(_libc.prctl(_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(program), 0, 0)) == 0


_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _filter(machine: str) -> Iterator[bytes]:
    column = 0 if machine == "x86_64" else 1
    yield _op(_LOAD, _ARCH)
    yield _op(_EQUAL, _AUDIT_ARCH[machine], 1, 0) + _op(_RETURN, _KILL_PROCESS)
    yield _op(_LOAD, _NUMBER)
    if machine == "x86_64":  # the x32 calls have numbers of their own
        yield _op(_AT_LEAST, 0x40000000, 0, 1) + _op(_RETURN, _ERRNO | _EPERM)
    for calls, error in ((_DENIED, _EPERM), (_NOT_THERE, _ENOSYS)):
        for numbers in calls.values():
            number = numbers[column]
            if number is not None:
                yield _op(_EQUAL, number, 0, 1) + _op(_RETURN, _ERRNO | error)
    own = os.getpid()
    yield _unless(_KILL[column], 0, _EQUAL, own)
    yield _unless(_TGKILL[column], 0, _EQUAL, own)
    yield _unless_null(_PRLIMIT[column], 2)
    yield _only_if(_PRCTL[column], 0, _EQUAL, _PR_SET_PDEATHSIG)
    for call, commands in _SET_OWNER.items():
        for command in commands:
            yield _only_if(call[column], 1, _EQUAL, command)
    yield _op(_RETURN, _ALLOW)


def _unless(number: int, argument: int, test: int, value: int) -> bytes:
    """Deny a call unless its argument (the low 32 bits) passes the test."""
    body = _op(_LOAD, _FIRST_ARGUMENT + 8 * argument) + _op(test, value, 1, 0)
    return _op(_EQUAL, number, 0, 4) + body + _op(_RETURN, _ERRNO | _EPERM) + _op(_LOAD, _NUMBER)


def _unless_null(number: int, argument: int) -> bytes:
    """Deny a call unless its argument, a pointer, is null in both its halves."""
    low, high = _FIRST_ARGUMENT + 8 * argument, _FIRST_ARGUMENT + 8 * argument + 4
    body = _op(_LOAD, low) + _op(_EQUAL, 0, 0, 2) + _op(_LOAD, high) + _op(_EQUAL, 0, 1, 0)
    return _op(_EQUAL, number, 0, 6) + body + _op(_RETURN, _ERRNO | _EPERM) + _op(_LOAD, _NUMBER)


def _only_if(number: int, argument: int, test: int, value: int) -> bytes:
    """Deny a call if its argument (the low 32 bits) passes the test."""
    body = _op(_LOAD, _FIRST_ARGUMENT + 8 * argument) + _op(test, value, 0, 1)
    return _op(_EQUAL, number, 0, 4) + body + _op(_RETURN, _ERRNO | _EPERM) + _op(_LOAD, _NUMBER)
