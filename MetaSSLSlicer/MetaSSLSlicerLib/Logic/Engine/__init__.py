"""The process that trains: its Python, its packages, starting it."""
