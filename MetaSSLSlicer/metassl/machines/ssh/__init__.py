"""Training on another computer, through the system's own ssh."""
