"""`python -m tests.journeys.crowded up …`: `rollout up` on a small disk, which can be made full.

Where the kernel lets a user have one (Linux, mostly), the folder of --data is a file system of a
few megabytes in the process's own view; elsewhere the kernel lets no file of the process grow.
SIGUSR1 fills what is left of it, SIGUSR2 makes room again. Its first line tells which it is.
"""

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

LAUNCHER = ("tests.journeys.crowded",)
OWN_DISK, LIMITED = "a disk of its own", "files that may not grow"

_SIZE = "8m"
_BLOCK = bytes(4096)
_NEW_USERS, _NEW_MOUNTS = 0x10000000, 0x00020000
_PRIVATE, _AND_BELOW = 1 << 18, 1 << 14


def mounted(folder: Path) -> bool:
    """Put a small file system there, seen by this process alone, with the token that was there."""
    token = (folder / "token").read_text()
    user, group = os.getuid(), os.getgid()
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        _done(libc.unshare(_NEW_USERS | _NEW_MOUNTS))
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        _done(libc.mount(b"none", b"/", None, _PRIVATE | _AND_BELOW, None))
        _done(libc.mount(b"small", bytes(folder), b"tmpfs", 0, f"size={_SIZE}".encode()))
    except (OSError, AttributeError):  # not on this machine
        return False
    (folder / "token").touch(mode=0o600)
    (folder / "token").write_text(token)
    return True


def _done(answer: int) -> None:
    if answer:
        raise OSError(ctypes.get_errno(), "the kernel says no")


def _fill(folder: Path) -> None:
    """Leave no byte."""
    with suppress(OSError), (folder / "filler").open("ab", buffering=0) as filler:
        while True:
            filler.write(_BLOCK)


def _limit(most: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))


if __name__ == "__main__":
    data = Path(sys.argv[sys.argv.index("--data") + 1])
    if mounted(data):
        sys.stdout.write(f"{OWN_DISK}\n")
        signal.signal(signal.SIGUSR1, lambda *_: _fill(data))
        signal.signal(signal.SIGUSR2, lambda *_: (data / "filler").unlink())
    else:
        sys.stdout.write(f"{LIMITED}\n")
        signal.signal(signal.SIGUSR1, lambda *_: _limit(0))
        signal.signal(signal.SIGUSR2, lambda *_: _limit(resource.RLIM_INFINITY))
    sys.stdout.flush()

    from rollout.__main__ import main
    from tests.journeys.mortal import hurry

    hurry()
    main()
