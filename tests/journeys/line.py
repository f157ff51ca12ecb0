"""A line to the emulator that speaks TLS, and may be cut in the middle or speak for a stranger."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import urlsplit

from tests.emulator.test_tls import a_certificate

_CUT_AFTER = 60
"""So many bytes of an answer come through a line that is cut."""
_BLOCK = 65_536


class Line:
    """Passes bytes on, each connection in a thread of its own."""

    def __init__(self, to: str, trusted: Path, stranger: Path) -> None:
        there = urlsplit(to)
        self._to = (there.hostname, there.port)
        self._ours, self._foreign = _server(trusted), _server(stranger)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open = set[socket.socket]()
        self._lock = Lock()
        self.cut = False
        self.stranger = False
        self.answers_cut = 0
        self.refused = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._listening.getsockname()[1]}"

    def becomes(self, *, cut: bool = False, stranger: bool = False) -> None:
        """From now on; connections that are open end."""
        self.cut, self.stranger = cut, stranger
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        """Until it is closed."""
        with suppress(OSError):
            while True:
                caller, _ = self._listening.accept()
                Thread(target=self._connected, args=(caller,), daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.becomes()

    def _connected(self, caller: socket.socket) -> None:
        context = self._foreign if self.stranger else self._ours
        try:
            near = context.wrap_socket(caller, server_side=True)
        except OSError:  # whoever is no fool hangs up
            self.refused += self.stranger
            caller.close()
            return
        with suppress(OSError), near, socket.create_connection(self._to) as far:
            with self._lock:
                self._open |= {near, far}
            Thread(target=self._onward, args=(near, far), daemon=True).start()
            self._back(far, near)
        with self._lock:
            self._open -= {near, far}

    def _onward(self, near: ssl.SSLSocket, far: socket.socket) -> None:
        with suppress(OSError):
            while block := near.recv(_BLOCK):
                far.sendall(block)
        with suppress(OSError):
            far.shutdown(socket.SHUT_RDWR)

    def _back(self, far: socket.socket, near: ssl.SSLSocket) -> None:
        while block := far.recv(_BLOCK):
            if self.cut:
                self.answers_cut += 1
                near.sendall(block[:_CUT_AFTER])
                near.shutdown(socket.SHUT_RDWR)  # what is read from it in another thread ends too
                return
            near.sendall(block)


def _server(chain: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, chain.with_name("key.pem"))
    return context


@contextmanager
def a_line(to: str, folder: Path) -> Iterator[tuple[Line, Path]]:
    """The line, and the certificate that its callers have to trust."""
    for name in ("trusted", "stranger"):
        (folder / name).mkdir(parents=True)
    trusted, _ = a_certificate(folder / "trusted")
    stranger, _ = a_certificate(folder / "stranger")
    line = Line(to, trusted, stranger)
    thread = Thread(target=line.serve, daemon=True)
    thread.start()
    try:
        yield line, trusted
    finally:
        line.close()
        thread.join(10)
