"""The weakest isolation: resource limits and an empty environment, where bubblewrap cannot start."""

from __future__ import annotations

from sandbox.isolation.base import (
    ENVIRONMENT,
    Command,
    Isolation,
    WorkerSpec,
    import_root,
    installed,
    python_command,
    source_root,
)


class ProcessIsolation(Isolation):
    """A plain child process with resource limits, no new privileges and an empty environment.

    The worker itself applies the limits before it reads any request (see `sandbox.worker.limits`). Where the
    kernel has Landlock, that would be the place to narrow what it may read as well; it is not used yet.
    """

    @property
    def name(self) -> str:
        """See `Isolation`."""
        return "process"

    @property
    def warning(self) -> str | None:
        """See `Isolation`."""
        return (
            "isolation is 'process': limits on memory, files and time hold, but code in a worker can read "
            "files that you can read, use the network, and signal your processes"
        )

    def command(self, spec: WorkerSpec, fd: int) -> Command:
        """See `Isolation`."""
        paths = list(dict.fromkeys(str(import_root(package)) for package in installed(spec.packages)))
        resources = {name: [str(path) for path in files] for name, files in spec.resources}
        # No limit on processes: it would count everything else that the user runs.
        argv = python_command(str(source_root()), spec, fd, paths=paths, resources=resources, processes=None)
        return Command(tuple(argv), dict(ENVIRONMENT))
