"""An engine that notes what each graph of a run shuffles."""

from typing import Any, ClassVar

from pipeline.runner import Engine
from pipeline.stage import Job


class Recorded:
    """An engine that notes what each graph shuffles before it runs it."""

    shuffled: ClassVar[list[set[str]]] = []

    def __init__(self, *_: Any) -> None:
        self._here = Engine(1)

    def run(self, job: Job, log: str) -> None:
        """Run a job in this process."""
        root = self._here.pipeline(1, log)
        assert job.build is not None
        job.build(root)
        steps = root.to_runner_api().components.transforms.values()
        names = {step.unique_name for step in steps if step.spec.urn == "beam:transform:group_by_key:v1"}
        self.shuffled.append({name.rpartition("/")[2] for name in names})
        self._here.run(job, log)
