"""The commands that begin a project, and change what is in it."""
