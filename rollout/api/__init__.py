"""The HTTP API: every route asks who is there, hands over, and answers, also when it says no."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rollout.api.callers import EntraReader, Locks
from rollout.api.exchange import Request, Response, within_bounds
from rollout.api.limits import Buckets
from rollout.api.parts import Parts
from rollout.api.problems import fault
from rollout.api.routes import BY_NAME, ROUTES, Route, openapi
from rollout.core.callers import NOBODY, Caller, LocalToken
from rollout.errors import Denied, Forbidden, RolloutError
from rollout.links import Permit

__all__ = ["ROUTES", "Api", "Request", "Response", "Route", "openapi"]

STRANGERS_PER_MINUTE = 60
"""So often one address may ask without a proof, or with a wrong one, where the address is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api(Parts):
    """`tokens` are the local ones beside the state; `entra` reads those of Entra ID."""

    tokens: Callable[[], tuple[LocalToken, ...]] = tuple
    entra: EntraReader | None = None
    known: Buckets = field(init=False)
    strangers: Buckets = field(default_factory=lambda: Buckets(STRANGERS_PER_MINUTE))

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", Buckets(self.settings.requests_per_minute))

    def answer(self, name: str, request: Request) -> Response:
        """Answer what was asked of the route of that name; raises nothing."""
        route = BY_NAME[name]
        with self.telemetry.span(f"door.{name}", request.headers.get("traceparent")):
            return self._answer(route, request).guarded()

    def _answer(self, route: Route, request: Request) -> Response:
        try:
            asked = replace(request, caller=self._admitted(route, request))
            return route.handle(self, asked)
        except RolloutError as error:
            return route.refuse(error, self._token)
        except Exception as error:  # noqa: BLE001 - a door
            return fault(error, self.new_id(), self._token)

    def _admitted(self, route: Route, request: Request) -> Caller:
        """Who asks, and may; raises Malformed, Denied, Forbidden, TooMany, Unavailable."""
        within_bounds(request)
        try:
            caller = route.check(self._locks(), request)
        except Denied:
            self._count_stranger(request)
            raise
        if route.hurried:
            _check_role(route, request, caller)
            return caller
        if caller is NOBODY:
            self._count_stranger(request)
        else:
            self.known.take(caller.name or "", self.clock.now())
        _check_role(route, request, caller)
        return caller

    def _locks(self) -> Locks:
        return Locks(self.settings, self.tokens, self.entra, self._permit)

    def _permit(self, text: str) -> Permit:
        return self.desk.read(text, self.clock.now())

    def _count_stranger(self, request: Request) -> None:
        if request.address:
            self.strangers.take(request.address, self.clock.now())

    @property
    def _token(self) -> str:
        token = self.settings.api_token
        return token.get_secret_value() if token else ""


def _check_role(route: Route, request: Request, caller: Caller) -> None:
    least = route.least_for(request)
    if least and not caller.may(least):
        has = ", ".join(sorted(caller.roles)) or "none"
        name = caller.name or "this token"
        raise Forbidden(f"this needs the role {least}; {name} has: {has}")
