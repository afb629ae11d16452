"""From image files to training patches: fingerprint, plan, preprocessing, cache, streams."""
