"""Requests to addresses that people wrote: guarded, short, small, and never redirected."""

import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Thread, Timer
from time import monotonic
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, urlsplit

from rollout.errors import Refused, Unavailable

TIMEOUT = timedelta(seconds=10)
BYTES_MAX = 256 * 1024

_PLATFORM = ipaddress.ip_address("168.63.129.16")
"""Azure's own services inside every virtual network; the address only looks public."""
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # an IPv4 address behind a NAT64
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whatever its status."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Outgoing:
    """Sends one request, and says no to addresses that nobody outside should reach through us.

    Without `private`: https only, and only to hosts all of whose addresses are public. The
    connection goes to an address that was checked, so a name that changes meanwhile leads nowhere.
    Proxies of the environment are not used.
    """

    def __init__(
        self,
        *,
        private: bool = False,
        timeout: timedelta = TIMEOUT,
        bytes_max: int = BYTES_MAX,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._private = private
        self._seconds = timeout.total_seconds()
        self._bytes_max = bytes_max
        self._tls = tls

    def within(self, timeout: timedelta) -> "Outgoing":
        """The same guard, with another time to answer."""
        return Outgoing(
            private=self._private, timeout=timeout, bytes_max=self._bytes_max, tls=self._tls
        )

    def send(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Reply:
        """The reply to one request; the whole of it takes no longer than the timeout.

        Raises Refused for an address that may not be asked, a redirect or a reply that is too
        large, and Unavailable where nobody answers in time. Neither text holds the URL's query.
        """
        parts = self._checked(url)
        place = f"{method} {parts.scheme}://{parts.netloc}{parts.path}"
        end = monotonic() + self._seconds
        connection = self._connection(parts, self._resolved(parts))
        limit = _Limit(connection, max(0.0, end - monotonic()))
        try:
            connection.connect()
            connection.request(method, _target(parts), body, dict(headers))
            reply = self._reply(connection.getresponse(), place)
        except (OSError, HTTPException, ValueError) as error:
            late = limit.reached or isinstance(error, TimeoutError)  # whichever clock was first
            why = f"not within {self._seconds:g} s" if late else type(error).__name__
            raise Unavailable(f"{place}: no answer ({why})") from error
        finally:
            limit.cancel()
            connection.close()
        if limit.reached:
            raise Unavailable(f"{place}: no answer (not within {self._seconds:g} s)")
        return reply

    def _checked(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise Refused(f"{url.partition('?')[0]!r} is not a URL") from error
        if not host or "@" in parts.netloc or not url.isprintable() or " " in url:
            raise Refused(f"{url.partition('?')[0]!r} is not a URL that may be asked")
        if parts.scheme != "https" and not (self._private and parts.scheme == "http"):
            raise Refused(f"{parts.scheme}://{parts.netloc}: only https is asked; {_REMEDY}")
        return parts

    def _resolved(self, parts: SplitResult) -> str:
        """An address of the host; one that is not public spoils them all."""
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        try:
            found = _looked_up(host, port, self._seconds)
        except TimeoutError as error:
            raise Unavailable(f"{host}: no such host (not within {self._seconds:g} s)") from error
        except (OSError, UnicodeError) as error:
            raise Unavailable(f"{host}: no such host ({type(error).__name__})") from error
        addresses = [str(one[4][0]) for one in found]
        inside = [one for one in addresses if not is_public(one)]
        if inside and not self._private:
            raise Refused(f"{host}: {inside[0]} is not a public address; {_REMEDY}")
        return addresses[0]

    def _connection(self, parts: SplitResult, address: str) -> HTTPConnection:
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        if parts.scheme == "http":
            return _Pinned(address, host, port, self._seconds)
        return _PinnedTls(address, host, port, self._seconds, self._tls)

    def _reply(self, answer: HTTPResponse, place: str) -> Reply:
        if 300 <= answer.status < 400:
            raise Refused(f"{place}: it redirects ({answer.status}); give the address it leads to")
        body = answer.read(self._bytes_max + 1)
        if len(body) > self._bytes_max:
            raise Refused(f"{place}: it answers more than {self._bytes_max} bytes")
        if answer.length:
            raise HTTPException("it broke off")
        return Reply(answer.status, body, dict(answer.getheaders()))


_PORTS = {"https": 443, "http": 80}
_REMEDY = "if it is meant, set ROLLOUT_OUTGOING_PRIVATE=true"


def is_public(text: str) -> bool:
    """Whether an address is one of the open internet, whatever it is written within."""
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    return all(
        one.is_global and not one.is_multicast and one != _PLATFORM for one in _meant(address)
    )


def _meant(address: Address) -> Sequence[Address]:
    """The address, and the IPv4 address inside it."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    inner = [address.sixtofour, *(address.teredo or ())]
    if address in _TRANSLATED:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return (address, *(one for one in inner if one))


def _looked_up(host: str, port: int, seconds: float) -> Sequence[Any]:
    """A look-up has no time-out of its own: one that hangs is left behind."""
    found: Future[Sequence[Any]] = Future()

    def run() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except BaseException as error:  # noqa: BLE001 - raised where it was asked
            found.set_exception(error)

    Thread(target=run, name=f"look-up of {host}", daemon=True).start()
    return found.result(seconds)


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


class _Limit:
    """Ends whatever is read or written when the time is over: drop by drop is no answer."""

    def __init__(self, connection: HTTPConnection, seconds: float) -> None:
        self.reached = False
        self._connection = connection
        self._timer = Timer(seconds, self._hang_up)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        self._timer.cancel()

    def _hang_up(self) -> None:
        self.reached = True
        if self._connection.sock:
            with suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)


class _Pinned(HTTPConnection):
    """A connection to the one address that was checked."""

    def __init__(self, address: str, host: str, port: int, seconds: float) -> None:
        super().__init__(host, port, timeout=seconds)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)


class _PinnedTls(HTTPSConnection):
    """The same with TLS; the certificate must be the name's."""

    def __init__(
        self, address: str, host: str, port: int, seconds: float, tls: ssl.SSLContext | None
    ) -> None:
        self._tls = tls or ssl.create_default_context()
        super().__init__(host, port, timeout=seconds, context=self._tls)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)
