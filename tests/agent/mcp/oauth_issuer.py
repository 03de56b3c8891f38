"""An OAuth issuer on a socket of this machine: metadata, keys, and tokens signed by them."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_MAKERS = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


class LocalIssuer:
    """Serves what an authorization server publishes, below a path; `answers` may be changed at any time."""

    def __init__(self, path: str = "", well_known: str = "oauth-authorization-server") -> None:
        self.asked: Counter[str] = Counter()
        self.answers: dict[str, tuple[int, bytes]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._origin = f"http://127.0.0.1:{self._server.server_port}"
        self.url = self._origin + path
        self.metadata_path = f"/.well-known/{well_known}{path}"
        self.keys: dict[str, tuple[str, PrivateKey]] = {}
        self.publish_metadata()
        self.add_key("first")

    def publish_metadata(self, **changed: object) -> None:
        metadata = {"issuer": self.url, "jwks_uri": f"{self._origin}/keys", **changed}
        self.answers[self.metadata_path] = (200, json.dumps(metadata).encode())

    def add_key(self, name: str, algorithm: str = "RS256") -> None:
        self.keys[name] = (algorithm, _MAKERS[algorithm]())
        self._publish_keys()

    def rotate(self, name: str) -> None:
        self.keys.clear()
        self.add_key(name)

    def token(self, audience: str, subject: str = "ada", key: str = "first", **changed: Any) -> str:
        """Sign an access token; a claim changed to None is left out."""
        algorithm, private = self.keys[key]
        return jwt.encode(self.claims(audience, subject, **changed), private, algorithm, headers={"kid": key})

    def claims(self, audience: str, subject: str = "ada", **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.url, "aud": audience, "sub": subject, "iat": now, "exp": now + 600, **changed}
        return {name: value for name, value in claims.items() if value is not None}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _publish_keys(self) -> None:
        keys = []
        for name, (algorithm, private) in self.keys.items():
            public = jwt.get_algorithm_by_name(algorithm).to_jwk(private.public_key(), as_dict=True)  # type: ignore[arg-type]
            keys.append({**public, "kid": name, "alg": algorithm, "use": "sig"})
        self.answers["/keys"] = (200, json.dumps({"keys": keys}).encode())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked[self.path] += 1
                status, body = issuer.answers.get(self.path, (404, b""))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        return Handler

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)


@contextmanager
def local_issuer(path: str = "", well_known: str = "oauth-authorization-server") -> Iterator[LocalIssuer]:
    issuer = LocalIssuer(path, well_known)
    thread = threading.Thread(target=issuer.serve)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.close()
        thread.join()
