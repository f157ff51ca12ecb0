"""What is logged: one line each, with what was being worked on, and without secrets."""

import json
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from rollout import signals

ROOT = "rollout"
FOREIGN = ("azure", "urllib3", "msal", "aiohttp", "opentelemetry")
"""Libraries that tell of every request, some with its headers; of them only warnings are kept."""

_AFTER_ITS_NAME = re.compile(
    r"(?i)(bearer\s+|sig=|accountkey=|sharedaccesskey=|accesskey=|"
    r"(?:secret|password|token|code|key)[\"']?\s*[=:]\s*[\"']?)[^\s&;,\"']{6,}"
)
_BY_ITS_SHAPE = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|\bgh[opsur]_\w{16,}")
"""Signed tokens, and those of GitHub."""


class Blotter:
    """Takes out every secret that is known, and whatever looks like one."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _BY_ITS_SHAPE.sub("***", _AFTER_ITS_NAME.sub(r"\1***", text))


class Lines(logging.Formatter):
    """For people: `time level logger: message`, then what it is about."""

    def __init__(self, blot: Blotter) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._blot = blot

    def format(self, record: logging.LogRecord) -> str:
        record = logging.makeLogRecord(record.__dict__)
        record.exc_text = None
        told = " ".join(f"{name}={value}" for name, value in signals.subject().items())
        return self._blot(super().format(record) + (f"  [{told}]" if told else ""))


class JsonLines(logging.Formatter):
    """For machines: one JSON object a line."""

    def __init__(self, blot: Blotter) -> None:
        super().__init__()
        self._blot = blot

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **signals.subject(),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            told["stack"] = self.formatStack(record.stack_info)
        blotted = {name: self._blot(value) for name, value in told.items()}
        return json.dumps(blotted, ensure_ascii=False)


def configure(formatter: logging.Formatter, level: str) -> None:
    """How our lines look; libraries are heard from WARNING on.

    Where the platform has handlers of its own they get the form, so that no line is there twice.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for handler in root.handlers:
        handler.setFormatter(formatter)
    logging.getLogger(ROOT).setLevel(level.upper())
    for name in FOREIGN:
        logging.getLogger(name).setLevel(logging.WARNING)
