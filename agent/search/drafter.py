"""From a request in plain words to a drafted task, and answers about a finished search; both by a chat model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import TypeAdapter, ValidationError

from agent.models.answerer import ChatQuestion
from agent.models.blocks import answer_text
from agent.models.endpoint import Endpoint
from agent.models.feedback import feedback
from agent.models.reply import draft_of, json_object, no_answer
from agent.report.markdown import markdown
from agent.report.reading import read_account
from agent.store import Store
from prompts import load_role
from sandbox.errors import UsageError
from tools.mcp.drafts import NewTask
from tools.mcp.translation import KERNEL_FILE_RULES
from tools.tasks.drafting import write_folder
from tools.tasks.folder import load
from tools.tasks.task import Task

_TRIES = 3


@dataclass(frozen=True)
class Talk:
    """One conversation with a chat model."""

    endpoint: Endpoint
    said: tuple[BaseMessage, ...]

    async def ask(self, text: str) -> tuple[str, Talk]:
        """Say something; return the answer, and the conversation with it.

        Raises:
            ProposalError: The endpoint gave no answer.
        """
        messages = (*self.said, HumanMessage(text))
        reply = await self.endpoint.ask(ChatQuestion(messages))
        answer = answer_text(reply.text)
        said = "\n".join(part for part in (answer, no_answer(reply)) if part)
        return said, Talk(self.endpoint, (*messages, AIMessage(answer)))


async def write_draft(endpoint: Endpoint, request: str, folder: Path) -> Task:
    """Have a task drafted into a folder; what is wrong with it goes back to the model, a few times at most.

    Raises:
        UsageError: No draft could be used; the text says what was wrong with the last.
        ProposalError: The model gave no answer.
    """
    role = Template(load_role("drafter")).substitute(rules=KERNEL_FILE_RULES)
    talk, said, problem = Talk(endpoint, (SystemMessage(role),)), request, ""
    for _ in range(_TRIES):
        reply, talk = await talk.ask(said)
        try:
            return _written(reply, folder)
        except UsageError as error:
            problem = str(error)
            said = f"That draft cannot be used: {problem}\nGive all three blocks again, mended."
    raise UsageError(
        f"the model drafted no usable task in {_TRIES} tries; of the last: {problem}. Try once more, or another model"
    )


def about(store: Store, run: str, task: Task, endpoint: Endpoint) -> Talk:
    """Return a conversation about a search that ended."""
    result = store.get_result(run)
    best = None if result.best is None else store.kernels.read(run, result.best.sha)
    facts = [markdown(read_account(store, run)), f"# Baseline\n\n```cuda\n{task.baseline}\n```"]
    if result.best is not None:
        key = (result.best.round, result.best.candidate)
        facts.extend(
            f"# What the tools said of the best kernel\n\n{feedback(trial, best)}"
            for trial in store.candidates.trials(run)
            if (trial.round, trial.candidate) == key
        )
    facts.append(f"# Reference\n\n```python\n{task.reference}\n```")
    return Talk(endpoint, (SystemMessage(load_role("explainer") + "\n\n" + "\n\n".join(facts)),))


def _written(reply: str, folder: Path) -> Task:
    parts = draft_of(reply)
    named = (("json", parts.fields), ("python", parts.reference), ("cuda", parts.baseline))
    if missing := [name for name, part in named if part is None]:
        raise UsageError(f"it has no fenced block of {' and '.join(missing)}")
    fields = json_object(parts.fields or "")
    if not isinstance(fields, dict):
        raise UsageError("the json block is not an object of JSON")
    whole = cast("dict[str, object]", fields) | {"reference": parts.reference, "baseline": parts.baseline}
    try:
        draft = TypeAdapter(NewTask).validate_python(whole)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:8])
        raise UsageError(wrong) from None
    write_folder(draft, folder)
    return load(folder)
