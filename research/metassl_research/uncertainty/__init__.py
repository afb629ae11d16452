"""Ways of telling where a segmentation may be wrong, compared on the same model and the same cases."""
