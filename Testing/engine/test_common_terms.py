"""The quick list of structures and their SNOMED CT codes."""

from __future__ import annotations

import pytest
from MetaSSLSlicerLib.Logic.Scene.CommonTerms import CATEGORIES, LISTS, TERMS, commonTerms, exactTerm, proposals

LEFT_KIDNEY = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
    "~SCT^64033007^Kidney~SCT^7771000^Left~Anatomic codes - DICOM master list~^^~^^"
)


def has_check_digit(code: str) -> bool:
    """Whether the last digit of a SNOMED CT identifier is right: Verhoeff's dihedral check."""
    permutation = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    check = 0
    for place, digit in enumerate(map(int, reversed(code))):
        for _ in range(place % 8):
            digit = permutation[digit]
        # the product check * digit in the dihedral group of ten elements
        turn = digit % 5 if check < 5 else -(digit % 5)
        check = (check % 5 + turn) % 5 + 5 * ((check < 5) != (digit < 5))
    return check == 0


def test_the_check_itself_finds_a_wrong_digit():
    assert has_check_digit("123037004") and has_check_digit("64033007")
    assert not has_check_digit("123037005") and not has_check_digit("64033070")


def test_every_line_of_the_list_is_well_formed_and_there_once():
    lines = [line.split("\t") for line in TERMS.read_text("utf-8").splitlines()[1:]]
    assert len(lines) > 90 and all(len(fields) == 6 for fields in lines)
    for which, category, code, meaning, sides, _others in lines:
        assert which in LISTS and category in CATEGORIES and sides in ("", "left right") and meaning.strip() == meaning
        assert has_check_digit(code), meaning
    assert len({(category, code) for _which, category, code, *_ in lines}) == len(lines)


def test_every_entry_is_one_for_slicer():
    slicer = pytest.importorskip("slicer")
    logic, entry = slicer.vtkSlicerTerminologiesModuleLogic, slicer.vtkSlicerTerminologyEntry()
    for term in commonTerms():
        assert logic.DeserializeTerminologyEntry(term.entry, entry), term.name
        assert entry.GetTypeObject().GetCodeValue() and entry.GetCategoryObject().GetCodeValue()
        assert logic.SerializeTerminologyEntry(entry) == term.entry


@pytest.mark.parametrize("name", ["left kidney", "Left Kidney", "kidney_left", "Kidney L", "the left kidneys"])
def test_a_name_is_understood_however_it_is_written(name):
    assert exactTerm(name).entry == LEFT_KIDNEY


@pytest.mark.parametrize(
    ("name", "term"),
    [
        ("Liver", "Liver"), ("LV", "Left Ventricle"), ("left atrium", "Left atrium"), ("lungs", "Lung"),
        ("posterior hippocampus", "Hippocampus"), ("Hippocampus right", "Hippocampus (Right)"), ("tumour", "Neoplasm"),
        ("left upper lobe", "Upper lobe of lung (Left)"), ("urinary bladder", "Bladder"), ("vessels", "Blood vessel"),
        ("vertebrae", "Vertebra"), ("nodule", "Nodule"), ("Pancreas", "Pancreas"), ("prostate", "Prostate"),
    ],
)  # fmt: skip
def test_common_names_say_their_term(name, term):
    assert exactTerm(name).name == term


@pytest.mark.parametrize("name", ["", "Structure 1", "left", "Liver segment 4", "left liver"])
def test_what_is_not_surely_meant_is_not_taken(name):
    assert exactTerm(name) is None


def test_what_fits_the_name_stands_first():
    assert [term.name for term in proposals("left kidney with cyst")][0] == "Kidney (Left)"
    assert [term.name for term in proposals("liver tumor")][:2] in (["Liver", "Neoplasm"], ["Neoplasm", "Liver"])
    assert len(proposals("xyz")) == len(commonTerms()) and proposals("xyz")[0] == commonTerms()[0]
