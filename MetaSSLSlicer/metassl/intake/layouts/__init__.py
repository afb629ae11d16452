"""The conventions, one file each: `find(tree)` gives what the folder holds by it, or None where it does not apply."""
