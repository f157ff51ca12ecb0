"""How an endpoint's requests are split: live shares, and copies for one deployment."""

from collections.abc import Mapping
from typing import Self

from pydantic import Field, field_validator, model_validator

from rollout.core.frozen import Frozen

MIRROR_MAX = 50


class Traffic(Frozen):
    """Live shares and mirrored copies in percent, by deployment; a zero share is left out.

    The rules are the platform's: live shares add up to 100, or to 0 when nothing serves; at most
    one deployment is mirrored to, with at most 50 %, and it has no live share.
    """

    live: Mapping[str, int] = Field(default_factory=dict)
    mirror: Mapping[str, int] = Field(default_factory=dict)

    @field_validator("live", "mirror")
    @classmethod
    def _without_zeros(cls, shares: Mapping[str, int]) -> Mapping[str, int]:
        if any(not 0 <= share <= 100 for share in shares.values()):
            raise ValueError(f"a share is from 0 to 100 percent: {dict(shares)}")
        return {name: share for name, share in sorted(shares.items()) if share}

    @model_validator(mode="after")
    def _platform_rules(self) -> Self:
        total = sum(self.live.values())
        if total not in {0, 100}:
            raise ValueError(f"traffic must add up to 100, not {total}: {dict(self.live)}")
        if len(self.mirror) > 1 or any(share > MIRROR_MAX for share in self.mirror.values()):
            raise ValueError(f"mirror at most {MIRROR_MAX} % to one deployment: {self.mirror}")
        if self.mirror.keys() & self.live.keys():
            raise ValueError(f"a mirrored deployment has no live traffic: {self}")
        return self

    @classmethod
    def all_to(cls, deployment: str) -> Self:
        return cls(live={deployment: 100})

    def share(self, deployment: str | None) -> int:
        """The deployment's live share in percent."""
        return self.live.get(deployment, 0) if deployment else 0

    def reaches(self, deployment: str) -> bool:
        """Whether any request, live or copied, goes to the deployment."""
        return bool(self.live.get(deployment) or self.mirror.get(deployment))

    def mirrored_to(self, deployment: str, percent: int) -> Self:
        return type(self)(live=self.live, mirror={deployment: percent})

    def on_the_way_to(self, goal: Self, canary: str) -> Self:
        """The next map to ask for: never does a canary change between live and mirror at once.

        A mirror is cleared, and seen cleared, before the first live weight; a live weight before
        the mirror.
        """
        if canary in self.mirror and canary in goal.live:
            return type(self)(live=self.live)
        if canary in self.live and canary in goal.mirror:
            return type(self)(live=goal.live)
        return goal

    def with_canary(self, canary: str, baseline: str | None, weight: int) -> Self:
        """The canary's weight is taken from the baseline alone; all others keep their shares.

        Where other deployments serve too, the weight is a part of the baseline's share, rounded
        down but never to nothing.
        """
        mirror = {name: share for name, share in self.mirror.items() if name != canary}
        if baseline is None:
            return type(self)(live={canary: 100}, mirror=mirror)
        pool = self.share(baseline) + self.share(canary)
        part = max(1, pool * weight // 100) if weight else 0
        live = {**self.live, canary: part, baseline: pool - part}
        return type(self)(live=live, mirror=mirror)

    def __str__(self) -> str:
        parts = [f"{name} {share} %" for name, share in self.live.items()] or ["nothing live"]
        parts += [f"mirror {name} {share} %" for name, share in self.mirror.items()]
        return ", ".join(parts)
