"""Callers with an OAuth issuer's tokens: a real issuer and a real server, each on a socket of its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from agent.home import Home
from agent.mcp.access.http import ListenAddress
from agent.mcp.access.issuer import Issuer
from agent.mcp.access.oauth import JwtVerifier, tenant_of
from agent.mcp.access.rates import STRANGERS_A_MINUTE
from agent.mcp.access.tokens import Allowance, TokenFile
from sandbox.errors import UsageError
from tests.agent.mcp.http_serving import Served, ask, bearer, http_server, own_run
from tests.agent.mcp.oauth_issuer import LocalIssuer, local_issuer

in_both_modes = pytest.mark.parametrize("mode", ["auto", "legacy"])
AUDIENCE = "https://gpu.example/mcp"


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    with local_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def own_token(home: Path) -> str:
    return TokenFile(Home(home).tokens).add("ada", Allowance(requests_per_minute=1000))


@pytest.fixture(scope="module")
def server(home: Path, own_token: str, issuer: LocalIssuer) -> Iterator[Served]:
    with http_server(home, "--oauth", issuer.url, "--requests", "500") as served:
        yield served


@pytest.fixture
async def verifier(issuer: LocalIssuer) -> JwtVerifier:
    return JwtVerifier(await Issuer.find(issuer.url), AUDIENCE, Allowance())


def unsigned(claims: dict[str, Any], algorithm: str, signature: bytes = b"", **headers: str) -> str:
    """Return a token as no library makes it."""
    parts = [
        json.dumps({"alg": algorithm, "typ": "JWT", **headers}).encode(),
        json.dumps(claims).encode(),
        signature,
    ]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def signed_with_the_public_key(issuer: LocalIssuer, claims: dict[str, Any]) -> str:
    """Return the token of who takes the public key for a shared secret."""
    public = issuer.keys["first"][1].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    body = unsigned(claims, "HS256", kid="first").rsplit(".", 1)[0]
    signature = hmac.new(pem, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def bad_tokens(issuer: LocalIssuer, audience: str) -> dict[str, str]:
    now = int(time.time())
    claims = issuer.claims(audience)
    strangers_key = rsa.generate_private_key(65537, 2048)
    good = issuer.token(audience)
    return {
        "another audience": issuer.token("https://elsewhere.example/mcp"),
        "no audience": issuer.token(audience, aud=None),
        "another issuer": issuer.token(audience, iss="https://elsewhere.example"),
        "an issuer but for a slash": issuer.token(audience, iss=issuer.url + "/"),
        "expired just now": issuer.token(audience, exp=now - 1),
        "without an end": issuer.token(audience, exp=None),
        "an end that is no number": issuer.token(audience, exp=1e400),
        "not yet valid": issuer.token(audience, nbf=now + 300),
        "of nobody": issuer.token(audience, sub=None),
        "of an empty subject": issuer.token(audience, subject=""),
        "algorithm none": unsigned(claims, "none", kid="first"),
        "algorithm NONE": unsigned(claims, "NONE", kid="first"),
        "HS256 with the public key": signed_with_the_public_key(issuer, claims),
        "a stranger's key under a known name": jwt.encode(
            claims, strangers_key, "RS256", headers={"kid": "first"}
        ),
        "a stranger's key under its own name": jwt.encode(
            claims, strangers_key, "RS256", headers={"kid": "mine"}
        ),
        "a key of the token's own": jwt.encode(
            claims, strangers_key, "RS256", headers={"jwk": {"kty": "RSA"}, "jku": "http://127.0.0.1:1/keys"}
        ),
        "another algorithm than the key's": unsigned(claims, "RS512", b"x" * 256, kid="first"),
        "a changed end": good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"),
        "extensions nobody knows": unsigned(claims, "RS256", b"x" * 256, kid="first", crit="exp"),
        "garbage": "garbage",
        "three empty parts": "..",
        "binary": "\x00\xff.\x01.\x02",
        "deep": base64.urlsafe_b64encode(b"[" * 5000).rstrip(b"=").decode() + ".e30.e30",
        "10 kB": issuer.token(audience, padding="x" * 10_000),
        "another kind of token": "warpwright_wrong",
    }


def test_a_token_of_the_issuer_is_enough_and_one_of_the_servers_own_still_is(
    server: Served, issuer: LocalIssuer, own_token: str
) -> None:
    assert ask(server.url, issuer.token(server.url)).status_code == 200
    assert (
        ask(server.url, issuer.token(server.url, aud=["https://other.example", server.url])).status_code
        == 200
    )
    assert ask(server.url, own_token).status_code == 200


def test_a_stranger_is_told_where_tokens_come_from(server: Served, issuer: LocalIssuer) -> None:
    for token in (None, "garbage", issuer.token("https://elsewhere.example/mcp")):
        refused = ask(server.url, token)
        assert refused.status_code == 401
        told = refused.headers["www-authenticate"]
        assert told.startswith("Bearer ")
        metadata = re.search(r'resource_metadata="([^"]+)"', told)
        assert metadata is not None
    published = httpx2.get(metadata[1]).json()
    assert published["resource"] == server.url
    assert published["authorization_servers"] == [issuer.url]


async def test_no_other_token_is_taken(issuer: LocalIssuer, verifier: JwtVerifier) -> None:
    assert await verifier.verify_token(issuer.token(AUDIENCE)) is not None
    for why, token in bad_tokens(issuer, AUDIENCE).items():
        assert await verifier.verify_token(token) is None, why


def test_every_bad_token_is_answered_401_and_leaves_no_trace_on_standard_error(
    tmp_path: Path, issuer: LocalIssuer
) -> None:
    with http_server(tmp_path, "--oauth", issuer.url, "--public-url", AUDIENCE) as served:
        for why, token in bad_tokens(issuer, AUDIENCE).items():
            if token.isascii() and token.isprintable():
                assert ask(served.url, token).status_code == 401, why
        assert ask(served.url, issuer.token(AUDIENCE), host="gpu.example").status_code == 200
        where = served.url.removesuffix("/mcp") + "/.well-known/oauth-protected-resource/mcp"
        assert httpx2.get(where).json()["resource"] == AUDIENCE
        served.process.terminate()
        said = served.process.communicate(timeout=30)[1]
    assert "Traceback" not in said
    assert "Audience doesn't match" in " ".join(said.split()), (
        "whoever runs the server learns what is set up wrong"
    )


@in_both_modes
async def test_two_subjects_are_strangers_to_each_other_and_to_a_token_of_the_same_name(
    mode: str, home: Path, server: Served, issuer: LocalIssuer, own_token: str
) -> None:
    runs = {name: own_run(home, tenant_of(issuer.url, name)) for name in ("ada", "bob")}
    runs["local"] = own_run(home, "ada")
    tokens = {name: issuer.token(server.url, name) for name in ("ada", "bob")} | {"local": own_token}
    for name, token in tokens.items():
        async with server.client(token, mode) as client:
            answer = await client.call_tool("list_searches", {})
            assert answer.structured_content is not None
            listed = {line["run"] for line in answer.structured_content["searches"]}
            assert runs[name] in listed
            assert not listed & {run for other, run in runs.items() if other != name}
            for other, run in runs.items():
                refused = (await client.call_tool("search_status", {"run": run})).is_error
                assert refused == (other != name)


def test_a_subject_becomes_a_folders_name_that_no_other_can_have(tmp_path: Path) -> None:
    subjects = [
        "ada",
        "Ada",
        "../x",
        "a/b",
        "",
        ".",
        "a" * 10_000,
        "\u00e4",
        "a\u0308",
        "\ud800",
        "\x00",
        'a","b',
    ]
    names = {tenant_of(issuer, subject) for issuer in ("https://a", "https://b") for subject in subjects}
    assert len(names) == 2 * len(subjects)
    for name in names:
        assert Home(tmp_path).tenant(name).root.parent == tmp_path / "tenants"
        assert re.fullmatch(r"oauth\.[0-9a-f]{40}", name)
        with pytest.raises(UsageError):
            TokenFile(tmp_path / "tokens.json").add(name)
    assert tenant_of("https://a", 'b","c') != tenant_of('https://a","b', "c")


def test_a_caller_is_limited_by_who_it_is_and_a_stranger_by_address(
    tmp_path: Path, issuer: LocalIssuer
) -> None:
    with http_server(tmp_path, "--oauth", issuer.url, "--requests", "3") as served:
        ada = [issuer.token(served.url, "ada", jti=str(number)) for number in range(5)]
        assert [ask(served.url, token).status_code for token in ada][-1] == 429
        assert ask(served.url, issuer.token(served.url, "bob")).status_code == 200
        strangers = [ask(served.url, None) for _ in range(STRANGERS_A_MINUTE + 1)]
        assert strangers[-1].status_code == 429
        assert httpx2.get(served.url, headers=bearer("garbage")).status_code == 429
        assert ask(served.url, issuer.token(served.url, "cy")).status_code == 200


def test_a_scope_is_asked_for_and_named_and_the_servers_own_tokens_have_it(
    tmp_path: Path, issuer: LocalIssuer
) -> None:
    own = TokenFile(Home(tmp_path).tokens).add("ada")
    options = ("--oauth", issuer.url, "--scope", "kernels", "--audience", "api://gpu")
    with http_server(tmp_path, *options) as served:
        refused = ask(served.url, issuer.token("api://gpu", scope="mail profile"))
        assert refused.status_code == 403
        assert "insufficient_scope" in refused.headers["www-authenticate"]
        for claims in ({"scope": "mail kernels"}, {"scp": "kernels"}, {"scp": ["mail", "kernels"]}):
            assert ask(served.url, issuer.token("api://gpu", **claims)).status_code == 200
        assert ask(served.url, own).status_code == 200


async def test_a_checked_token_is_not_checked_again_and_never_counts_beyond_its_end(
    issuer: LocalIssuer, verifier: JwtVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.token(AUDIENCE, exp=int(time.time()) + 3)
    first = await verifier.verify_token(token)
    assert first is not None
    assert await verifier.verify_token(token) is first
    now = time.time() + 3
    monkeypatch.setattr("agent.mcp.access.oauth.time", lambda: now)
    assert await verifier.verify_token(token) is None


def test_an_address_of_the_public_needs_no_other_name() -> None:
    assert ListenAddress(public_url=AUDIENCE).url(8000) == AUDIENCE
    assert ListenAddress(host="::1").url(8000) == "http://[::1]:8000/mcp"
