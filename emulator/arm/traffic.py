"""The rules a traffic map keeps."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from emulator.arm.lenient import mapping, whole
from emulator.arm.refusals import bad_request

MIRROR_PERCENT_MAX = 50


@dataclass(frozen=True, slots=True)
class Traffic:
    """Live and mirrored shares in percent by deployment, as the caller wrote them."""

    live: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)

    def weights(self) -> dict[str, int]:
        """Live shares above 0 by lower-cased deployment."""
        return _positive(self.live)

    def copies(self) -> dict[str, int]:
        """Mirrored shares above 0 by lower-cased deployment."""
        return _positive(self.mirror)

    def without(self, deployment: str) -> "Traffic":
        return Traffic(_leave_out(self.live, deployment), _leave_out(self.mirror, deployment))


def parse(properties: Mapping[str, object]) -> Traffic:
    """The maps in an endpoint's properties; an absent one is empty."""
    return Traffic(
        _shares(properties.get("traffic"), "traffic"),
        _shares(properties.get("mirrorTraffic"), "mirrorTraffic"),
    )


def amended(before: Traffic, properties: Mapping[str, object], *, merges: bool) -> Traffic:
    """The maps after a PATCH: one that is left out stays, one that is given replaces the old one.

    With `merges` a deployment that it does not name keeps its share.
    """
    return Traffic(
        _amended(before.live, properties, "traffic", merges=merges),
        _amended(before.mirror, properties, "mirrorTraffic", merges=merges),
    )


def _amended(
    before: Mapping[str, int], properties: Mapping[str, object], what: str, *, merges: bool
) -> Mapping[str, int]:
    if what not in properties:
        return before
    given = _shares(properties[what], what)
    for name in given if merges else ():
        before = _leave_out(before, name.lower())
    return {**before, **given} if merges else given


def check(traffic: Traffic, deployments: Collection[str], *, kubernetes: bool) -> Traffic:
    """`traffic` if an endpoint with these (lower-cased) deployments can have it."""
    _check_known(traffic, deployments)
    _check_live(traffic)
    _check_mirror(traffic, kubernetes=kubernetes)
    return traffic


def _check_known(traffic: Traffic, deployments: Collection[str]) -> None:
    unknown = sorted({*map(str.lower, (*traffic.live, *traffic.mirror))} - set(deployments))
    if unknown:
        raise bad_request(f"Traffic names deployments that do not exist: {', '.join(unknown)}.")


def _check_live(traffic: Traffic) -> None:
    total = sum(traffic.live.values())
    if total not in {0, 100}:
        raise bad_request(f"Traffic must add up to 0 or 100, not {total}.")


def _check_mirror(traffic: Traffic, *, kubernetes: bool) -> None:
    copies = traffic.copies()
    if not copies:
        return
    if kubernetes:
        raise bad_request("Mirror traffic is not supported for Kubernetes endpoints.")
    if len(copies) > 1:
        raise bad_request(f"Mirror traffic can go to one deployment only, not {len(copies)}.")
    ((target, share),) = copies.items()
    if share > MIRROR_PERCENT_MAX:
        raise bad_request(f"Mirror traffic can be at most {MIRROR_PERCENT_MAX}, not {share}.")
    if target in traffic.weights():
        raise bad_request(f"{target} cannot receive live and mirror traffic at once.")


def _shares(value: object, what: str) -> dict[str, int]:
    shares = {
        str(name): whole(share, f"{what} of {name}") for name, share in mapping(value, what).items()
    }
    wrong = [f"{name}={share}" for name, share in shares.items() if not 0 <= share <= 100]
    if wrong:
        raise bad_request(f"{what} must be between 0 and 100: {', '.join(wrong)}.")
    if len({name.lower() for name in shares}) != len(shares):
        raise bad_request(f"{what} names one deployment twice: {', '.join(shares)}.")
    return shares


def _positive(shares: Mapping[str, int]) -> dict[str, int]:
    return {name.lower(): share for name, share in shares.items() if share}


def _leave_out(shares: Mapping[str, int], deployment: str) -> dict[str, int]:
    return {name: share for name, share in shares.items() if name.lower() != deployment}
