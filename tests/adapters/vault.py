"""A stand-in for Key Vault: its REST protocol over HTTPS, with challenge, versions and tags."""

import copy
import ipaddress
import json
import ssl
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from azure.core.pipeline.transport import RequestsTransport
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DOMAIN = "vault.test"
PAGE = 2


def a_certificate(folder: Path) -> Path:
    """A self-signed one for 127.0.0.1, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vault")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "vault.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


class ToThisMachine(RequestsTransport):  # type: ignore[misc]
    """Sends what is for the vault's name to the stand-in; the name itself is in no DNS."""

    def send(self, request: Any, **given: Any) -> Any:
        parts, there = urlsplit(request.url), copy.copy(request)
        there.url = parts._replace(netloc=f"127.0.0.1:{parts.port}").geturl()
        return super().send(there, **given)


@dataclass
class Vault:
    """One vault; `refuse` is answered to whoever has shown a token."""

    port: int
    certificate: Path
    secrets: defaultdict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    refuse: tuple[int, str, dict[str, str]] | None = None
    challenged: int = 0
    asked: list[str] = field(default_factory=list)
    refused: int = 0

    @property
    def url(self) -> str:
        return f"https://churn.{DOMAIN}:{self.port}"

    @property
    def transport(self) -> RequestsTransport:
        return ToThisMachine(connection_verify=str(self.certificate))

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(target)
        self.asked.append(f"{method} {parts.path}")
        _, _, name, *rest = [*parts.path.split("/"), ""]
        if method == "PUT":
            return 200, self._put(name, body)
        versions = self.secrets[name]
        if rest[0] == "versions":
            return (200, self._listed(name, parts.query)) if versions else _missing(name)
        wanted = [one for one in versions if not rest[0] or one["id"].endswith(rest[0])]
        return (200, wanted[-1]) if wanted else _missing(name)

    def _put(self, name: str, body: Any) -> Any:
        number = len(self.secrets[name]) + 1
        now = int(time.time()) + number  # whole seconds, as Key Vault's are; never twice the same
        about = {"enabled": True, "created": now, "updated": now, "recoveryLevel": "Purgeable"}
        made = {
            "value": body["value"],
            "id": f"{self.url}/secrets/{name}/{number:032x}",
            "attributes": {**about, **(body.get("attributes") or {})},
            "tags": body.get("tags") or {},
            "contentType": body.get("contentType"),
        }
        self.secrets[name].append(made)
        return made

    def _listed(self, name: str, query: str) -> Any:
        """In no order that means anything, and in pages."""
        skip = int(parse_qs(query).get("$skiptoken", ["0"])[0])
        backwards = list(reversed(self.secrets[name]))
        page = [{k: v for k, v in one.items() if k != "value"} for one in backwards]
        more = skip + PAGE < len(page)
        link = f"{self.url}/secrets/{name}/versions?api-version=7.6&$skiptoken={skip + PAGE}"
        return {"value": page[skip : skip + PAGE], "nextLink": link if more else None}


def _missing(name: str) -> tuple[int, Any]:
    message = f"A secret with (name/id) {name} was not found in this key vault."
    return 404, {"error": {"code": "SecretNotFound", "message": message}}


@contextmanager
def a_vault(folder: Path) -> Iterator[Vault]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers: dict[str, str] = {}
            if not self.headers.get("Authorization"):
                vault.challenged += 1
                where = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47"
                resource = f"https://{DOMAIN}:{vault.port}"
                headers["WWW-Authenticate"] = (
                    f'Bearer authorization="{where}", resource="{resource}"'
                )
                status, body = 401, {"error": {"code": "Unauthorized", "message": "no token"}}
            elif vault.refuse:
                vault.refused += 1
                status, code, headers = vault.refuse
                body = {"error": {"code": code, "message": f"no: {raw.decode()}"}}
            else:
                status, body = vault.answer(self.command, self.path, json.loads(raw or b"null"))
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = _do  # noqa: N815 - the server's names

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    certificate = a_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    vault = Vault(server.server_port, certificate)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()
