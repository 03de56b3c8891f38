"""`tasks`: what can be searched for without writing a task."""

from __future__ import annotations

from agent.cli.options import AsJson
from agent.cli.outcome import ExitStatus, conclude


def tasks(as_json: AsJson = False) -> None:
    """List the bundled tasks, and your own."""

    async def work() -> ExitStatus:
        from agent.cli import output
        from agent.home import home
        from agent.report.figures import pairs
        from tools.tasks.catalogue import TaskCatalogue

        known = TaskCatalogue(home().tasks).tasks()
        if as_json:
            listed = [
                {
                    "name": task.name,
                    "summary": task.summary,
                    "folder": str(task.folder),
                    "sha": task.sha,
                    "tests": [case.dims for case in task.tests],
                    "benches": [case.dims for case in task.benches],
                }
                for task in known
            ]
            output.print_json(listed)
            return ExitStatus.DONE
        made = output.table("task", "timed at", "")
        for task in known:
            made.add_row(task.name, "; ".join(pairs(case.dims) for case in task.benches), task.summary)
        output.console().print(made)
        return ExitStatus.DONE

    conclude(work, as_json=as_json)
