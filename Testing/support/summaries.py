"""Contents of summary.json, as this version writes them and as the first one did."""

from __future__ import annotations


def old_summary(case: str, structure=1000, us=0, dc=0, ds=0, mean=0.1, mutual=0.02, **_unknown) -> dict:
    """Without structures told apart, and without features."""
    return {
        "case": case,
        "round": 1,
        "voxels": {"UC": 5000, "US": us, "DC": dc, "DS": ds},
        "band_voxels": {"UC": 1000 - us - dc - ds, "US": us, "DC": dc, "DS": ds},
        "structure_voxels": structure,
        "mean_uncertainty": mean,
        "mutual_information": mutual,
    }


def new_summary(case: str, features=(0.0, 0.0), classes: dict | None = None, **counts) -> dict:
    """classes: {name: {"voxels", "US", "DC", "DS", "entropy"}}; by default one half of all each."""
    whole = old_summary(case, **counts)
    if classes is None:
        voxels = whole["structure_voxels"] // 2
        uncertain = {region: whole["band_voxels"][region] // 2 for region in ("US", "DC", "DS")}
        entropy = 100.0 * whole["mean_uncertainty"]
        classes = {name: {"voxels": voxels, **uncertain, "entropy": entropy} for name in ("Front", "Back")}
    features = None if features is None else list(features)
    return {**whole, "voxel_ml": 0.001, "classes": classes, "features": features}
