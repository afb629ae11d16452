"""How `make docs` makes the site: the very files that are read on GitHub, so that a link works in both places."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]

project = "MetaSSL for 3D Slicer"
copyright = "MetaSSLSlicer contributors"
version = release = re.search(
    r'__version__ = "(.+)"', (ROOT / "MetaSSLSlicer" / "metassl" / "__init__.py").read_text("utf-8")
)[1]

extensions = ["myst_parser", "autoapi.extension"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = ["CHANGELOG.md"]
suppress_warnings = ["autoapi.python_import_resolution"]  # of constants that are made by unpacking; none is shown

myst_heading_anchors = 3

# The API page is made of the sources, without importing them: neither torch nor Slicer is needed.
autoapi_dirs = [str(ROOT / "MetaSSLSlicer" / "metassl")]
autoapi_root = "docs/autoapi"
autoapi_generate_api_docs = False
autoapi_add_toctree_entry = False
autoapi_options = ["members", "imported-members", "show-inheritance"]
default_role = "code"  # of `names` in docstrings

html_theme = "furo"
html_title = "MetaSSL"
html_logo = "../Resources/MetaSSL.png"
html_static_path: list[str] = []
html_show_sphinx = False
html_copy_source = False

CONTENTS = {
    "README": """
```{toctree}
:hidden:
:caption: Get started
docs/tutorial
docs/troubleshooting
```
```{toctree}
:hidden:
:caption: How to
docs/your_images
docs/start_from_a_model
docs/command_line
docs/another_machine
docs/what_it_costs
docs/when_to_stop
CONTRIBUTING
```
```{toctree}
:hidden:
:caption: Go on elsewhere
docs/go_on/nnunet
docs/go_on/itk_snap
docs/go_on/pacs
docs/go_on/monai
```
```{toctree}
:hidden:
:caption: Reference
docs/api
SECURITY
```
```{toctree}
:hidden:
:caption: Explanation
docs/METHOD
docs/REGION_MAP
docs/UNCERTAINTY
docs/ARCHITECTURE
docs/FAULTS
docs/benchmarks
docs/PEERS
docs/ABLATION
docs/REPRODUCTION
```
""",
    "docs/benchmarks": """
```{toctree}
:hidden:
Hippocampus, two minutes <benchmark/hippocampus>
Hippocampus, six minutes <benchmark/hippocampus_6_minutes>
Hippocampus, some labels wrong <benchmark/hippocampus_noisy>
Hearts, six minutes <benchmark/hearts_6_minutes>
Which case next <benchmark/next_case>
A cohort gets finished: hippocampus <benchmark/cohort/hippocampus>
A cohort gets finished: CTs <benchmark/cohort/cts>
A cohort gets finished: hearts <benchmark/cohort/hearts>
A cohort gets finished: what nobody looked at <benchmark/cohort/evidence>
```
""",
}
"""Added to these pages, where GitHub would show it as text."""


def setup(app) -> None:
    app.connect("source-read", _add_contents)
    app.connect("autodoc-process-docstring", _without_indents)
    app.connect("build-finished", _lead_to_the_readme)


def _add_contents(app, name: str, source: list[str]) -> None:
    source[0] += CONTENTS.get(name, "")


def _without_indents(app, what, name, thing, options, lines: list[str]) -> None:
    """Docstrings are plain text: but in a list, an indented line goes on with the one above it, and is no quotation."""
    in_list = False
    for number, line in enumerate(lines):
        in_list = line.lstrip().startswith("- ") or (in_list and bool(line.strip()))
        lines[number] = line if in_list else line.strip()


def _lead_to_the_readme(app, error: Exception | None) -> None:
    if error is None:
        page = f'<!doctype html><meta http-equiv="refresh" content="0; url={root_doc}.html">'
        (Path(app.outdir) / "index.html").write_text(page, "utf-8")
