"""Which addresses settings may name without a key: of this machine, containers, namespaces."""

import re
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_CONTAINER = re.compile(r"https://[a-z0-9]{3,24}\.blob\.[a-z0-9.-]+/[a-z0-9-]{3,63}(/[^?#\s]*)?")
_NAMESPACE = re.compile(r"[A-Za-z][A-Za-z0-9-]*\.servicebus(\.[a-z0-9-]+){2,}")
_ENDPOINT = re.compile(r"Endpoint=(sb://[^;]*)(;|$)", re.IGNORECASE)
_HERE = re.compile(r"(^|;)UseDevelopmentEmulator=true(;|$)")


def is_azurite(connection: str) -> bool:
    """Whether every address in that connection string is on this machine."""
    parts = dict(part.partition("=")[::2] for part in connection.strip(";").split(";"))
    named = {key.strip().lower(): value.strip() for key, value in parts.items()}
    if named.pop("usedevelopmentstorage", "").lower() == "true":
        return not named
    places = [named.get("blobendpoint"), named.get("tableendpoint")]
    places += [value for key, value in named.items() if key.endswith(("endpoint", "uri"))]
    return all(place and urlsplit(place).hostname in LOOPBACK for place in places)


def check_container(place: str) -> None:
    """A folder on this machine, or a container; raises ValueError with the remedy."""
    if "://" in place and not _CONTAINER.fullmatch(place):
        raise ValueError(f"{place} is no container; write https://ACCOUNT.blob.../CONTAINER/PATH")


def check_service_bus(address: str) -> None:
    """Raises ValueError with the remedy, and never with the key."""
    if "=" not in address:
        if not _NAMESPACE.fullmatch(address):
            raise ValueError("is no namespace; write its host, such as NAME.servicebus.windows.net")
        return
    endpoint = _ENDPOINT.search(address)
    if endpoint is None or urlsplit(endpoint[1]).hostname not in LOOPBACK:
        raise ValueError(
            "no shared keys: write the namespace's host, such as NAME.servicebus.windows.net, and"
            " give the controller's identity a role; a connection string is for this machine only"
        )
    if not _HERE.search(address):
        raise ValueError("add UseDevelopmentEmulator=true: a broker on this machine has no TLS")
