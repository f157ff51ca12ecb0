"""`python -m tests.journeys.stinted up …`: `rollout up` whose disk can be made to take no more.

SIGUSR1 lets the kernel refuse whatever this process would write to a file; SIGUSR2 ends that.
"""

import resource
import signal

from rollout.__main__ import main

LAUNCHER = ("tests.journeys.stinted",)


def _allow(most: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, lambda *_: _allow(0))
    signal.signal(signal.SIGUSR2, lambda *_: _allow(resource.RLIM_INFINITY))
    main()
