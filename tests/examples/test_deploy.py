"""The files of examples/deploy: each by its schema, each command in them by the command line, and no secret in any."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml
from compose_spec import PyCompose

from agent.cli.app import app

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
RAY = DEPLOY / "kuberay" / "raycluster.yaml"
COMPOSE = DEPLOY / "compose.yaml"
SECRET = re.compile(r"PASSWORD|TOKEN|API_KEY|SECRET")
VERSION = "1.33"


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def services() -> dict[str, dict[str, Any]]:
    return documents(COMPOSE)[0]["services"]


def pods(path: Path) -> Iterator[dict[str, Any]]:
    """Give what a manifest starts, each as the specification of a pod."""
    for one in documents(path):
        spec = one.get("spec", {})
        groups = [spec.get("headGroupSpec"), *spec.get("workerGroupSpecs", ())]
        for holder in (spec, *filter(None, groups)):
            if "template" in holder:
                yield holder["template"]["spec"]


def containers() -> list[dict[str, Any]]:
    return [one for path in (*MANIFESTS, RAY) for pod in pods(path) for one in pod["containers"]]


def require_known(words: list[str]) -> None:
    """Have the command line read a command, without carrying it out."""
    command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    if "--workers" not in known and "--workers" in words:  # of Ray, which is an extra
        at = words.index("--workers")
        words = words[:at] + words[at + 2 :]
    command.make_context(words[0], words[1:])


def test_the_file_of_compose_is_one() -> None:
    # What is merged by `<<` is merged by YAML, as Compose's own reader does.
    read = PyCompose.from_yaml(yaml.safe_dump(documents(COMPOSE)[0])).to_spec()
    assert set(read.services or {}) == set(services())
    with pytest.raises(Exception, match="replicas"):
        PyCompose.from_yaml("services: {one: {image: x, deploy: {replicas: many}}}")


def test_what_services_of_compose_name_is_there() -> None:
    (whole,) = documents(COMPOSE)
    for name, service in whole["services"].items():
        assert set(service.get("depends_on", ())) <= set(whole["services"]), name
        assert set(service.get("secrets", ())) <= set(whole["secrets"]), name
        named = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert named <= set(whole["volumes"]), name
    assert all(set(secret) == {"file"} for secret in whole["secrets"].values())


def test_an_entry_point_gives_libpq_the_password_and_the_command_its_words(tmp_path: Path) -> None:
    entry = services()["server"]["entrypoint"]
    (tmp_path / "warpwright").write_text('#!/bin/sh\necho "$PGPASSWORD" "$@"\n')
    (tmp_path / "warpwright").chmod(0o755)
    (tmp_path / "password").write_text("hidden\n")
    text = entry[2].replace("$$", "$").replace("/run/secrets/database_password", str(tmp_path / "password"))
    done = subprocess.run(
        [*entry[:2], text, entry[3], "serve", "--http"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "hidden serve --http\n"


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_is_one_of_kubernetes(path: Path) -> None:
    for one in documents(path):
        kubernetes_validate.validate(one, VERSION, strict=True)


def test_what_a_ray_cluster_starts_are_pods_of_kubernetes() -> None:
    started = list(pods(RAY))
    assert len(started) == 4
    for spec in started:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}
        kubernetes_validate.validate(pod, VERSION, strict=True)
        pod["spec"] = {**spec, "containerz": []}
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(pod, VERSION, strict=True)


def test_each_command_in_the_files_is_one() -> None:
    commands = [
        service["command"] for service in services().values() if "sh" in service.get("entrypoint", ())
    ]
    commands += [one["args"] for one in containers() if "args" in one]
    batch = (DEPLOY / "slurm" / "search.sbatch").read_text()
    (search,) = re.findall(r"^warpwright (.*) &$", batch, re.MULTILINE)
    commands.append([word.replace("$task", "softmax") for word in shlex.split(search)])
    assert {words[0] for words in commands} == {"serve", "supervise", "optimize"}
    for words in commands:
        require_known(words)
    with pytest.raises(Exception, match="No such option"):
        require_known(["serve", "--no-such-option"])


def test_no_secret_stands_in_a_file() -> None:
    for service in services().values():
        for name, value in service.get("environment", {}).items():
            assert not SECRET.search(name) or str(value).startswith("/run/secrets/"), name
    for container in containers():
        for one in container.get("env", ()):
            assert not SECRET.search(one["name"]) or "secretKeyRef" in one["valueFrom"], one["name"]
    for path in (COMPOSE, *MANIFESTS):
        assert not re.search(r"://[^/@\s]+:[^/@\s]+@", path.read_text()), path
    assert "kind: Secret" not in "".join(path.read_text() for path in MANIFESTS)


def test_every_container_is_without_rights_that_it_does_not_need() -> None:
    for path in (*MANIFESTS, RAY):
        for pod in pods(path):
            assert pod["securityContext"]["runAsNonRoot"] is True
            for one in pod["containers"]:
                assert one["securityContext"]["allowPrivilegeEscalation"] is False
                assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
                assert "memory" in one["resources"]["limits"]


def test_services_choose_pods_that_there_are() -> None:
    every = [one for path in MANIFESTS for one in documents(path)]
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in every if "template" in one["spec"]]
    claims = {one["metadata"]["name"] for one in every if one["kind"] == "PersistentVolumeClaim"}
    for one in every:
        selector = one["spec"].get("selector", {})
        wanted = selector.get("matchLabels", selector)
        if one["kind"] in ("Service", "PodDisruptionBudget", "Deployment", "StatefulSet"):
            assert any(wanted.items() <= found.items() for found in labels), one["metadata"]["name"]
    used = {
        volume["persistentVolumeClaim"]["claimName"]
        for path in MANIFESTS
        for pod in pods(path)
        for volume in pod.get("volumes", ())
        if "persistentVolumeClaim" in volume
    }
    assert used == claims


def test_the_batch_file_is_bash_and_gives_slurm_options_that_it_has() -> None:
    path = DEPLOY / "slurm" / "search.sbatch"
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0
    options = re.findall(r"^#SBATCH --([a-z-]+)=\S+$", path.read_text(), re.MULTILINE)
    known = {"job-name", "nodes", "ntasks-per-node", "cpus-per-task", "gpus-per-node", "time", "signal"}
    assert set(options) == known
    assert len(options) == path.read_text().count("#SBATCH")


def test_the_readme_names_every_file() -> None:
    text = (DEPLOY / "README.md").read_text()
    for one in DEPLOY.iterdir():
        assert one.name in text or one.name in ("README.md", "secrets")
