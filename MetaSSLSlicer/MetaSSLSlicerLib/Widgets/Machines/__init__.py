"""Other machines in the panel: chosen, set up and tested."""
