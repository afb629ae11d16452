"""What a GPU makes of MetaSSL, in ten minutes at most: run it where there is one, and send the JSON.

    python Testing/benchmarks/gpu_check.py --data FOLDER [--budget 600] [--out FILE]

FOLDER holds Task04_Hippocampus and Task27_ACDC as the Medical Segmentation Decathlon has them; without it the trainings
on real images are left out. Each part runs in a process of its own, and its numbers are in the file as soon as it is
done. Parts for which the budget is too short are left out, and the file says so: run it again for those, or once with
--budget 1300. --part NAME measures one anew. --small is for a CPU: it shows that everything runs, and its times say
nothing about a GPU.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from metassl.files.json_files import write_json
from metassl.networks.device import choose_device, device_name, memory_bytes, usable_cores

EXPECTED_SECONDS = {
    "speed": 50,
    "augmentation": 15,
    "resume": 20,
    "loss": 20,
    "layout": 35,
    "ladder": 60,
    "ct": 60,
    "hippocampus after 40 s": 90,
    "acdc after 40 s": 110,
    "hippocampus after 4 min": 300,
    "acdc after 4 min": 320,
}
"""Of the parts, in their order, on a GPU."""


@dataclass(frozen=True)
class Check:
    """device: as in `metassl train --device`. deadline: on time.monotonic."""

    device: str
    small: bool
    data: Path | None
    deadline: float

    @property
    def left(self) -> float:
        return self.deadline - time.monotonic()

    def part(self, name: str) -> dict[str, Any]:
        """Its numbers; or why it was left out or failed."""
        expected = EXPECTED_SECONDS[name]
        if not self.small and self.left < expected:
            return {"left_out": f"it takes about {expected} s, and {max(self.left, 0):.0f} s were left of --budget"}
        if self.left <= 0:
            return {"left_out": "nothing was left of --budget"}
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "part.json"
            command = [sys.executable, __file__, "--device", self.device, "--child", "--part", name, "--out", str(out)]
            command += ["--small"] * self.small + (["--data", str(self.data)] if self.data else [])
            child = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
            )
            try:
                said = child.communicate(timeout=self.left)[1]
            except subprocess.TimeoutExpired:
                child.terminate()
                child.communicate()
                return {"left_out": f"it was not done when the budget ended, after {time.monotonic() - begin:.0f} s"}
            if child.returncode or not out.is_file():
                return {"failed": (said.strip().splitlines() or ["it said nothing"])[-1]}
            found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        found.pop("schema_version")  # of the file that it came in
        return found if "left_out" in found else {"seconds_in_all": round(time.monotonic() - begin, 1), **found}


def about(device: torch.device) -> dict[str, Any]:
    found = {
        "device": device_name(device),
        "memory_gib": round(memory_bytes(device) / 2**30, 1),
        "cores": usable_cores(),
        "system": platform.system(),
        "torch": torch.__version__,
    }
    if device.type == "cuda":
        capability = ".".join(map(str, torch.cuda.get_device_capability(device)))
        found |= {"capability": capability, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return found


def measured_before(out: Path, result: dict[str, Any]) -> dict[str, Any]:
    """The parts of a file of the same device and the same torch that were neither left out nor failed."""
    if not out.is_file():
        return {}
    former = json.loads(out.read_text(encoding="utf-8"))
    parts: dict[str, Any] = former.pop("parts")
    former.pop("schema_version")
    if former != {name: value for name, value in result.items() if name != "parts"}:
        raise SystemExit(f"{out} is of another device or another torch: name another file with --out")
    return {name: found for name, found in parts.items() if not {"left_out", "failed"} & found.keys()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data", type=Path, help="the folder of Task04_Hippocampus and Task27_ACDC")
    parser.add_argument("--budget", type=float, default=600.0, metavar="SECONDS")
    parser.add_argument("--small", action="store_true", help="at a size that a CPU manages")
    parser.add_argument("--out", type=Path, help="the JSON file (default: named after the device)")
    parser.add_argument("--part", choices=list(EXPECTED_SECONDS), action="append", help="this one alone")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    device = choose_device(options.device)
    torch.set_num_threads(usable_cores())
    if options.child:
        from gpu_parts import PARTS, Asked

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that temporary folders go
        write_json(options.out, PARTS[options.part[0]](Asked(device, options.small, options.data)))
        return 0
    if device.type == "cpu" and not options.small:
        parser.error("there is no GPU: on a CPU give --small")
    name = "cpu_small" if options.small else re.sub(r"\W+", "_", device_name(device)).strip("_").lower()
    out = options.out or Path(f"gpu_check_{name}.json")
    check = Check(device.type, options.small, options.data, time.monotonic() + options.budget)
    result: dict[str, Any] = {**about(device), "small": options.small, "parts": {}}
    result["parts"] = measured_before(out, result)
    for part in options.part or [name for name in EXPECTED_SECONDS if name not in result["parts"]]:
        print(f"{part} ...", flush=True)
        found = result["parts"][part] = check.part(part)
        print(f"  {json.dumps(found)}", flush=True)
        write_json(out, result)
    print(f"written: {out}")
    return 1 if any("failed" in found for found in result["parts"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
