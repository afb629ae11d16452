"""Writes the list of the module's files into MetaSSLSlicer/CMakeLists.txt: python Testing/list_module_files.py"""

from __future__ import annotations

from pathlib import Path

MODULE = Path(__file__).resolve().parents[1] / "MetaSSLSlicer"
CMAKE_FILE = MODULE / "CMakeLists.txt"
BEGIN = "# List of files: begin\n"
END = "# List of files: end\n"
SCRIPTS = "MODULE_PYTHON_SCRIPTS"
RESOURCES = "MODULE_PYTHON_RESOURCES"


def module_files(module: Path = MODULE) -> list[str]:
    """Every file that belongs to the module, relative to its folder, with slashes."""
    paths = (path.relative_to(module) for path in module.rglob("*") if path.is_file())
    return sorted((path.as_posix() for path in paths if not _is_by_product(path)), key=str.lower)


def _is_by_product(path: Path) -> bool:
    """What builds, installs and editors leave behind, and the list itself."""
    made = any(part.startswith(".") or part == "__pycache__" or part.endswith(".egg-info") for part in path.parts)
    return made or path.as_posix() == "CMakeLists.txt" or path.suffix in (".pyc", ".pyo") or path.name.endswith("~")


def written_list(files: list[str]) -> str:
    """The two lists as CMake wants them: what Python runs, and what it reads."""
    scripts = [name for name in files if name.endswith(".py")]
    resources = [name for name in files if not name.endswith(".py")]
    return "".join(
        f"set({variable}\n{''.join(f'  {name}{chr(10)}' for name in names)}  )\n"
        for variable, names in ((SCRIPTS, scripts), (RESOURCES, resources))
    )


def with_list(text: str, files: list[str]) -> str:
    """The CMake file's text with `files` between the two marks."""
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    return head + BEGIN + written_list(files) + END + tail


def main() -> None:
    """Write the list, and say what changed."""
    before = CMAKE_FILE.read_text(encoding="utf-8")
    after = with_list(before, module_files())
    CMAKE_FILE.write_text(after, encoding="utf-8", newline="\n")
    print(f"{CMAKE_FILE}: {'written' if after != before else 'was complete'}, {len(module_files())} files")


if __name__ == "__main__":
    main()
