"""The controller before Azure: its identity, its workspaces, its rights, and the numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from rollout.access_ports import Access, Lack
from rollout.core.endpoint import EndpointId, WorkspaceId
from rollout.doctor.diagnosis import Diagnosis, failed, not_checked, ok, told_by, warning
from rollout.doctor.skew import SKEW_FAILS, SKEW_REMEDY, SKEW_WARNS
from rollout.errors import Refused, RolloutError, Unknown
from rollout.ports import Clock, Metrics

EXACT = "logs"
ENDPOINTS_MAX = 20
METRICS_MINUTES = 60

_SIGN_IN = "on Azure give the app its managed identity: azd provision; elsewhere: az login"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    access: Access
    clock: Clock
    metrics: Sequence[Metrics]
    workspaces: Sequence[WorkspaceId]
    assignee: str

    def examine(self) -> Iterator[Diagnosis]:
        """What hangs on something that failed is not looked at."""
        try:
            until = self.access.sign_in()
        except RolloutError as error:
            yield failed("identity", str(error), _SIGN_IN)
            yield not_checked("workspaces", "nothing can be asked without an identity")
            return
        left = int((until - self.clock.now()) / timedelta(minutes=1))
        yield ok("identity", f"has a token for Azure, good for {left} more minutes")
        for workspace in self.workspaces:
            yield from self._workspace(workspace)

    def _workspace(self, workspace: WorkspaceId) -> Iterator[Diagnosis]:
        part = f"workspace {workspace.workspace}"
        try:
            at = self.access.visit(workspace)
        except RolloutError as error:
            yield failed(part, str(error), self._unseen(workspace, error))
            return
        now = self.clock.now()
        yield ok(part, "can be read")
        yield _skew(None if at is None else now - at)
        yield self._rights(workspace)
        try:
            found = self.access.endpoints(workspace)
        except RolloutError as error:
            yield failed(f"endpoints of {workspace.workspace}", str(error), self._grant(workspace))
            return
        yield _listed(workspace, found)
        for metrics in self.metrics:
            for endpoint in found[:ENDPOINTS_MAX]:
                yield self._minutes(metrics, endpoint)

    def _unseen(self, workspace: WorkspaceId, error: RolloutError) -> str:
        if isinstance(error, Unknown):
            return (
                "see how it is called, and mend ROLLOUT_WORKSPACES: az ml workspace list"
                f" --resource-group {workspace.resource_group}"
                f" --subscription {workspace.subscription} --query [].id --output tsv"
            )
        if isinstance(error, Refused):
            return self._grant(workspace)
        return "try again in a minute; if it stays, see that ROLLOUT_ARM_URL is right"

    def _grant(self, workspace: WorkspaceId) -> str:
        return (
            'give it leave: az role assignment create --role "AzureML Data Scientist"'
            f" --assignee {self.assignee} --scope {workspace.arm_id}"
        )

    def _rights(self, workspace: WorkspaceId) -> Diagnosis:
        part = f"rights on {workspace.workspace}"
        try:
            lacks = self.access.lacks(workspace)
        except RolloutError as error:
            return not_checked(part, f"Azure does not tell what the identity may do: {error}")
        if not lacks:
            return ok(part, "all that any policy may ask for")
        told = "may not " + "; ".join(f"{one.action} ({one.purpose})" for one in lacks)
        worst = failed if any(one.always for one in lacks) else warning
        return worst(part, told, self._grant_of(workspace, lacks))

    def _grant_of(self, workspace: WorkspaceId, lacks: Sequence[Lack]) -> str:
        if [one.action for one in lacks] == ["Microsoft.Insights/metrics/read"]:
            return self._grant(workspace).replace("AzureML Data Scientist", "Monitoring Reader")
        return self._grant(workspace)

    def _minutes(self, metrics: Metrics, endpoint: EndpointId) -> Diagnosis:
        part = f"{metrics.source} of {endpoint}"
        return told_by(
            part,
            f"see what Azure has: {_shown_by(metrics, endpoint)}",
            lambda: self._latest(metrics, endpoint, part),
        )

    def _latest(self, metrics: Metrics, endpoint: EndpointId, part: str) -> Diagnosis:
        until = self.clock.now() - metrics.lag
        since = until - METRICS_MINUTES * self.clock.minute
        found = metrics.read(endpoint, since, until)
        heard = [at for at, arms in found.items() if any(one.requests for one in arms.values())]
        if not heard:
            return warning(
                part,
                f"no request was counted in the last {METRICS_MINUTES} minutes: a canary would"
                " hold for want of numbers",
                "send some requests; where there were some, see that the endpoint's numbers arrive:"
                f" {_shown_by(metrics, endpoint)}",
            )
        age = (self.clock.now() - max(heard)) / self.clock.minute
        return ok(part, f"the latest minute with requests began {age:.0f} minutes ago")


def _shown_by(metrics: Metrics, endpoint: EndpointId) -> str:
    """The command that shows a person the numbers, or where they are sent."""
    if metrics.source == EXACT:
        return f"az monitor diagnostic-settings list --resource {endpoint.arm_id}"
    return f"az monitor metrics list --resource {endpoint.arm_id} --metric RequestsPerMinute"


def _listed(workspace: WorkspaceId, found: Sequence[EndpointId]) -> Diagnosis:
    part = f"endpoints of {workspace.workspace}"
    if not found:
        return warning(part, "there are none", "create one, or mend ROLLOUT_WORKSPACES")
    names = ", ".join(one.name for one in found[:ENDPOINTS_MAX])
    more = len(found) - ENDPOINTS_MAX
    rest = f", and {more} more whose numbers are not looked at" if more > 0 else ""
    return ok(part, f"{len(found)}: {names}{rest}")


def _skew(skew: timedelta | None) -> Diagnosis:
    if skew is None:
        return not_checked("clock", "Azure's answer does not tell the time")
    seconds = skew.total_seconds()
    told = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} Azure's"
    if abs(skew) > SKEW_FAILS:
        return failed("clock", f"{told}: tokens and stages are told by it", SKEW_REMEDY)
    if abs(skew) > SKEW_WARNS:
        return warning("clock", told, SKEW_REMEDY)
    return ok("clock", f"within {SKEW_WARNS.total_seconds():.0f} s of Azure's")
