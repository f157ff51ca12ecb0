"""Addresses that people wrote: which are asked, which are not, and what a bad answer becomes."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from time import monotonic

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rollout.adapters.outgoing import Outgoing, is_public
from rollout.errors import Refused, RolloutError, Unavailable
from tests.adapters.recorded import Reply, recorded

QUICK = timedelta(seconds=0.4)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("168.63.129.16", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:1.1.1.1", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::101:101", True),
        ("2002:a00:1::1", False),
    ],
)
def test_an_address_is_public_or_not(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/x", "only https"),
        ("ftp://example.com/x", "only https"),
        ("https://127.0.0.1/x", "not a public address"),
        ("https://[::1]/x", "not a public address"),
        ("https://localhost:8443/x", "not a public address"),
        ("https://2130706433/x", "not a public address"),
        ("https://user:word@example.com/x", "may be asked"),  # pragma: allowlist secret
        ("https:///x", "may be asked"),
        ("https://example.com:port/x", "not a URL"),
        ("https://example.com/a b", "may be asked"),
    ],
)
def test_what_may_not_be_asked_is_refused_before_anything_is_sent(url: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        Outgoing().send("GET", url)


def test_one_private_address_spoils_a_name_with_public_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _resolves_to(monkeypatch, "1.1.1.1", "10.0.0.1")

    with pytest.raises(Refused, match=r"10\.0\.0\.1 is not a public address.*OUTGOING_PRIVATE"):
        Outgoing().send("GET", "https://hooks.example.com/x")


def test_a_name_that_changes_meanwhile_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Asked once, and the connection goes to what was checked."""
    asked = _resolves_to(monkeypatch, "1.1.1.1")
    went: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        went.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)

    with pytest.raises(Unavailable):
        Outgoing().send("GET", "https://hooks.example.com/x")
    assert (asked, went) == (["hooks.example.com"], [("1.1.1.1", 443)])


def _resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    asked: list[str] = []

    def resolve(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        kind = socket.SOCK_STREAM
        return [(socket.AF_INET, kind, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def test_a_private_address_is_asked_where_the_setting_allows_it() -> None:
    with recorded() as server:
        server.give("POST", "/x", Reply(418, {"a": 1}, {"X-One": "1"}))

        reply = Outgoing(private=True).send("POST", f"{server.url}/x?q=1", b"{}", {"X-Two": "2"})

    assert (reply.status, reply.body, reply.headers["X-One"]) == (418, b'{"a": 1}', "1")
    (asked,) = server.asked
    assert (asked.target, asked.body, asked.headers["X-Two"]) == ("/x?q=1", b"{}", "2")


def test_a_redirect_is_not_followed() -> None:
    with recorded() as server:
        server.give("GET", "/x", Reply(302, None, {"Location": f"{server.url}/y"}))

        with pytest.raises(Refused, match="redirects"):
            Outgoing(private=True).send("GET", f"{server.url}/x")
    assert len(server.asked) == 1


def test_an_answer_that_is_too_large_is_refused() -> None:
    with recorded() as server:
        server.give("GET", "/x", Reply(200, b"x" * 2000))

        with pytest.raises(Refused, match="more than 1000 bytes"):
            Outgoing(private=True, bytes_max=1000).send("GET", f"{server.url}/x")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12",
        b"HTTP/1.1 200 OK\r\n\r\n12",
        b"nonsense\r\n\r\n",
    ],
    ids=["silence", "half a head", "half a body", "no end", "nonsense"],
)
def test_half_an_answer_is_none(answer: bytes) -> None:
    """Also one that goes on for ever: what came before the time was over is not taken."""
    with (
        _raw(lambda peer: peer.sendall(answer)) as url,
        pytest.raises(Unavailable, match="no answer"),
    ):
        Outgoing(private=True, timeout=QUICK).send("GET", f"{url}/x")


def test_an_answer_that_breaks_off_is_none() -> None:
    def half(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12")
        peer.close()

    with _raw(half) as url, pytest.raises(Unavailable, match="no answer"):
        Outgoing(private=True).send("GET", f"{url}/x")


def test_a_name_that_is_looked_up_for_ever_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = threading.Event()

    def hang(*_: object, **__: object) -> None:
        ended.wait(5)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    begun = monotonic()

    with pytest.raises(Unavailable, match=r"slow\.example: no such host \(not within 0\.4 s\)"):
        Outgoing(timeout=QUICK).send("GET", "https://slow.example/x")

    ended.set()
    assert monotonic() - begun < 2


def test_an_answer_drop_by_drop_ends_when_the_time_is_over() -> None:
    ended = threading.Event()

    def drip(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n")
        while not ended.wait(0.05):
            peer.sendall(b"X-Drop: 1\r\n")

    with _raw(drip) as url, pytest.raises(Unavailable, match="not within"):
        Outgoing(private=True, timeout=QUICK).send("GET", f"{url}/x")
    ended.set()


@contextmanager
def _raw(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that answers one connection so, and leaves it open."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        peers: list[socket.socket] = []

        def serve() -> None:
            peer, _ = server.accept()
            peers.append(peer)
            peer.recv(4096)
            try:
                answer(peer)
            except OSError:
                return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            for peer in peers:
                peer.close()
            thread.join(5)


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="ConnectionRefusedError"):
        Outgoing(private=True).send("GET", "http://127.0.0.1:9/x?secret=1")


def test_no_text_holds_the_query() -> None:
    for url in ("http://127.0.0.1:9/x?key=hush", "https://127.0.0.1/x?key=hush"):
        for outgoing in (Outgoing(private=True), Outgoing()):
            with pytest.raises(RolloutError) as caught:
                outgoing.send("GET", url)
            assert "hush" not in str(caught.value)


# -- TLS -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for localhost by its name alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    since = datetime.now(UTC) - timedelta(hours=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    plain = serialization.NoEncryption()
    pem, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(pem, kind, plain) + made.public_bytes(pem))
    return path


def _served(certificate: Path) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(listener: socket.socket) -> None:
        try:
            peer, _ = listener.accept()
            with context.wrap_socket(peer, server_side=True) as safe:
                safe.recv(4096)
                safe.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except OSError:
            return

    return serve


@pytest.mark.parametrize(("host", "trusted"), [("localhost", True), ("127.0.0.1", False)])
def test_the_certificate_must_be_the_names(certificate: Path, host: str, trusted: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_served(certificate), args=(listener,))
        thread.start()
        tls = ssl.create_default_context(cafile=str(certificate))
        outgoing = Outgoing(private=True, tls=tls)
        url = f"https://{host}:{listener.getsockname()[1]}/x"

        if trusted:
            assert outgoing.send("GET", url).body == b"ok"
        else:
            with pytest.raises(Unavailable, match="Cert"):
                outgoing.send("GET", url)
        thread.join(5)


def test_the_platforms_own_address_is_what_the_documents_say() -> None:
    assert ip_address("168.63.129.16").is_global
