"""The HTTP API: every route asks who is there, hands over, and answers, also when it says no."""

from dataclasses import dataclass

from rollout.api.exchange import Request, Response
from rollout.api.parts import Parts
from rollout.api.problems import fault, problem_of
from rollout.api.routes import BY_NAME, ROUTES, Route, openapi
from rollout.errors import RolloutError

__all__ = ["ROUTES", "Api", "Request", "Response", "Route", "openapi"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Api(Parts):
    def answer(self, name: str, request: Request) -> Response:
        """Answer what was asked of the route of that name; raises nothing."""
        route = BY_NAME[name]
        with self.telemetry.span(f"door.{name}", request.headers.get("traceparent")):
            return self._answer(route, request)

    def _answer(self, route: Route, request: Request) -> Response:
        try:
            route.check(self.settings, request)
            return route.handle(self, request)
        except RolloutError as error:
            return problem_of(error, self._token)
        except Exception as error:  # noqa: BLE001 - a door
            return fault(error, self.new_id(), self._token)

    @property
    def _token(self) -> str:
        return self.settings.api_token.get_secret_value()
