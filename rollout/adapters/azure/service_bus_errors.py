"""What the Service Bus SDK raises, in our words: later, or no and what to do about it."""

from collections.abc import Mapping
from datetime import timedelta

from azure.core.exceptions import ClientAuthenticationError
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    OperationTimeoutError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusCommunicationError,
    ServiceBusConnectionError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
    SessionLockLostError,
)

from rollout.errors import Refused, Unavailable

BUSY = timedelta(seconds=10)
"""So long Microsoft asks a throttled client to wait."""

_UNAUTHORISED = (
    "Service Bus does not let the controller in; give its identity the role Azure Service Bus Data"
    " Owner on the namespace (a new role takes minutes to work)"
)
_REFUSED: Mapping[type[Exception], str] = {
    ServiceBusAuthenticationError: _UNAUTHORISED,
    ServiceBusAuthorizationError: _UNAUTHORISED,
    ClientAuthenticationError: (
        "nobody has signed in for the controller; on Azure give the app its managed identity,"
        " elsewhere sign in by `az login`"
    ),
    MessagingEntityNotFoundError: (
        "the namespace has no such queue; create it with sessions for `steps`, without for"
        " `events`, and with duplicate detection for both"
    ),
    MessageSizeExceededError: "the message is too large for this tier of Service Bus",
}
_UNAVAILABLE: Mapping[type[Exception], str] = {
    ServiceBusServerBusyError: "Service Bus is busy",
    ServiceBusQuotaExceededError: "it is full, or has too many connections",
    MessagingEntityDisabledError: "it is disabled; enable it in the portal",
    OperationTimeoutError: "no answer in time",
    ServiceBusConnectionError: "no connection",
    ServiceBusCommunicationError: "no connection",
    MessageLockLostError: "the message's lock was lost",
    SessionLockLostError: "the session's lock was lost",
}


def told(queue: str, error: Exception) -> Unavailable | Refused:
    """The error in our words; the SDK's own text may quote what must not be shown."""
    cause = getattr(error, "inner_exception", None)
    for one in (cause, error):
        for kind, text in _REFUSED.items():
            if isinstance(one, kind):
                return Refused(f"queue {queue}: {text}")
    after = BUSY if isinstance(error, ServiceBusServerBusyError) else None
    for kind, text in _UNAVAILABLE.items():
        if isinstance(error, kind):
            return Unavailable(f"queue {queue}: {text}", after)
    return Unavailable(f"queue {queue}: it failed ({type(error).__name__})")
