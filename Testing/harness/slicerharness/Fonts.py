"""Text needs a font: where the machine has none, the one inside Pillow, which has plain Latin letters."""

from __future__ import annotations

from PySide6.QtCore import QByteArray
from PySide6.QtGui import QFont, QFontDatabase, QRawFont


def useSomeFont(application) -> None:
    """Make sure that the application's font can be drawn."""
    if QRawFont.fromFont(application.font()).familyName():
        return
    from PIL import ImageFont

    number = QFontDatabase.addApplicationFontFromData(QByteArray(ImageFont.load_default(12).font_bytes))
    application.setFont(QFont(QFontDatabase.applicationFontFamilies(number)[0], 9))
