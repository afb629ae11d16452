"""A demonstration that needs no images of one's own: a synthetic cohort and the whole loop on it."""
