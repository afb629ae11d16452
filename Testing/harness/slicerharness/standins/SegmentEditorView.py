"""How the stand-in of the segment editor looks: selectors, table of segments, effects, undo."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from .CtkCollapsible import ctkCollapsibleGroupBox


class SegmentEditorView:
    """Builds the parts once and fills them from the editor's nodes."""

    def __init__(self, editor) -> None:
        self._editor = editor
        outer = QtWidgets.QVBoxLayout(editor)
        outer.setContentsMargins(0, 0, 0, 0)
        form = QtWidgets.QFormLayout()
        self._segmentation, self._volume = QtWidgets.QComboBox(editor), QtWidgets.QComboBox(editor)
        self._labels = QtWidgets.QLabel("Segmentation:", editor), QtWidgets.QLabel("Source volume:", editor)
        for label, combo in zip(self._labels, (self._segmentation, self._volume), strict=True):
            combo.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
            form.addRow(label, combo)
        outer.addLayout(form)
        buttons = QtWidgets.QHBoxLayout()
        self._addRemove = [QtWidgets.QPushButton("+ Add", editor), QtWidgets.QPushButton("- Remove", editor)]
        self._show3D = QtWidgets.QPushButton("Show 3D", editor)
        for button in (*self._addRemove, self._show3D):
            buttons.addWidget(button)
        outer.addLayout(buttons)
        view = QtWidgets.QWidget(editor)
        view.setObjectName("SegmentsTableView")
        self._table = QtWidgets.QTableWidget(0, 3, view)
        self._table.setObjectName("SegmentsTable")
        self._table.setMinimumHeight(75)
        self._table.setHorizontalHeaderLabels(["", "", "Name"])
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.verticalHeader().hide()
        self._table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        for column in (0, 1):
            self._table.setColumnWidth(column, 24)
        self._table.connect("itemSelectionChanged()", self._onRow)
        inside = QtWidgets.QVBoxLayout(view)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self._table)
        outer.addWidget(view)
        lower = QtWidgets.QHBoxLayout()
        self._grid = QtWidgets.QGridLayout()
        self._effects: dict[str, QtWidgets.QToolButton] = {}
        lower.addLayout(self._grid)
        right = QtWidgets.QVBoxLayout()
        self._undo = QtWidgets.QPushButton("Undo", editor), QtWidgets.QPushButton("Redo", editor)
        for button, action in zip(self._undo, (editor.undo, editor.redo), strict=True):
            button.connect("clicked()", action)
            right.addWidget(button)
        right.addStretch()
        lower.addLayout(right)
        outer.addLayout(lower)
        self._masking = ctkCollapsibleGroupBox("Masking", editor)
        self._masking.setObjectName("MaskingGroupBox")
        mask = QtWidgets.QFormLayout(self._masking)
        mask.addRow("Editable area:", QtWidgets.QComboBox(self._masking))
        mask.addRow("Modify other segments:", QtWidgets.QComboBox(self._masking))
        outer.addWidget(self._masking)
        self.fill()

    def fill(self) -> None:
        """Show what the editor's nodes and properties say now."""
        editor = self._editor
        for shown, index in ((editor.segmentationNodeSelectorVisible, 0), (editor.sourceVolumeNodeSelectorVisible, 1)):
            self._labels[index].setVisible(shown)
            (self._segmentation, self._volume)[index].setVisible(shown)
        for combo, node in ((self._segmentation, editor.segmentationNode()), (self._volume, editor.sourceVolumeNode())):
            combo.clear()
            combo.addItem(node.GetName() if node else "None")
        for button in self._addRemove:
            button.setVisible(editor.addRemoveSegmentButtonsVisible)
        self._show3D.setVisible(editor.show3DButtonVisible)
        for button in self._undo:
            button.setVisible(editor.undoEnabled)
        self._masking.setVisible(editor.maskingSectionVisible)
        self._fillEffects()
        self._fillSegments()

    def _fillEffects(self) -> None:
        editor = self._editor
        order = editor.effectNameOrder()
        shown = [name for name in order if name in editor.availableEffectNames()]
        if editor.unorderedEffectsVisible:
            shown += [name for name in editor.availableEffectNames() if name not in order]
        for button in self._effects.values():
            button.hide()
        columns = max(editor.effectColumnCount, 1)
        active = editor.activeEffect()
        for index, name in enumerate(shown):
            if name not in self._effects:
                button = QtWidgets.QToolButton(editor)
                button.setText(name)
                button.setCheckable(True)
                button.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
                button.connect("clicked()", lambda name=name: editor.setActiveEffectByName(name))
                self._effects[name] = button
            self._grid.addWidget(self._effects[name], index // columns, index % columns)
            self._effects[name].show()
            self._effects[name].setChecked(active is not None and active.name == name)

    def _fillSegments(self) -> None:
        node = self._editor.segmentationNode()
        ids = list(node.GetSegmentation().GetSegmentIDs()) if node else []
        blocker = QtCore.QSignalBlocker(self._table)
        self._table.setRowCount(len(ids))
        for row, segmentId in enumerate(ids):
            segment = node.GetSegmentation().GetSegment(segmentId)
            swatch = QtGui.QPixmap(14, 14)
            swatch.fill(QtGui.QColor.fromRgbF(*segment.GetColor()))
            color = QtWidgets.QTableWidgetItem()
            color.setIcon(QtGui.QIcon(swatch))
            self._table.setItem(row, 1, color)
            self._table.setItem(row, 2, QtWidgets.QTableWidgetItem(segment.GetName()))
            if segmentId == self._editor.currentSegmentID():
                self._table.selectRow(row)
        del blocker

    def _onRow(self) -> None:
        node = self._editor.segmentationNode()
        rows = self._table.selectionModel().selectedRows()
        if node and rows:
            self._editor.setCurrentSegmentID(node.GetSegmentation().GetNthSegmentID(rows[0].row()))
