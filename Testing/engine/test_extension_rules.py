"""What Slicer's catalogue of extensions and its packaging ask of this repository."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MODULE = REPOSITORY / "MetaSSLSlicer"
MODULE_FILE = MODULE / "MetaSSLSlicer.py"
EXTENSION_ICON = REPOSITORY / "Resources" / "MetaSSL.png"
MODULE_ICON = MODULE / "Resources" / "Icons" / "MetaSSLSlicer.png"
TOOL = runpy.run_path(str(REPOSITORY / "Testing" / "list_module_files.py"))
OURS = {"MetaSSLSlicerLib", "MetaSSLPictures", "metassl"}


# CMake


def cmake_variables(path: Path) -> dict[str, list[str]]:
    """The variables that a CMake file sets, with ${...} filled in from those before."""
    text = re.sub(r"(?m)(^|\s)#.*$", "", path.read_text(encoding="utf-8"))
    variables: dict[str, list[str]] = {}
    for name, body in re.findall(r"\bset\(\s*(\w+)((?:\s+(?:\"[^\"]*\"|[^\s()\"]+))*)\s*\)", text):
        values = [quoted or bare for quoted, bare in re.findall(r"\"([^\"]*)\"|([^\s\"]+)", body)]
        variables[name] = [
            re.sub(r"\$\{(\w+)\}", lambda found: ";".join(variables.get(found[1], [])), value) for value in values
        ]
    return variables


@pytest.fixture(scope="module")
def extension() -> dict[str, list[str]]:
    return cmake_variables(REPOSITORY / "CMakeLists.txt")


def test_every_file_of_the_module_is_listed_in_cmake():
    listed = cmake_variables(MODULE / "CMakeLists.txt")
    names = listed[TOOL["SCRIPTS"]] + listed[TOOL["RESOURCES"]]
    files = TOOL["module_files"]()
    advice = "run: python Testing/list_module_files.py"
    assert sorted(set(files) - set(names)) == [], f"not listed in MetaSSLSlicer/CMakeLists.txt; {advice}"
    assert sorted(set(names) - set(files)) == [], f"listed, but not there; {advice}"
    assert len(names) == len(set(names))


def test_the_list_of_files_is_as_the_tool_writes_it():
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    assert TOOL["with_list"](text, TOOL["module_files"]()) == text


def test_the_tool_leaves_out_what_builds_and_editors_leave_behind(tmp_path):
    for name in ("A.py", "b/c.css", "b/__pycache__/c.pyc", "x.egg-info/PKG-INFO", ".idea/y", "CMakeLists.txt", "A.py~"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert TOOL["module_files"](tmp_path) == ["A.py", "b/c.css"]


SLICER_STAND_IN = """
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/Use.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/Pack.cmake)
"""
USE_SLICER = """
set(BUILD_TESTING ON)
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS OR NOT MY_NAME OR NOT MY_SCRIPTS OR NOT MY_RESOURCES)
    message(FATAL_ERROR "wrong arguments: ${ARGN}")
  endif()
  foreach(name ${MY_SCRIPTS} ${MY_RESOURCES})
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${name})
      message(FATAL_ERROR "there is no ${name}")
    endif()
  endforeach()
endfunction()
function(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "SCRIPT" "" ${ARGN})
  file(APPEND ${CMAKE_BINARY_DIR}/found.txt "UNITTEST=${MY_SCRIPT}\\n")
endfunction()
"""
PACK = """
foreach(name HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  file(APPEND ${CMAKE_BINARY_DIR}/found.txt "EXTENSION_${name}=${EXTENSION_${name}}\\n")
endforeach()
file(APPEND ${CMAKE_BINARY_DIR}/found.txt "NAME=${PROJECT_NAME}\\n")
"""


@pytest.mark.skipif(not shutil.which("cmake") or not shutil.which("cc"), reason="CMake or a compiler is not there")
def test_cmake_itself_reads_the_same(tmp_path, extension):
    package, build = tmp_path / "Slicer", tmp_path / "build"
    package.mkdir()
    files = {"SlicerConfig": SLICER_STAND_IN, "Use": USE_SLICER, "Nothing": "", "Pack": PACK}
    for name, text in files.items():
        (package / f"{name}.cmake").write_text(text, encoding="utf-8")
    works = ["-DCMAKE_C_COMPILER_WORKS=1", "-DCMAKE_CXX_COMPILER_WORKS=1"]
    command = ["cmake", "-S", str(REPOSITORY), "-B", str(build), f"-DSlicer_DIR={package}", *works]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = dict(line.split("=", 1) for line in (build / "found.txt").read_text(encoding="utf-8").splitlines())
    assert (found.pop("NAME"), found.pop("UNITTEST")) == ("MetaSSL", "MetaSSLSlicer.py")
    assert found == {name: ";".join(values) for name, values in extension.items() if name.startswith("EXTENSION_")}


# The catalogue of extensions


def test_the_extension_has_a_good_name():
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    name = re.search(r"^project\((\w+)\)$", text, re.MULTILINE)[1]
    assert name == "MetaSSL"
    assert not name.lower().startswith("slicer")


def test_the_description_is_one_or_two_plain_sentences(extension):
    (description,) = extension["EXTENSION_DESCRIPTION"]
    assert description[0].isupper() and description.endswith(".")
    assert 1 <= len(re.findall(r"[.!?](?:\s|$)", description)) <= 2
    assert len(description) <= 300
    assert ";" not in description, "CMake would take it for the end of the text"


def test_all_addresses_are_of_one_repository_and_lead_to_files_that_are_there(extension):
    (home,) = extension["EXTENSION_HOMEPAGE"]
    owner, name = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+)", home).groups()
    assert name == "SlicerMetaSSL"
    raw = f"https://raw.githubusercontent.com/{owner}/{name}/main/"
    addresses = extension["EXTENSION_ICONURL"] + extension["EXTENSION_SCREENSHOTURLS"]
    assert [address for address in addresses if not address.startswith(raw)] == []
    assert [address for address in addresses if not (REPOSITORY / address.removeprefix(raw)).is_file()] == []
    assert extension["EXTENSION_SCREENSHOTURLS"]
    assert home in MODULE_FILE.read_text(encoding="utf-8")


def test_the_entry_of_the_index_fits_the_repository(extension):
    """What the index checks of an entry, save what needs the network (docs/MetaSSL.json is copied there)."""
    path = REPOSITORY / "docs" / "MetaSSL.json"
    assert b"\r" not in path.read_bytes()
    entry = json.loads(path.read_text(encoding="utf-8"))
    optional = {"build_dependencies", "build_subdirectory", "scm_revision", "scm_type", "tier"}
    assert {"$schema", "category", "scm_url"} <= set(entry) <= {"$schema", "category", "scm_url"} | optional
    assert entry["$schema"].endswith("/slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert entry["scm_url"] == extension["EXTENSION_HOMEPAGE"][0] + ".git"
    assert entry["build_dependencies"] == extension["EXTENSION_DEPENDS"]
    assert entry["category"] in MODULE_FILE.read_text(encoding="utf-8")
    assert entry["scm_url"].rsplit("/", 1)[1].startswith("Slicer")


def test_the_addresses_are_written_out():
    """The index reads CMakeLists.txt as text: it fills no variable in."""
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    for name in ("EXTENSION_HOMEPAGE", "EXTENSION_ICONURL", "EXTENSION_SCREENSHOTURLS"):
        (addresses,) = re.findall(rf'set\s*\({name}\s*"([^"]+)"\)', text)
        assert [each for each in addresses.split() if not re.fullmatch(r"https://[\w./-]+", each)] == []


def test_torch_comes_with_the_extension_pytorch(extension):
    assert extension["EXTENSION_DEPENDS"] == ["PyTorch"]
    assert extension["EXTENSION_CONTRIBUTORS"]


def test_the_repository_holds_what_belongs_there():
    files = "CMakeLists.txt README.md LICENSE CHANGELOG.md pyproject.toml Makefile constraints.txt"
    module = "CMakeLists.txt MetaSSLSlicer.py MetaSSLSlicerLib MetaSSLPictures metassl Resources/UI"
    folders = "Resources/Screenshots Testing/engine Testing/slicer Testing/widget Testing/harness Testing/data docs"
    names = [
        *files.split(),
        *folders.split(),
        *(f"MetaSSLSlicer/{name}" for name in [*module.split(), "Resources/requirements.txt"]),
    ]
    assert [name for name in names if not (REPOSITORY / name).exists()] == []
    assert list(REPOSITORY.glob("*.py")) == []


def test_the_licence_is_apache_and_the_readme_says_so():
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "Version 2.0" in text
    assert "Apache-2.0" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


README_PARTS = {
    "the extension's name in its title": r"\A# .*MetaSSL",
    "a picture": r"!\[[^\]]+\]\([^)]+\.(png|jpg)\)",
    "a heading for the module, with a sentence below it": r"(?mi)^#+ .*\bmodules?\b.*$\s+\S.*\.",
    "a heading for a tutorial, step by step": r"(?mi)^#+ .*(tutorial|step by step).*$",
    "where to get sample data": r"(?i)sample (data|project)",
    "a link to the publication": r"https://(doi\.org|arxiv\.org)/\S+",
    "how to cite it": r"(?mi)^#+ .*\bcite\b",
}


@pytest.mark.parametrize("part", README_PARTS)
def test_the_readme_has_what_the_catalogue_asks_for(part):
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    if not re.search(README_PARTS[part], text):
        pytest.fail(f"README.md lacks {part}")


def test_every_picture_of_the_readme_is_there():
    pictures = re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", (REPOSITORY / "README.md").read_text(encoding="utf-8"))
    assert [name for name in pictures if "://" not in name and not (REPOSITORY / name).is_file()] == []


@pytest.mark.parametrize("path", [EXTENSION_ICON, MODULE_ICON], ids=lambda path: path.name)
def test_icons_are_128_by_128_with_a_transparent_background(path):
    data = path.read_bytes()
    width, height, _, colour_type = struct.unpack(">IIBB", data[16:26])
    assert data.startswith(b"\x89PNG")
    assert (width, height, colour_type) == (128, 128, 6)


def test_the_module_and_the_extension_have_the_same_icon():
    assert EXTENSION_ICON.read_bytes() == MODULE_ICON.read_bytes()


# Names of files


def test_the_module_folder_puts_four_names_on_slicers_path():
    names = {Path(name).parts[0].removesuffix(".py") for name in TOOL["module_files"]() if name.endswith(".py")}
    assert names == {"MetaSSLSlicer"} | OURS


def test_file_names_work_on_every_system():
    files = TOOL["module_files"]()
    assert [name for name in files if not re.fullmatch(r"[\w./-]+", name, re.ASCII)] == []
    assert len({name.casefold() for name in files}) == len(files), "two names differ by case only"
    assert [name for name in files if len(name) > 100] == [], "Windows has a limit on the length of paths"


def test_files_are_named_in_the_style_of_their_room():
    def misnamed(folder: str, pattern: str) -> list[str]:
        names = [name for name in TOOL["module_files"]() if name.startswith(f"{folder}/") and name.endswith(".py")]
        assert names
        return [name for name in names if not re.fullmatch(pattern, Path(name).stem)]

    assert misnamed("MetaSSLSlicerLib", r"__init__|[A-Za-z][A-Za-z0-9]*") == []
    assert misnamed("MetaSSLPictures", r"__(init|main)__|[A-Za-z][A-Za-z0-9]*") == []
    assert misnamed("metassl", r"[a-z0-9_]+") == []
