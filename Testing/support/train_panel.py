"""The sections "Train" and "Setup", one above the other, as in the panel."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import qt
from metassl.jobs import JobRecord, status_of_events
from MetaSSLSlicerLib.Logic.Case.Session import Session
from MetaSSLSlicerLib.Logic.Engine.Dependencies import Dependencies, SlicerPackages
from MetaSSLSlicerLib.Logic.Engine.EngineCheck import EngineCheck
from MetaSSLSlicerLib.Logic.Engine.EnginePython import EnginePython
from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks
from MetaSSLSlicerLib.Logic.Scene.SlicerServices import SlicerServices
from MetaSSLSlicerLib.Logic.Training.TrainingJob import TrainingJob
from MetaSSLSlicerLib.Widgets.EngineWidget import EngineWidget
from MetaSSLSlicerLib.Widgets.TrainWidget import TrainWidget

GPU = EngineCheck(
    True, "cuda", "NVIDIA RTX A4000, 16 GiB", "2.9.1+cu128",
    (("ok", "python", "3.12.10 on Linux x86_64, metassl 0.1.0"), ("ok", "memory", "31.1 GiB"),
     ("ok", "torch", "2.9.1+cu128, a training step and bf16 work on the CPU"),
     ("ok", "GPU", "CUDA 12.8: NVIDIA RTX A4000, 16 GiB; a training step works, bf16 is used"),
     ("ok", "monai", "1.5.1, a small network runs"),
     ("note", "pictures", "slicer-core is not installed: reports have no pictures")),
)  # fmt: skip


class TrainPanel:
    """Both sections one above the other, on a real session."""

    def __init__(self, harness, packages=None, confirm=lambda question: True, choosePython=None) -> None:
        services = harness.services
        self.harness = harness
        self.session = Session(
            SlicerServices(services.scene, services.applicationLogic, services.segmentationsLogic), BackgroundTasks(1)
        )
        self.messages = []
        self.session.said.connect(self.messages.append)
        self.python = EnginePython()
        self.job = TrainingJob(self.session, self.python)
        dependencies = Dependencies(packages or SlicerPackages())
        self.engine = EngineWidget(self.session, self.python, dependencies, confirm, choosePython)
        self.train = TrainWidget(self.session, self.job, self.engine)
        self.widget = qt.QWidget()
        layout = qt.QVBoxLayout(self.widget)
        for section in (self.engine.notice, self.train, self.engine):
            layout.addWidget(section.widget)
        layout.addStretch(1)
        self.pump = qt.QTimer()
        self.pump.setInterval(10)
        self.pump.connect("timeout()", self.session.tasks.pump)
        self.pump.start()
        self.widget.show()

    @property
    def ui(self):
        return self.train.ui

    def open(self, project) -> None:
        self.session.openProject(project.path)
        self.harness.wait(lambda: not self.session.tasks.busy)

    def ready(self, check: EngineCheck = GPU) -> None:
        """As after a check with this result."""
        self.engine.setup.close()
        self.engine.setup.check, self.engine.setup.missing = check, []
        self.engine.setup._become("ready" if check.ready else "failed")

    def grab(self, name: str) -> None:
        for width in (380, 600):
            self.widget.resize(width, 100)
            self.harness.process(30)
            self.train._refreshCurve()
            self.harness.grab(self.widget, f"{name}_{width}", width)

    def close(self) -> None:
        self.train.cleanup()
        self.engine.cleanup()
        self.session.shutdown()
        self.pump.stop()


def line(number: int, event: str, **fields) -> str:
    when = datetime.now(UTC) - timedelta(seconds=150 - number)
    return json.dumps({"seq": number, "time": when.isoformat(), "event": event, **fields}) + "\n"


def tell(found, *events: str) -> None:
    """What the job has told since, as the worker writes it."""
    with open(found.events_path, "a", encoding="utf-8") as stream:
        stream.write("".join(events))
    status_of_events(found.events_path).write(found.status_path)


def write(panel: TrainPanel, project, *events: str, alive: bool = True, log: str = "", machine: str = ""):
    """A round as the engine would have written it; the panel has looked at it."""
    found = project.new_round({"config": {}, "launcher": "local"})
    tell(found, *events)
    found.log_path.write_text(log, encoding="utf-8")
    record = replace(JobRecord.of(os.getpid()), launched="2026-01-01T00:00:00+00:00", machine=machine)
    (record if alive else replace(record, pid=2**22 - 7)).write(found.job_path)
    panel.job.attach()
    panel.harness.wait(lambda: panel.job.round == found)
    return found


def course(steps: int, total: int) -> list[str]:
    events = [
        line(1, "started", device="cuda", device_name="NVIDIA RTX A4000"),
        line(2, "stage", stage="training", total=total),
    ]
    for step in range(1, steps + 1, 5):
        events.append(
            line(3, "progress", stage="training", step=step, total=total, eta_s=(total - step) * 0.4, memory_mb=2300,
                 loss={"total": 0.35 + 0.9 / (1 + step / 20) + 0.04 * ((step * 7919) % 11 - 5) / 5})
        )  # fmt: skip
        if step % 50 == 1 and step > 1:
            dice = {"mean": 0.93 - 0.5 / (step / 40), "per_class": {}}
            events.append(line(4, "validation", step=step, dice=dice))
    return events
