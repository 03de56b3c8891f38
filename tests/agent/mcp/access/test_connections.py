"""As many connections as a server promises, whatever it was begun with."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from agent.home import Home
from tests.agent.mcp.http_serving import ask, environment
from tests.agent.supervisors import end_supervisor

BEGUN_WITH, CONNECTIONS = 128, 300


def test_a_server_that_began_with_few_descriptors_answers_beside_more_connections_than_those(tmp_path: Path):
    command = shlex.join([sys.executable, "-m", "warpwright", "serve", "--http", "--port", "0"])
    limited = ["bash", "-c", f"ulimit -Sn {BEGUN_WITH} && exec {command}"]
    with ExitStack() as stack:
        process = subprocess.Popen(limited, env=environment(tmp_path), stderr=subprocess.PIPE, text=True)
        stack.callback(end_supervisor, Home(tmp_path))
        stack.callback(process.communicate, timeout=30)
        stack.callback(process.terminate)
        assert process.stderr is not None
        url = next(line.split()[-1] for line in process.stderr if line.startswith("listening on "))
        place = urlsplit(url)
        for _ in range(CONNECTIONS):
            stack.enter_context(socket.create_connection((place.hostname, place.port), timeout=10))
        assert ask(url, None).status_code == 200
