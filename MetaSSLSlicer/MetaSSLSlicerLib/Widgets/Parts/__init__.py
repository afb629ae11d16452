"""What the sections of the panel are made of."""
