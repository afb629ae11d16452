"""The open case: its files, its nodes, its segmentation, and the session that it is open in."""
