"""What is asked of an OAuth issuer, when, and what becomes of it while the issuer is gone or is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli.app import app
from agent.mcp.access import issuer as issuers
from agent.mcp.access.issuer import Issuer
from agent.mcp.access.oauth import JwtVerifier, tenant_of
from agent.mcp.access.tokens import Allowance
from sandbox.errors import MissingDependencyError, UsageError
from tests.agent.mcp.http_serving import environment
from tests.agent.mcp.oauth_issuer import local_issuer

AUDIENCE = "https://gpu.example/mcp"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize(
    ("path", "well_known"), [("", "openid-configuration"), ("/realms/gpu", "oauth-authorization-server")]
)
async def test_issuers_are_found_by_both_kinds_of_metadata_and_sign_as_they_like(
    algorithm: str, path: str, well_known: str
) -> None:
    with local_issuer(path, well_known) as issuer:
        issuer.add_key("other", algorithm)
        verifier = JwtVerifier(await Issuer.find(issuer.url), AUDIENCE, Allowance())
        access = await verifier.verify_token(issuer.token(AUDIENCE, key="other"))
        assert access is not None
        assert access.client_id == tenant_of(issuer.url, "ada")


async def test_new_keys_are_fetched_when_a_token_names_one_but_only_now_and_then() -> None:
    with local_issuer() as issuer:
        verifier = JwtVerifier(await Issuer.find(issuer.url), AUDIENCE, Allowance())
        before = issuer.token(AUDIENCE)
        issuer.rotate("second")
        assert await verifier.verify_token(issuer.token(AUDIENCE, key="second")) is not None
        assert await verifier.verify_token(before) is None
        asked = issuer.asked["/keys"]
        for number in range(20):
            issuer.keys[f"unknown{number}"] = issuer.keys["second"]
            assert await verifier.verify_token(issuer.token(AUDIENCE, key=f"unknown{number}")) is None
        assert issuer.asked["/keys"] == asked


async def test_while_the_issuer_is_down_known_keys_count_and_others_do_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(issuers, "KEYS_LAST_S", 0.0)
    monkeypatch.setattr(issuers, "PAUSE_S", 0.0)
    with local_issuer() as issuer:
        verifier = JwtVerifier(await Issuer.find(issuer.url), AUDIENCE, Allowance())
    issuer.keys["second"] = issuer.keys["first"]
    for subject in ("ada", "bob"):
        assert await verifier.verify_token(issuer.token(AUDIENCE, subject)) is not None
        assert await verifier.verify_token(issuer.token(AUDIENCE, subject, key="second")) is None
    assert "does not answer" in caplog.text
    assert "Traceback" not in caplog.text


def start(home: Path, *options: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "warpwright", "serve", *options]
    ended = subprocess.run(command, env=environment(home), capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stderr


def test_an_issuer_that_does_not_answer_is_one_clear_message(tmp_path: Path) -> None:
    with local_issuer() as issuer:
        pass
    status, said = start(tmp_path, "--http", "--port", "0", "--oauth", issuer.url)
    assert status == 3
    assert issuer.url in said
    assert "does not answer" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--oauth", "https://issuer.example"), "--http"),
        (("--http", "--audience", "x"), "--oauth ISSUER"),
        (("--http", "--oauth", "http://issuer.example"), "must use https"),
        (("--http", "--oauth", "issuer.example"), "https://HOST"),
        (("--http", "--oauth", "https://issuer.example", "--public-url", "gpu.example"), "https://HOST/mcp"),
        (("--http", "--oauth", "https://issuer.example", "--host", "0.0.0.0", "--port", "0"), "--public-url"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_with_what_to_do(
    options: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    ended = CliRunner().invoke(app, ["serve", *options], env={"WARPWRIGHT_HOME": str(tmp_path)})
    assert ended.exit_code == 2
    assert expected in " ".join(ended.stderr.split())


async def test_what_is_not_the_issuers_metadata_is_refused() -> None:
    with local_issuer() as issuer:
        issuer.publish_metadata(issuer="https://elsewhere.example")
        with pytest.raises(UsageError, match=r"calls itself https://elsewhere\.example"):
            await Issuer.find(issuer.url)
        issuer.publish_metadata(jwks_uri="http://elsewhere.example/keys")
        with pytest.raises(UsageError, match="must use https"):
            await Issuer.find(issuer.url)
        issuer.publish_metadata(jwks_uri=f"{issuer.url}/keys")
        for keys in (
            b"",
            b"[]",
            b'{"keys": []}',
            b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "first"}]}',
        ):
            issuer.answers["/keys"] = (200, keys)
            with pytest.raises(UsageError, match="no key"):
                await Issuer.find(issuer.url)
        issuer.answers["/keys"] = (200, b"x" * (2 << 20))
        with pytest.raises(MissingDependencyError, match="without an end"):
            await Issuer.find(issuer.url)
        issuer.answers[issuer.metadata_path] = (503, b"")
        with pytest.raises(MissingDependencyError, match="503"):
            await Issuer.find(issuer.url)
        issuer.answers[issuer.metadata_path] = (404, b"")
        with pytest.raises(UsageError, match="is no OAuth issuer"):
            await Issuer.find(issuer.url)
