"""What the panel shows. A widget knows the logic; the logic knows no widget."""
