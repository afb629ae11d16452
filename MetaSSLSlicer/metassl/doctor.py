"""Examine this computer in a process of its own, so that a crash there is only reported.

    python -m metassl.doctor NAME ...

runs the named checks in order and prints a JSON line after each.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from metassl import __version__
from metassl.files.memory import memory_total
from metassl.jobs.process import host_name

PATIENCE_S = 180.0
ENGINE_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Finding:
    """What one check found. `state`: "ok", "note" (it works, with less) or "failed". `facts`: for programs."""

    name: str
    state: str
    text: str
    advice: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def examine(names: Sequence[str] | None = None, patience_s: float = PATIENCE_S) -> Iterator[Finding]:
    """Run the checks (all of CHECKS by default) in child processes and yield each finding as it comes.

    When a check takes its process down or hangs, that is its finding, and the rest are run in a
    new process.
    """
    left = list(CHECKS if names is None else names)
    while left:
        for finding in _examine_in_child(left, patience_s):
            left.remove(finding.name)
            yield finding


def _examine_in_child(names: list[str], patience_s: float) -> Iterator[Finding]:
    paths = [str(ENGINE_ROOT), os.environ.get("PYTHONPATH", "")]
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "metassl.doctor", *names],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONIOENCODING": "utf-8",
        },
        encoding="utf-8",
        errors="replace",
    )
    assert child.stdout is not None
    timer = threading.Timer(patience_s, child.kill)
    timer.start()
    left = list(names)
    try:
        for line in child.stdout:
            message = _message(line)
            if message:
                left.remove(message["name"])
                yield Finding(**message)
        code = child.wait()
        if left:
            hung = not timer.is_alive()
            how = f"gave no answer in {patience_s:g} s" if hung else f"crashed: {_how(code)}"
            yield Finding(left[0], "failed", f"the check {how}", CRASH_ADVICE.get(left[0], ""))
    finally:
        timer.cancel()
        child.kill()
        child.wait()
        child.stdout.close()


def _message(line: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}  # a library may print words of its own
    expected = {each.name for each in fields(Finding)}
    return message if isinstance(message, dict) and message.keys() == expected else {}


def _how(code: int) -> str:
    if code >= 0:
        return f"its process ended with exit code {code if code < 2**31 else hex(code)}"
    try:
        return f"its process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"its process was ended by signal {-code}"


def anonymous(text: str) -> str:
    """`text` without the names of the user, the home folder and the computer."""
    home = str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~")
    for name, stand_in in ((_user(), "USER"), (host_name(), "HOST")):
        if len(name) > 1:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", stand_in, text)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def main(names: list[str]) -> int:
    """The child: run each check and print what it found."""
    for name in names:
        try:
            finding = Finding(name, *(CHECKS | MEASURES)[name]())
        except Exception as error:
            first_line = (str(error).splitlines() or [""])[0]
            finding = Finding(name, "failed", f"{type(error).__name__}: {first_line}")
        finding = replace(finding, text=anonymous(finding.text), advice=anonymous(finding.advice))
        print(json.dumps(finding.to_json()), flush=True)
    return 0


Answer = tuple[Any, ...]
"""State, text and, where there are any, advice and facts, as in `Finding`."""

OLDEST_PYTHON = (3, 11)
LITTLE_MEMORY = 4 << 30
LITTLE_DISK = 2 << 30


def check_python() -> Answer:
    system = f"{platform.system()} {platform.machine()}"
    text = f"{platform.python_version()} on {system}, metassl {__version__}"
    if sys.version_info < OLDEST_PYTHON:
        return "failed", text, "Python 3.11 or newer is needed"
    return "ok", text


def check_cores() -> Answer:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return "ok", f"{usable} usable", "", {"cores": usable}


def check_memory() -> Answer:
    total = memory_total()
    if total is None:
        return "note", "its size could not be found out"
    text = f"{total / 2**30:.1f} GiB"
    if total < LITTLE_MEMORY:
        return (
            "note",
            text,
            "little memory: large volumes may need smaller patches, which training then takes",
        )
    return "ok", text


def check_write_access() -> Answer:
    from metassl.files.json_files import write_json

    with tempfile.TemporaryDirectory(prefix="metassl-doctor-") as folder:
        write_json(Path(folder) / "test.json", {"written": True})
        free = shutil.disk_usage(folder).free
    here = os.access(Path.cwd(), os.W_OK)
    text = f"temporary files: yes, {free / 2**30:.1f} GiB free; this folder: {'yes' if here else 'no'}"
    if free < LITTLE_DISK:
        return "note", text, "little space is left on the disk"
    if not here:
        return "note", text, "make projects in a folder that you may write to"
    return "ok", text


def check_numpy() -> Answer:
    import numpy as np

    if abs(float(np.linalg.det(np.diag([1.0, 2.0, 3.0]))) - 6.0) > 1e-9:
        return "failed", f"{np.__version__} computes wrongly", "reinstall numpy"
    return "ok", np.__version__


def check_simpleitk() -> Answer:
    import numpy as np
    import SimpleITK as sitk

    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    with tempfile.TemporaryDirectory(prefix="metassl-doctor-") as folder:
        for suffix in (".nii.gz", ".nrrd"):
            path = os.path.join(folder, f"image{suffix}")
            sitk.WriteImage(sitk.GetImageFromArray(values), path)
            if not np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(path)), values):
                return "failed", f"a {suffix} file came back changed", "reinstall SimpleITK"
    return "ok", f"{version('SimpleITK')}, NIfTI and NRRD files come back as written"


def check_torch() -> Answer:
    import torch

    from metassl.networks.device import train_a_step

    train_a_step("cpu")
    bf16 = torch.ones(8, 8, dtype=torch.bfloat16)
    if float((bf16 @ bf16)[0, 0]) != 8.0:
        return "failed", f"{torch.__version__} computes wrongly in bf16", "reinstall torch"
    return "ok", f"{torch.__version__}, a training step and bf16 work on the CPU"


def check_gpu() -> Answer:
    import torch

    from metassl.data.budget import choose_precision
    from metassl.networks.device import gpu_problem, train_a_step

    if torch.cuda.is_available():
        gpus = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
        names = [f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for gpu in gpus]
        text = f"CUDA {torch.version.cuda}: {'; '.join(names)}"
        if problem := gpu_problem():
            return "note", f"{text}; it cannot be used, training runs on the CPU: {problem}", CRASH_ADVICE["GPU"]
        facts = {"device": "cuda", "name": names[0]}
        return "ok", f"{text}; a training step works, {choose_precision('cuda')} is used", "", facts
    if torch.backends.mps.is_available():
        train_a_step("mps")
        return "ok", "Apple MPS, a training step works", "", {"device": "mps"}
    if shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists():
        advice = "update the NVIDIA driver, or install a CUDA build of torch (see pytorch.org)"
        return (
            "note",
            f"there is an NVIDIA GPU, but torch {torch.__version__} cannot use it",
            advice,
        )
    return "note", "none: training runs on the CPU"


def check_monai() -> Answer:
    import monai
    import torch
    from monai.networks.nets.dynunet import DynUNet

    network = DynUNet(3, 1, 2, [3, 3, 3], [1, 2, 2], [2, 2], filters=[4, 8, 8])
    with torch.no_grad():
        shape = tuple(network(torch.zeros(1, 1, 8, 8, 8)).shape)
    if shape != (1, 2, 8, 8, 8):
        return "failed", f"{monai.__version__}: a network gave the shape {shape}", "reinstall monai"
    return "ok", f"{monai.__version__}, a small network runs"


def check_pictures() -> Answer:
    try:
        return "ok", f"slicer-core {version('slicer-core')}, vtk {version('vtk')}"
    except PackageNotFoundError:
        advice = 'for pictures in the report: pip install "metassl[report]"'
        return "note", "slicer-core is not installed: reports have no pictures", advice


def measure_training() -> Answer:
    """A training step as a round has it on this machine, in half a minute or so."""
    import torch

    from metassl.networks.device import choose_device, usable_cores
    from metassl.networks.memory_ladder import OUT_OF_MEMORY_ERRORS, is_out_of_memory
    from metassl.project.words import percent
    from metassl.training.speed import StepMeter, usual_plan

    torch.set_num_threads(usable_cores())
    device = choose_device()
    try:
        speed = StepMeter(usual_plan(device), device).measure(MEASURED_SECONDS)
    except OUT_OF_MEMORY_ERRORS as error:
        if not is_out_of_memory(error):
            raise
        return "note", "the memory is full: a training would go on with smaller patches", "close other programs"
    patch = " x ".join(map(str, reversed(speed.patch_zyx)))
    text = (
        f"{speed.device}: a step takes {speed.seconds_per_step:.3g} s (patch {patch}, {speed.batch[0]} labelled + "
        f"{speed.batch[1]} unlabelled, {speed.precision}), {percent(speed.data_wait_share)} of it waiting for data; "
        f"{speed.memory_mb / 1024:.1f} GiB of memory"
    )
    facts = {**speed.to_json(), "steps_per_second": round(1 / speed.seconds_per_step, 3)}
    if device.type != "cpu" and speed.data_wait_share > MOST_DATA_WAIT:
        return "note", text, "the GPU waits for its data: close other programs that use the CPU", facts
    return "ok", text, "", facts


MEASURED_SECONDS, MOST_DATA_WAIT = 8.0, 0.05

MEASURES: dict[str, Callable[[], Answer]] = {"training": measure_training}
"""Checks that take their time."""

CHECKS: dict[str, Callable[[], Answer]] = {
    "python": check_python,
    "cores": check_cores,
    "memory": check_memory,
    "write access": check_write_access,
    "numpy": check_numpy,
    "SimpleITK": check_simpleitk,
    "torch": check_torch,
    "GPU": check_gpu,
    "monai": check_monai,
    "pictures": check_pictures,
}

CRASH_ADVICE = {
    "numpy": "reinstall numpy",
    "SimpleITK": "reinstall SimpleITK",
    "torch": "reinstall torch: pip install --force-reinstall torch",
    "GPU": "update the driver of the GPU, or install a torch that supports it (see pytorch.org)",
    "monai": "reinstall monai",
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
