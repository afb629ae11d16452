"""A training as the panel shows it: options, progress, advice."""
