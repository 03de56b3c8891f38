"""What a worker with PyTorch sees, whichever build of it is installed."""

from __future__ import annotations

import subprocess
import sys

from sandbox.isolation.base import installed
from sandbox.torch_graphs.confined import PACKAGES


def test_libraries_that_a_build_for_cuda_loads_as_it_is_imported_are_there():
    found = installed([name for name in PACKAGES if name == "nvidia"])
    assert found
    assert {package.relative for package in found} == {"nvidia"}


def test_a_package_whose_files_are_closed_is_not_found_rather_than_half_there():
    asked = (
        "from importlib.util import find_spec; from sandbox.torch_graphs.confined import prepare; prepare();"
        " print([find_spec(name) for name in ('triton', 'opt_einsum', 'cuda')])"
    )
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert told == "[None, None, None]\n"
