"""A synthetic cohort: a demonstration that needs no images of one's own."""
