"""What one look reads: the endpoint, and what was measured on it since the last look."""

from collections.abc import Mapping, Sequence
from typing import Any

from rollout.core.creation import Creation
from rollout.core.deployment_file import render
from rollout.core.endpoint import EndpointId, EndpointView, WorkspaceId
from rollout.core.events import Looked, OrderFailed, RetryRequested, StartRequested
from rollout.core.head import Head
from rollout.core.machine.silence import NUMBERS
from rollout.core.places import Missing, unknown
from rollout.core.policy import Policy
from rollout.core.policy_text import choose_policy, parse_policy
from rollout.core.rollout import Order, Phase, Rollout
from rollout.core.rotation.policy_text import is_rotation
from rollout.core.source import Source
from rollout.errors import (
    Malformed,
    PolicyError,
    Refused,
    RolloutError,
    Unavailable,
    Unknown,
)
from rollout.measuring import Measuring, Sources
from rollout.ports import PolicyFiles

MEASURED = frozenset({Phase.SHIFTING, Phase.MEASURING, Phase.HOLDING, Phase.APPROVING})
"""The phases that a judge's report means something to; a way back needs none."""


class Looks:
    """Reads what a decision needs; changes nothing but the samples it has read."""

    def __init__(
        self,
        sources: Sources,
        workspaces: Sequence[WorkspaceId],
        installation: str,
        missing: Missing = lambda _: None,
    ) -> None:
        """`missing` tells which places for hooks and notices are not known here."""
        self._missing = missing
        self._from = sources
        self._measuring = Measuring(sources)
        self._workspaces = workspaces
        self._installation = installation

    # -- names -------------------------------------------------------------------------------

    def resolve(self, name: str) -> EndpointId:
        """Read `churn`, `workspace/churn` or an ARM id; an ambiguous name lists its candidates."""
        found = self.candidates(name)
        if len(found) > 1:
            found = [one for one in found if self._may_exist(one)]
        if len(found) == 1:
            return found[0]
        known = ", ".join(one.workspace for one in self._workspaces)
        if not found:
            raise Unknown(f"no endpoint {name!r} in the workspaces of this controller: {known}")
        candidates = ", ".join(str(one) for one in found)
        raise Malformed(f"{name!r} may mean {candidates}: write the workspace before it")

    def candidates(self, name: str) -> Sequence[EndpointId]:
        """Every endpoint that a name may mean; nobody is asked."""
        if name.startswith("/"):
            return [self._known(EndpointId.parse(name))]
        workspace, _, endpoint = name.rpartition("/")
        return [
            one.endpoint(endpoint)
            for one in self._workspaces
            if not workspace or one.workspace == workspace.lower()
        ]

    def _known(self, endpoint: EndpointId) -> EndpointId:
        if endpoint.in_workspace not in self._workspaces:
            known = ", ".join(one.workspace for one in self._workspaces)
            raise Unknown(f"{endpoint} is in no workspace of this controller: {known}")
        return endpoint

    def _may_exist(self, endpoint: EndpointId) -> bool:
        try:
            self._from.endpoints.read(endpoint)
        except Unknown:
            return False
        except (Unavailable, Refused):
            return True
        return True

    # -- beginnings ----------------------------------------------------------------------------

    def start(self, order: Order, event_id: str) -> StartRequested:
        """All that is needed to answer an order: its policy, and the endpoint as it is now."""
        name, policy = self._policy(order)
        creation = self._creation(order)
        view = self._from.endpoints.read(order.endpoint)
        return StartRequested(
            id=event_id,
            order=order,
            policy=policy,
            policy_name=name,
            view=view,
            owner=self._installation,
            sources=self._measuring.facts(view, policy),
            minute=self._from.clock.minute,
            creation=creation,
            cannot_ask=unknown(policy, self._missing, asked=True),
            cannot_tell=unknown(policy, self._missing, asked=False),
        )

    def start_queued(self, order: Order, event_id: str) -> StartRequested | OrderFailed:
        """The same for an order that has waited: what is wrong with it ends it."""
        try:
            return self.start(order, event_id)
        except (Unknown, PolicyError, Malformed, Refused) as no:
            return OrderFailed(id=event_id, order=order, reason=str(no))

    def retry(self, order: Order, event_id: str) -> RetryRequested:
        """The same for an order that is given again."""
        started = self.start(order, event_id)
        return RetryRequested(**started.model_dump(by_alias=True, exclude={"type"}))

    def _creation(self, order: Order) -> Creation | None:
        """How its deployment is made; raises PolicyError, Unknown where the file is not right."""
        if order.create is None:
            return None
        content = self._from.policies.attachment(order.create.template)
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            told = f"{order.create.template}: not UTF-8 at byte {error.start}; save it as UTF-8"
            raise PolicyError(told) from error
        return render(text, order.create, order.endpoint.in_workspace)

    def there(self, endpoint: EndpointId) -> tuple[str, ...] | None:
        """The deployments of an endpoint; None where Azure does not tell."""
        try:
            return tuple(self._from.endpoints.read(endpoint).deployments)
        except (Unavailable, Refused, Unknown):
            return None

    def is_given_back(self, rollout: Rollout) -> bool:
        """Whether the endpoint's tag tells of a way back; raises what Azure says against it."""
        mark = self._from.endpoints.read(rollout.endpoint).aborted
        return mark is not None and mark.rollout_id == rollout.id

    def _policy(self, order: Order) -> tuple[str, Policy]:
        """The policy that is named, or the most specific one that matches; a broken one is told."""
        if order.policy is not None:
            file = self._from.policies.read(order.policy)
            return file.name, parse_policy(file.text, file.name)
        whole, broken = read_policies(self._from.policies)
        try:
            name = choose_policy(whole, order.endpoint)
        except PolicyError as none:
            raise PolicyError("\n".join([str(none), *broken])) from none
        return name, whole[name]

    # -- looks ---------------------------------------------------------------------------------

    def look(self, head: Head, event_id: str) -> Looked:
        """Read the endpoint and, once a share was seen, its minutes; raises Unavailable."""
        rollout = head.rollout
        assert rollout is not None, head
        view = self._from.endpoints.read(head.endpoint)
        looked = Looked(
            id=event_id,
            view=view,
            lag=self._measuring.lag(rollout),
            operation_failed=self._operation_failure(rollout),
        )
        if rollout.phase not in MEASURED or not rollout.shares:
            return looked
        return looked.model_copy(update=self._measured(rollout, view, head.copies))

    def _operation_failure(self, rollout: Rollout) -> str | None:
        if rollout.operation is None:
            return None
        try:
            return self._from.endpoints.operation(rollout.operation).failure
        except (Unavailable, Unknown, Refused):  # news only: what counts is the map that is seen
            return None

    def _measured(
        self, rollout: Rollout, view: EndpointView, copies: Mapping[Source, bool]
    ) -> Mapping[str, Any]:
        """What can be measured now, by the fields of `Looked`."""
        measured: Mapping[str, Any]
        try:
            measured = self._measuring.take(rollout, view, copies)
        except RolloutError as no:  # without numbers: silence and the deadline still decide
            measured = {"trouble": f"no {NUMBERS[rollout.source]}: {no}"}
        heard = self._measuring.metrics_instead(rollout, view, measured.get("heard_until"))
        return {**measured, "metrics_heard_until": heard}


def read_policies(files: PolicyFiles) -> tuple[Mapping[str, Policy], Sequence[str]]:
    """The policies by name, and a sentence for each that is broken and left out."""
    whole, broken = dict[str, Policy](), list[str]()
    for file in files.list():
        if file.error:
            broken.append(f"{file.name} is broken and left out: {file.error}")
            continue
        if is_rotation(file.text):
            continue
        try:
            whole[file.name] = parse_policy(file.text, file.name)
        except PolicyError as error:
            broken.append(f"{file.name} is broken and left out: {error}")
    return whole, broken
