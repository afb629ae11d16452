"""A machine to train on, set up in a few lines and tested by one button."""

from __future__ import annotations

from dataclasses import replace

from metassl.files import MetaSSLError
from metassl.machines import Begun, Check, Machine

from ...Logic.Project.NewProject import nameLines
from ...Logic.Training.Machines import Machines, kindTexts
from ...Translation import _
from ..Section import Section, loadUi, onClick, showError

_OVER_SSH = ("ssh", "ssh+slurm")
_ON_SLURM = ("slurm", "ssh+slurm")
_MARKS = {True: "✓", False: "✗"}


class MachineForm(Section):
    """`confirm(question)` asks before a machine is forgotten."""

    def __init__(self, session, machines: Machines, confirm) -> None:
        super().__init__(session)
        self.widget, self.ui = loadUi("MachineForm")
        self.machines, self._confirm = machines, confirm
        self._former: Machine | None = None
        self._tested = ""
        kinds = kindTexts()
        for kind, text in kinds.items():
            self.ui.kindComboBox.addItem(text, kind)
        self.ui.kindComboBox.connect("currentIndexChanged(int)", lambda _index: self.refresh())
        self.ui.nameEdit.connect("textChanged(QString)", lambda _text: self.refresh())
        onClick((self.ui.testButton, self.saveAndTest), (self.ui.removeButton, self._remove))
        self.listen((machines.changed, self.refresh))
        self.show(None)

    @property
    def kind(self) -> str:
        return self.ui.kindComboBox.itemData(self.ui.kindComboBox.currentIndex)

    def show(self, machine: Machine | None) -> None:
        """Show a machine, or an empty form for a new one."""
        ui, shown = self.ui, machine
        self._former, self._tested = machine, "" if machine is None else machine.name
        here, there = shown.maps[0] if shown is not None and shown.maps else ("", "")
        for edit, text in (
            (ui.nameEdit, shown and shown.name),
            (ui.hostEdit, shown and shown.host),
            (ui.pythonEdit, shown and shown.python),
            (ui.hereEdit, here),
            (ui.thereEdit, there),
            (ui.partitionEdit, shown and shown.partition),
            (ui.timeEdit, shown and shown.time),
        ):
            edit.text = text or ""
        ui.gpusSpinBox.value = shown.gpus if shown is not None else 0
        ui.kindComboBox.setCurrentIndex(list(kindTexts()).index(shown.kind) if shown is not None else 0)
        showError(ui, None)
        self.refresh()

    def showUnusable(self, name: str, problem: str) -> None:
        """Show an empty form under the name of an entry that is none of a machine: to be set up anew, or removed."""
        self.show(None)
        self.ui.nameEdit.text = name
        showError(self.ui, _("{problem}. Set it up anew, or remove it.").format(problem=problem))
        self.refresh()

    def machine(self) -> Machine:
        """As it is filled in; what the form does not show stays as it was. MetaSSLError."""
        ui, kind = self.ui, self.kind
        pair = (ui.hereEdit.text.strip(), ui.thereEdit.text.strip())
        name = ui.nameEdit.text.strip()
        further = self._former.maps[1:] if self._former is not None else ()
        told = {
            "kind": kind,
            "python": ui.pythonEdit.text.strip(),
            "host": ui.hostEdit.text.strip() if kind in _OVER_SSH else "",
            "maps": ((pair,) if all(pair) else ()) + tuple(further) if kind in _OVER_SSH else (),
            "partition": ui.partitionEdit.text.strip() if kind in _ON_SLURM else "",
            "time": ui.timeEdit.text.strip() if kind in _ON_SLURM else "",
            "gpus": int(ui.gpusSpinBox.value) if kind in _ON_SLURM else 0,
        }
        if any(pair) and not all(pair) and kind in _OVER_SSH:
            raise MetaSSLError(_("A shared folder needs both its names: the one here, and the one there."))
        if self._former is not None and self._former.name == name:
            return replace(self._former, **told)
        return Machine(name, **told)

    def saveAndTest(self) -> None:
        """Save it under its name, and test it."""
        try:
            machine = self.machine()
        except MetaSSLError as error:
            showError(self.ui, error)
            return
        showError(self.ui, None)
        self._former, self._tested = machine, machine.name
        self.machines.saveAndTest(machine)

    def _remove(self) -> None:
        name = self.ui.nameEdit.text.strip()
        self.machines.unfinished(name, lambda left: self._removeAfterQuestion(name, left))

    def _removeAfterQuestion(self, name: str, left: list[Begun]) -> None:
        lines = [_("Forget the machine {name}? What trains there goes on.").format(name=name)]
        if left:
            lines.append(_("Not finished there, and nothing of it will come here any more:"))
            lines += nameLines([each.words for each in left])
        if self._confirm("\n".join(lines)):
            self.machines.remove(name)
            self.show(None)

    def refresh(self) -> None:
        ui, busy = self.ui, self.machines.isBusy
        for part, kinds in ((ui.sshFrame, _OVER_SSH), (ui.slurmFrame, _ON_SLURM)):
            part.setVisible(self.kind in kinds)
        ui.testButton.setEnabled(not busy)
        ui.testButton.text = _("Testing ...") if busy else _("Save and test")
        names = self.machines.known.keys() | self.machines.unusable.keys()
        ui.removeButton.setEnabled(not busy and ui.nameEdit.text.strip() in names)
        checks = self.machines.checks.get(self._tested, [])
        ui.checksLabel.text = "\n".join(map(checkText, checks))
        ui.checksLabel.setVisible(bool(checks))


def checkText(check: Check) -> str:
    """One line, and a second one with what to do."""
    text = f"{_MARKS[check.is_fine]} {check.what}: {check.words}"
    return f"{text}\n    {check.remedy}" if check.remedy else text
