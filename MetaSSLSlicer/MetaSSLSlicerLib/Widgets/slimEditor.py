"""Makes Slicer's segment editor low enough to stand under the review. What is not found in it stays as it is."""

from __future__ import annotations

_MOST_ROWS = 4
_LEAST_ROW = 20


def foldMasking(editor) -> None:
    """Fold the group "Masking"; one click opens it."""
    group = editor.findChild("QWidget", "MaskingGroupBox")
    if group is not None:
        group.collapsed = True


def fitSegments(editor) -> None:
    """Make the table of segments as high as its rows, up to four; Qt would make it 192 pixels high."""
    view, table = (editor.findChild("QWidget", name) for name in ("SegmentsTableView", "SegmentsTable"))
    if view is None or table is None:
        return
    rows = max(1, min(table.model().rowCount(), _MOST_ROWS))
    height = table.horizontalHeader().height + rows * max(table.rowHeight(0), _LEAST_ROW) + 2 * table.frameWidth
    view.setFixedHeight(height)
