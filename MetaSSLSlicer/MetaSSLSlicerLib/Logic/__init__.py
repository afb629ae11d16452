"""What the panel does: MRML and the project folder. No widget, no Qt."""
