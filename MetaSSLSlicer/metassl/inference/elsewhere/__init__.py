"""Models that began elsewhere: read from where they lie, and nnU-Net's windows for those that it has trained."""
