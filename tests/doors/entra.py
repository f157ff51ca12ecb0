"""A stand-in for Entra ID on this machine: publishes keys over HTTP, and signs tokens with them."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

TENANT = "11111111-2222-3333-4444-555555555555"
AUDIENCE = "api://rollout"
CLIENT = "99999999-8888-7777-6666-555555555555"


@cache
def a_key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(name: str) -> bytes:
    return (
        a_key(name)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


@dataclass
class Entra:
    """Publishes the keys named in `published`; counts how often it was asked."""

    published: list[str] = field(default_factory=lambda: ["first"])
    asked: list[str] = field(default_factory=list)
    status: int = 200
    body: bytes | None = None
    url: str = ""

    def keys(self) -> bytes:
        keys = [
            {
                **RSAAlgorithm.to_jwk(a_key(name).public_key(), as_dict=True),
                "kid": name,
                "use": "sig",
            }
            for name in self.published
        ]
        return json.dumps({"keys": keys}).encode() if self.body is None else self.body

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        told = {
            "iss": f"{self.url}/{TENANT}/v2.0",
            "aud": AUDIENCE,
            "tid": TENANT,
            "oid": "0a",
            "azp": CLIENT,
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "roles": ["operator"],
            **changed,
        }
        return {name: value for name, value in told.items() if value is not None}

    def token(self, key: str = "first", kid: str | None = None, **changed: Any) -> str:
        """A token signed by that key; a claim that is None is left out."""
        return jwt.encode(
            self.claims(**changed), a_key(key), algorithm="RS256", headers={"kid": kid or key}
        )

    def for_person(self, name: str = "anna@contoso.com", **changed: Any) -> str:
        return self.token(scp="access", preferred_username=name, **changed)


@contextmanager
def running() -> Iterator[Entra]:
    entra = Entra()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            entra.asked.append(self.path)
            body = entra.keys()
            self.send_response(entra.status)
            if entra.status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    entra.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield entra
    finally:
        server.shutdown()
        server.server_close()
