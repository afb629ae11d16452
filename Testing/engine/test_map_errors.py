"""P(error | region, class), areas and the uncertainty, added up over cases."""

import numpy as np
import pytest
from metassl.evaluation.region_errors import MapErrors

NAMES = {1: "Front", 2: "Back"}


def one_case(size: int = 24):
    """A segmentation of two blocks; one slab of Front is wrong and DS, and one voxel of Back is not annotated."""
    segmentation = np.zeros((size,) * 3, np.uint8)
    segmentation[8:16, 8:12, 8:16], segmentation[8:16, 12:16, 8:16] = 1, 2
    truth = segmentation.copy()
    truth[8, 8:12, 8:16] = 0
    truth[15, 15, 15] = 255
    regions = np.ones(truth.shape, np.uint8)
    regions[8:10, 8:12, 8:16] = 4
    uncertainty = np.where(regions == 4, 0.5, 0.01).astype(np.float32)
    return segmentation, regions, uncertainty, truth


def test_rates_are_by_region_and_by_the_class_that_is_shown():
    errors = MapErrors(NAMES)
    errors.add(*one_case())
    found = errors.to_json()
    assert found["rates"] == {"UC": 0.0, "US": None, "DC": None, "DS": 0.5}
    assert found["class_rates"]["Front"]["DS"] == 0.5 and found["class_rates"]["Back"]["DS"] is None
    assert found["class_rates"]["Background"]["UC"] == 0.0
    assert found["band"]["classes"]["Back"]["UC"]["voxels"] == 8 * 4 * 8 - 1


def test_areas_are_shares_of_the_volume_and_of_the_band():
    errors = MapErrors(NAMES)
    errors.add(*one_case())
    found = errors.to_json()
    assert found["volume"]["regions"]["DS"]["share_of_volume"] == pytest.approx(64 / (24**3 - 1))
    assert found["band"]["within_voxels"] == 3
    assert found["band"]["regions"]["DS"]["share_of_volume"] == pytest.approx(64 / (14**3 - 1))
    assert found["band"]["regions"]["DS"]["share_of_errors"] == 1.0


def test_the_uncertainty_is_calibrated_once_three_cases_show_that_it_helps():
    errors = MapErrors(NAMES)
    for number in range(3):
        errors.add(*one_case())
        assert (errors.to_json()["uncertainty"]["calibration"] is not None) == (number == 2)
    found = errors.to_json()["uncertainty"]
    assert found["auroc"] > 0.98 and found["errors"] == 96
    assert found["ece_calibrated"] < found["ece"]
    assert set(found["errors_in_flagged_share"]) == {"1", "5", "10", "15"}


def test_a_case_without_an_uncertainty_still_counts_for_the_regions():
    errors = MapErrors(NAMES)
    segmentation, regions, _, truth = one_case()
    errors.add(segmentation, regions, None, truth)
    assert errors.to_json()["uncertainty"] is None and errors.rates()["DS"] == 0.5
