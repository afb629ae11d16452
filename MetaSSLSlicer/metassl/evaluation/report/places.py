"""The places to look at in a case, found as in Slicer."""

from __future__ import annotations

from metassl.files.errors import MetaSSLError
from metassl.imaging.images import read_labels, read_volume
from metassl.project.places.search import Place, find_places
from metassl.project.project import Project
from metassl.project.round_files import read_summary
from metassl.project.rounds import Round


def places_of(project: Project, found: Round, case_id: str) -> list[Place]:
    """Those of a predicted case; none where its files cannot be read, which the picture will say."""
    paths = found.prediction(case_id)
    try:
        segmentation, geometry = read_labels(paths.segmentation, case_id)
        regions, _ = read_labels(paths.regions, case_id)
        learnt = paths.error_probability.exists()
        (heat, *_), _ = read_volume(paths.error_probability if learnt else paths.uncertainty, case_id)
        rates = read_summary(paths.summary, case_id).error_rates
    except MetaSSLError:
        return []
    if not segmentation.shape == regions.shape == heat.shape:
        return []
    maps = {"error_probability": heat} if learnt else {"uncertainty": heat}
    return find_places(segmentation, regions, geometry, project.labels, rates, **maps)
