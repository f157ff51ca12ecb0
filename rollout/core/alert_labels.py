"""Which labels of an alert name endpoint, deployment, severity and rule, and what words mean."""

from collections.abc import Mapping
from typing import Self

from pydantic import Field

from rollout.core.alerts import AlertSeverity
from rollout.core.frozen import Frozen
from rollout.errors import Malformed

_DEFAULT_WORDS: Mapping[str, AlertSeverity] = {
    "critical": AlertSeverity.SEV1,
    "warning": AlertSeverity.SEV2,
    "info": AlertSeverity.SEV3,
}


class AlertLabels(Frozen):
    """The names of the labels, and the severity that each word stands for."""

    endpoint: str = "endpoint"
    deployment: str = "deployment"
    severity: str = "severity"
    rule: str = "alertname"
    words: Mapping[str, AlertSeverity] = Field(default_factory=lambda: dict(_DEFAULT_WORDS))

    def __str__(self) -> str:
        labels = self.model_dump(exclude={"words"})
        return ", ".join(f"{name}={value}" for name, value in {**labels, **self.words}.items())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `endpoint=ml_endpoint, page=Sev0`: a label's name, or what a word means."""
        labels: dict[str, str] = {}
        words = dict(_DEFAULT_WORDS)
        for part in filter(None, (one.strip() for one in text.split(","))):
            name, equals, value = (one.strip() for one in part.partition("="))
            if not (name and equals and value):
                raise Malformed(f"{part!r}: write NAME=LABEL or WORD=Sev0 to Sev4, with commas")
            if name in cls.model_fields and name != "words":
                labels[name] = value
            elif value in set(AlertSeverity):
                words[name.lower()] = AlertSeverity(value)
            else:
                raise Malformed(
                    f"{part!r}: {name} is no label that is looked for (endpoint, deployment,"
                    f" severity, rule), and {value} is no severity (Sev0 to Sev4)"
                )
        return cls(words=words, **labels)
