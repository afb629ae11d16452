"""What a user does with scans that name their patient: every command, then the module's panel.

    python -m faults.private_work commands|panel FOLDER

FOLDER holds the series in scans/; project/, out/ and exported/ are made.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .dicom_scans import ball, write_label

CASES, LABELLED = 4, 2


def commands(folder: Path) -> None:
    """The command line from the scans to the report."""
    from metassl.cli import main

    scans, project = folder / "scans", folder / "project"

    def call(*words: object) -> None:
        print(f"$ {words[0]}", flush=True)
        code = main([str(word) for word in words])
        assert code == 0, f"{words[0]} ended with {code}"

    call("doctor")
    call("new", project, "--from", scans, "--labels", "1=Ball")
    for number in range(LABELLED):
        write_label(folder / f"label{number}.nrrd", scans / f"scan{number}", number)
        call("label", project, f"scan{number}", folder / f"label{number}.nrrd")
    call("train", project, "--iterations", 2, "--device", "cpu")
    call("status", project)
    call("rank", project)
    call("predict", project, "--device", "cpu")
    call("predict", project, "--device", "cpu", "--images", scans, "--out", folder / "out")
    call("rounds", project)
    call("report", project)
    call("export", project, folder / "exported")


def panel(folder: Path) -> None:
    """The module: one case corrected and saved, one left with unsaved edits."""
    from .panel import opened_panel, paint

    with opened_panel(folder / "pictures") as (harness, panel):
        panel.projectWidget.openProject(folder / "project")
        harness.wait(lambda: panel.session.project is not None)
        panel.reviewWidget.ui.goOnCheck.checked = False
        for number in range(LABELLED, CASES):
            case = paint(harness, panel, f"scan{number}", ball(number))
            if number == LABELLED:
                panel.annotateWidget.ui.saveButton.click()
                harness.wait(lambda case=case: panel.session.project.case(case.id).state == "corrected")
                harness.wait(lambda: not panel.session.tasks.busy)
            else:
                panel.session.closeCase()
                harness.wait(lambda: not panel.session.tasks.busy)
        print(panel.banner.message)


if __name__ == "__main__":
    {"commands": commands, "panel": panel}[sys.argv[1]](Path(sys.argv[2]))
