"""Their JSON becomes our nouns: bodies, commands, alerts and news, checked where they come in."""

from rollout.inbox.alertmanager import AlertmanagerGroup, read_alertmanager
from rollout.inbox.alerts import Alert, CommonAlert, read_alert
from rollout.inbox.bodies import (
    BYTES_MAX,
    COMMANDS,
    ENDPOINT_PATTERN,
    UPWARD,
    CheckBody,
    CommandBody,
    PlanBody,
    PushBody,
    RolloutCommandBody,
    StartBody,
    TooLarge,
    check_command,
    endpoint_name,
    read_body,
    read_json,
    read_wake,
)
from rollout.inbox.event_grid import Handshake, Unread, read_events
from rollout.inbox.hooks import read_azure_devops, read_github

__all__ = [
    "BYTES_MAX",
    "COMMANDS",
    "ENDPOINT_PATTERN",
    "UPWARD",
    "Alert",
    "AlertmanagerGroup",
    "CheckBody",
    "CommandBody",
    "CommonAlert",
    "Handshake",
    "PlanBody",
    "PushBody",
    "RolloutCommandBody",
    "StartBody",
    "TooLarge",
    "Unread",
    "check_command",
    "endpoint_name",
    "read_alert",
    "read_alertmanager",
    "read_azure_devops",
    "read_body",
    "read_events",
    "read_github",
    "read_json",
    "read_wake",
]
