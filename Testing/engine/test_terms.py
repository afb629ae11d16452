"""The quick list of structures and their SNOMED CT codes."""

from __future__ import annotations

import pytest
from metassl.cli import main
from metassl.files.errors import LabelError
from metassl.project import Project
from metassl.project.terms import (
    CATEGORIES,
    LISTS,
    TERMS,
    codes_of,
    common_terms,
    entry_of,
    exact_term,
    proposals,
)

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
    for term in common_terms():
        assert logic.DeserializeTerminologyEntry(term.entry, entry), term.name
        assert entry.GetTypeObject().GetCodeValue() and entry.GetCategoryObject().GetCodeValue()
        assert logic.SerializeTerminologyEntry(entry) == term.entry


@pytest.mark.parametrize("name", ["left kidney", "Left Kidney", "kidney_left", "Kidney L", "the left kidneys"])
def test_a_name_is_understood_however_it_is_written(name):
    assert exact_term(name).entry == LEFT_KIDNEY


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
    assert exact_term(name).name == term


@pytest.mark.parametrize("name", ["", "Structure 1", "left", "Liver segment 4", "left liver"])
def test_what_is_not_surely_meant_is_not_taken(name):
    assert exact_term(name) is None


def test_what_fits_the_name_stands_first():
    assert [term.name for term in proposals("left kidney with cyst")][0] == "Kidney (Left)"
    assert [term.name for term in proposals("liver tumor")][:2] in (["Liver", "Neoplasm"], ["Neoplasm", "Liver"])
    assert len(proposals("xyz")) == len(common_terms()) and proposals("xyz")[0] == common_terms()[0]


def test_an_entry_is_the_name_of_a_common_term_or_codes():
    assert entry_of(" kidney left ") == LEFT_KIDNEY
    assert entry_of(LEFT_KIDNEY) == LEFT_KIDNEY
    parts = LEFT_KIDNEY.split("~")
    codes = codes_of(entry_of("~".join(parts[1:4])))
    assert (codes.category.meaning, codes.type.value, codes.modifier.meaning) == (
        "Anatomical Structure",
        "64033007",
        "Left",
    )
    assert codes.region is None and codes_of(entry_of("~".join(parts[1:3]))).modifier is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kidny", "'kidny' is none of the common terms"),
        ("Anterior hippocampi head", "Hippocampus"),
        ("SCT^123037004^Anatomical Structure~SCT^64033007", "cannot read the codes"),
        ("a~b~c~d", "cannot read the codes"),
    ],
)
def test_what_is_no_entry_is_told_with_what_can_be_written(text, told):
    with pytest.raises(LabelError, match="SCT.10200004.Liver") as caught:
        entry_of(text)
    assert told in str(caught.value)


def test_a_structure_of_a_project_is_given_a_term(tiny_project, capsys):
    assert main(["structure", str(tiny_project.path), "term", "1=kidney left"]) == 0
    assert "1 Front is Kidney (Left) by its term now" in capsys.readouterr().out
    assert [label.terminology for label in Project.open(tiny_project.path).labels] == [LEFT_KIDNEY, ""]
    assert main(["structure", str(tiny_project.path), "term", "1=liver"]) == 0
    assert "1 Front is Liver by its term now, not Kidney (Left)" in capsys.readouterr().out
    assert main(["structure", str(tiny_project.path), "term", "9=liver"]) == 2
    assert "no structure of the value 9" in capsys.readouterr().err


def test_an_entry_without_codes_says_so():
    assert codes_of("") is None
    assert codes_of("Segmentation category and type~SCT^123037004^Anatomical Structure~^^~^^~~^^~^^") is None
