"""Which implementation stands behind each port; each is made once a process, when first asked.

What an implementation needs is imported where it is made: a function that starts pays for nothing
that it does not use.
"""

from rollout.wiring.doors import api, arrivals, doctor, engine
from rollout.wiring.kept import embedded_queue, policies, queue, retention, samples, store
from rollout.wiring.keys import rotations, secrets
from rollout.wiring.people import desk, post
from rollout.wiring.process import clock, settings, telemetry
from rollout.wiring.reading import outgoing, sources

__all__ = [
    "api",
    "arrivals",
    "clock",
    "desk",
    "doctor",
    "embedded_queue",
    "engine",
    "outgoing",
    "policies",
    "post",
    "queue",
    "retention",
    "rotations",
    "samples",
    "secrets",
    "settings",
    "sources",
    "store",
    "telemetry",
]
