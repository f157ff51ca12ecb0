"""The doors that Azure Functions opens: each translates what came, and hands it over."""

import azure.functions as func

from rollout import wiring

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""Anonymous to the platform: the API itself asks every caller for its token."""


@app.service_bus_queue_trigger(
    arg_name="message",
    queue_name="%STEPS_QUEUE%",
    connection="SERVICEBUS",
    is_sessions_enabled=True,
)
def step(message: func.ServiceBusMessage) -> None:
    """One look at one endpoint: the session."""
    from rollout import inbox  # noqa: PLC0415 - what starts for a sweep reads no message

    wiring.engine().wake(inbox.read_wake(message.get_body()))


@app.service_bus_queue_trigger(
    arg_name="message", queue_name="%EVENTS_QUEUE%", connection="SERVICEBUS"
)
def on_event(message: func.ServiceBusMessage) -> None:
    """What Event Grid tells: a model was registered, a deployment was written."""
    wiring.arrivals().hear(message.get_body(), message.message_id)


@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
def sweep(timer: func.TimerRequest) -> None:  # noqa: ARG001 - a trigger must be taken
    """Send again what got lost."""
    wiring.engine().sweep()


@app.timer_trigger(arg_name="timer", schedule="30 */5 * * * *")
def rotate(timer: func.TimerRequest) -> None:  # noqa: ARG001 - a trigger must be taken
    """Begin the rotations whose time has come."""
    wiring.rotations().tick()


@app.timer_trigger(arg_name="timer", schedule="0 17 3 * * *")
def prune(timer: func.TimerRequest) -> None:  # noqa: ARG001 - a trigger must be taken
    """Remove the past that is no longer to be kept, once a night."""
    wiring.retention().tick()


# -- the HTTP API: one function for each route of its table ------------------------------------


@app.route("health", methods=["GET"])
def health(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("health", req)


@app.route("openapi.json", methods=["GET"])
def openapi(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("openapi", req)


@app.route("about", methods=["GET"])
def about(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("about", req)


@app.route("doctor", methods=["GET"])
def doctor(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("doctor", req)


@app.route("events", methods=["GET"])
def stream_events(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("stream_events", req)


@app.route("rollouts", methods=["POST"])
def start_rollout(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("start_rollout", req)


@app.route("rollouts", methods=["GET"])
def list_rollouts(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("list_rollouts", req)


@app.route("rollouts/{ref}", methods=["GET"])
def show_rollout(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("show_rollout", req)


@app.route("rollouts/{ref}/history", methods=["GET"])
def rollout_history(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("rollout_history", req)


@app.route("rollouts/{ref}/minutes", methods=["GET"])
def rollout_minutes(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("rollout_minutes", req)


@app.route("rollouts/{ref}/disagreements", methods=["GET"])
def rollout_disagreements(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("rollout_disagreements", req)


@app.route("rollouts/{ref}/{command}", methods=["POST"])
def command_rollout(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("command_rollout", req)


@app.route("approval", methods=["GET"])
def show_approval(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("show_approval", req)


@app.route("approval", methods=["POST"])
def answer_approval(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("answer_approval", req)


@app.route("keys", methods=["GET"])
def list_keys(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("list_keys", req)


@app.route("keys/{ref}", methods=["GET"])
def show_keys(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("show_keys", req)


@app.route("keys/{ref}/history", methods=["GET"])
def keys_history(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("keys_history", req)


@app.route("keys/{ref}/rotate", methods=["POST"])
def rotate_keys(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("rotate_keys", req)


@app.route("keys/{ref}/{verb}", methods=["POST"])
def command_keys(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("command_keys", req)


@app.route("audits/{ref}", methods=["GET"])
def audit_endpoint(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("audit_endpoint", req)


@app.route("audits/{ref}/entries", methods=["GET"])
def audit_entries(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("audit_entries", req)


@app.route("prunes", methods=["POST"])
def prune_history(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("prune_history", req)


@app.route("policies", methods=["GET"])
def list_policies(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("list_policies", req)


@app.route("policies/check", methods=["POST"])
def check_policy(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("check_policy", req)


@app.route("policies/schema", methods=["GET"])
def policy_schema(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("policy_schema", req)


@app.route("policies/{name}", methods=["GET"])
def show_policy(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("show_policy", req)


@app.route("policies/{name}", methods=["PUT"])
def push_policy(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("push_policy", req)


@app.route("policies/{name}", methods=["DELETE"])
def remove_policy(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("remove_policy", req)


@app.route("plans", methods=["POST"])
def plan_rollout(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("plan_rollout", req)


@app.route("alerts", methods=["POST"])
def take_alert(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("take_alert", req)


@app.route("alerts/alertmanager", methods=["POST"])
def take_alertmanager(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("take_alertmanager", req)


@app.route("hooks/github", methods=["POST"])
def take_github(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("take_github", req)


@app.route("hooks/azure-devops", methods=["POST"])
def take_azure_devops(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("take_azure_devops", req)


@app.route("hooks/event-grid", methods=["POST"])
def take_events(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("take_events", req)


@app.route("hooks/event-grid", methods=["OPTIONS"])
def event_grid_origin(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("event_grid_origin", req)


@app.route("dead-letters", methods=["GET"])
def list_dead_letters(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("list_dead_letters", req)


@app.route("dead-letters/{queue}/{id}/resend", methods=["POST"])
def resend_dead_letter(req: func.HttpRequest) -> func.HttpResponse:
    return _answer("resend_dead_letter", req)


def _answer(route: str, req: func.HttpRequest) -> func.HttpResponse:
    from rollout.api import Request  # noqa: PLC0415 - what starts for a step needs no API

    headers = {name.lower(): value for name, value in req.headers.items()}
    asked = Request(req.method, req.route_params, req.params, headers, req.get_body())
    told = wiring.api().answer(route, asked)
    return func.HttpResponse(told.body, status_code=told.status, headers=told.headers)
