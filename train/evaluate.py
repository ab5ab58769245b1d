"""Evaluate a model on tasks of lm-evaluation-harness, scored as the harness or as LLaMA's authors score.

Of a multiple-choice question the harness's ``acc`` takes the answer of the highest likelihood. LLaMA normalises it by
the number of the answer's characters, but for OpenBookQA and BoolQ, where it divides by the likelihood of the same
answer after "Answer:" alone (Touvron et al., 2023, section 3; Brown et al., 2020, section 2.4).
"""

import os
import random
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any, Literal

import numpy as np
from lm_eval.api.instance import Instance
from lm_eval.evaluator import evaluate as run_harness
from lm_eval.tasks import TaskManager
from lm_eval.utils import make_table

from train.harness import HarnessModel

Scoring = Literal["lm-eval", "characters", "answer", "llama"]

#: Context that an answer's likelihood is divided by, and the tasks LLaMA does so for.
UNCONDITIONAL = "Answer:"
_BY_ANSWER = ("openbookqa", "boolq")
_BOOTSTRAP_ITERATIONS = 1000
#: The harness's own.
_SEED, _FEWSHOT_SEED = 0, 1234


def evaluate(
    model: Any,
    tasks: Sequence[str],
    *,
    include_path: str | None = None,
    scoring: Scoring = "lm-eval",
    num_fewshot: int | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Run tasks.

    Args:
        model: A :class:`train.harness.HarnessModel`, or any other model of the harness.
        tasks: Names of tasks, groups or tags.
        include_path: Folder of YAML tasks, which come before the harness's own.
        scoring: ``lm-eval`` reports the task's own metrics; ``characters`` and ``answer`` add ``acc_characters`` or
            ``acc_answer`` to every multiple-choice task, ``llama`` the one of the two that LLaMA's authors took.
        num_fewshot: Examples before each question, in place of the task's own number.
        limit: Questions of each task; all by default.

    Returns:
        The harness's results, each task's metrics under ``results``, without the single answers; ``truncated`` counts
        requests whose context did not fit the model's.

    Raises:
        ValueError: A task is not known.
    """
    random.seed(_SEED)
    np.random.seed(_FEWSHOT_SEED)
    loaded = _manager(tasks, include_path).load(list(tasks))
    for task in loaded["tasks"].values():
        _set_fewshot(task, num_fewshot)
    # The harness forks to bootstrap, which a process with JAX's threads must not do.
    os.environ["DISABLE_MULTIPROC"] = "1"
    # Not its simple_evaluate, which asks pip, git and the machine for seconds of details that are no one's business.
    results: dict[str, Any] = run_harness(
        lm=model, task_dict=loaded, limit=limit, bootstrap_iters=_BOOTSTRAP_ITERATIONS, log_samples=True
    )
    samples = results.pop("samples")
    for name, task in loaded["tasks"].items():
        if (kind := _kind(scoring, name)) and task.OUTPUT_TYPE == "multiple_choice":
            correct = _correct(model, task, samples[name], kind)
            error = float(np.std(correct, ddof=1) / np.sqrt(len(correct))) if len(correct) > 1 else "N/A"
            metrics = {f"acc_{kind},none": float(np.mean(correct)), f"acc_{kind}_stderr,none": error}
            results["results"][name] |= metrics
            results.setdefault("higher_is_better", {}).setdefault(name, {})[f"acc_{kind}"] = True
    results["lm_eval_version"] = metadata.version("lm_eval")
    if isinstance(model, HarnessModel):
        results["truncated"] = model.truncated
    return results


def table(results: Mapping[str, Any]) -> str:
    """Lay results out as the harness does."""
    return str(make_table(results))


def _manager(tasks: Sequence[str], include_path: str | None) -> Any:
    """Find the tasks in the folder alone where it holds them all: reading the harness's own takes seconds."""
    if include_path is not None:
        if not os.path.isdir(include_path):
            raise ValueError(f"include_path {include_path}: there is no such folder")
        local = TaskManager(include_path=include_path, include_defaults=False)
        if all(local.match_tasks([name]) for name in tasks):
            return local
    manager = TaskManager(include_path=include_path)
    for name in tasks:
        if not manager.match_tasks([name]):
            raise ValueError(f"task {name}: neither the harness nor include_path has it")
    return manager


def _set_fewshot(task: Any, num_fewshot: int | None) -> None:
    """Set the number of examples as the harness's own command does: a task that says 0 keeps it."""
    own = task.get_config("num_fewshot")
    if own is None or (num_fewshot is not None and own != 0):
        task.set_config(key="num_fewshot", value=num_fewshot or 0)
    task.set_fewshot_seed(seed=_FEWSHOT_SEED)


def _kind(scoring: Scoring, task: str) -> str | None:
    if scoring == "llama":
        return "answer" if task.startswith(_BY_ANSWER) else "characters"
    return None if scoring == "lm-eval" else scoring


def _correct(model: Any, task: Any, samples: Sequence[Mapping[str, Any]], kind: str) -> list[float]:
    """Say of each question whether the answer chosen is right, 1 or 0."""
    once = [sample for sample in samples if sample["filter"] == samples[0]["filter"]]
    completions = [_completions(task, sample["doc"]) for sample in once]
    # A task may ask for more likelihoods after those of the answers.
    given = [
        np.array([response[0] for response in sample["filtered_resps"][: len(each)]])
        for sample, each in zip(once, completions, strict=True)
    ]
    if kind == "characters":
        values = [one / np.array([len(text) for text in each]) for one, each in zip(given, completions, strict=True)]
    else:
        values = [one - other for one, other in zip(given, _unconditional(model, once, completions), strict=True)]
    chosen = [int(np.argmax(value)) for value in values]
    return [float(choice in _right(task, sample["doc"])) for choice, sample in zip(chosen, once, strict=True)]


def _completions(task: Any, document: Any) -> list[str]:
    """The answers, without the space before them; in a cloze task all are the one text after the gap."""
    choices = task.doc_to_choice(document)
    return [str(task.doc_to_target(document))] * len(choices) if task.multiple_input else choices


def _unconditional(
    model: Any, samples: Sequence[Mapping[str, Any]], completions: Sequence[Sequence[str]]
) -> list[np.ndarray[Any, Any]]:
    """The answers' log-likelihoods after "Answer:" alone, the space before them as in the question."""
    texts = [
        arguments[1]
        for sample, each in zip(samples, completions, strict=True)
        for arguments in sample["arguments"][: len(each)]
    ]
    requests = [
        Instance("loglikelihood", {}, (UNCONDITIONAL, text), number, (None, None, None))
        for number, text in enumerate(texts)
    ]
    scores = iter([score for score, _ in model.loglikelihood(requests)])
    return [np.array([next(scores) for _ in each]) for each in completions]


def _right(task: Any, document: Any) -> list[Any]:
    """The numbers of the right answers; a text that is none of the answers stays a text, which no number equals."""
    target = task.doc_to_text(document) if task.multiple_input else task.doc_to_target(document)
    choices = task.doc_to_choice(document)
    targets = target if isinstance(target, list) else [target]
    return [choices.index(each) if each in choices else each for each in targets]
