"""How good a segmentation is, and how far its region map and its uncertainty can be believed."""
