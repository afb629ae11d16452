"""The results file of a benchmark: written whole after every run, so that a killed one goes on from there.

    {"settings", "cases": {"train", "validation", "test"}, "split", "labels", "runs": [RUN]}

RUN: the fields of `plan.Run`; "cases" it learnt from; "noisy_cases" {case: kind}; "round", "steps", "seconds",
"device", "threads", "versions"; "last" and "best", see `measure.measured`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metassl.files.atomic import make_folder
from metassl.files.errors import MetaSSLError
from metassl.files.json_files import read_json, write_json

from metassl_research.benchmark.plan import Run
from metassl_research.benchmark.settings import Settings


class Results:
    """The content of the file, and how it grows."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path, self.content = path, content

    @classmethod
    def open(cls, path: Path, settings: Settings, data: dict[str, Any]) -> Results:
        """The file, as it is or begun; data: "cases", "split" and "labels" of the experiment.

        MetaSSLError when it holds another benchmark.
        """
        content = {"settings": settings.to_json(), **data, "runs": []}
        if path.exists():
            former = read(path)
            content["settings"] = settings.merged(former["settings"], path)
            if any(former[name] != data[name] for name in data):
                raise MetaSSLError(f"{path} was made with other cases in {settings.data}: give another --out")
            content["runs"] = former["runs"]
        make_folder(path.parent)
        return cls(path, content)

    def __contains__(self, run: object) -> bool:
        if not isinstance(run, Run):
            return False
        wanted = run.to_json().items()
        return any(wanted <= {name: each[name] for name in run.to_json()}.items() for each in self.content["runs"])

    def add(self, run: Run, found: dict[str, Any]) -> None:
        self.content["runs"].append({**run.to_json(), **found})
        write_json(self.path, self.content)


def read(path: Path) -> dict[str, Any]:
    """The content of a results file. MetaSSLError when it is none."""
    content = read_json(path, "the results file of the benchmark")
    if not {"settings", "cases", "labels", "runs"} <= content.keys():
        raise MetaSSLError(f"{path} holds no results of `metassl benchmark`")
    return content
