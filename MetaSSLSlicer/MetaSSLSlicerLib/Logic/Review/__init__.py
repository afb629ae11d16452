"""Where to look first in a prediction, and what to do about it."""
