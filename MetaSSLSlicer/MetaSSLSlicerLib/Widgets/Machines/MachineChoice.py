"""The line "Train on: this computer | NAME", and below it, when it is wanted, the form that sets a machine up."""

from __future__ import annotations

from metassl.machines import Machine

from ...Durations import duration
from ...Logic.Training.Machines import THIS_COMPUTER, Machines
from ...Signal import Signal
from ...Translation import _
from ..Section import Section, withoutSignals
from ..userSettings import userSettings
from .MachineForm import MachineForm

MACHINE_KEY = "MetaSSL/trainOn"


class MachineChoice(Section):
    """`ui` has the combo box, the button and the place of the form."""

    def __init__(self, session, ui, confirm) -> None:
        super().__init__(session)
        self.ui = ui
        self.machines = Machines(session)
        self.form = self.addPart(MachineForm(session, self.machines, confirm))
        ui.machineHost.layout().addWidget(self.form.widget)
        self.changed = Signal()
        """() another machine is chosen, or more is known of it."""
        self._chosen = str(userSettings().value(MACHINE_KEY, "") or "")
        ui.machineComboBox.connect("currentIndexChanged(int)", self._onChosen)
        ui.machinesButton.connect("toggled(bool)", self._onToggled)
        self.listen((self.machines.changed, self._refresh))
        self._onToggled(False)
        self._refresh()
        self.machines.read()

    def enter(self) -> None:
        """Another program may have set one up."""
        super().enter()
        if not self.machines.isBusy:
            self.machines.read()

    @property
    def machine(self) -> Machine | None:
        """The one that is chosen; None for this computer, and where there is a `problem`."""
        return self.machines.known.get(self._chosen)

    @property
    def problem(self) -> str:
        """Why the one that is chosen cannot be used; "" where it can."""
        return self.machines.unusable.get(self._chosen, "")

    def line(self, minutes: float) -> str:
        """What will train, as far as its last test has told."""
        machines, machine = self.machines, self.machine
        device = machines.device(machine.name)
        where = f"{machine.name} ({device})" if device else machine.name
        if machines.isReady(machine.name) is False:
            return _("{machine} is not ready: its test under Set up says why.").format(machine=machine.name)
        return _("Will train on {machine}: about {time}").format(machine=where, time=duration(60 * minutes))

    def choose(self, name: str) -> None:
        """Show the machine where a training was begun; the user's own choice is kept."""
        if name != self._chosen:
            self._chosen = name
            self._refresh()

    def _onChosen(self, index: int) -> None:
        self._chosen = self.ui.machineComboBox.itemData(index) or THIS_COMPUTER
        userSettings().setValue(MACHINE_KEY, self._chosen)
        self._showForm()
        self.changed.emit()

    def _onToggled(self, shown: bool) -> None:
        self.ui.machineHost.setVisible(shown)
        if shown:
            self._showForm()

    def _showForm(self) -> None:
        if self.problem:
            self.form.showUnusable(self._chosen, self.problem)
        else:
            self.form.show(self.machine)

    def _refresh(self) -> None:
        combo, known, unusable = self.ui.machineComboBox, self.machines.known, self.machines.unusable
        names = [*known, *unusable]
        with withoutSignals(combo):
            combo.clear()
            combo.addItem(_("this computer"), THIS_COMPUTER)
            for name in names:
                combo.addItem(_("{name} (cannot be used)").format(name=name) if name in unusable else name, name)
            combo.setCurrentIndex(names.index(self._chosen) + 1 if self._chosen in names else 0)
        self.changed.emit()
