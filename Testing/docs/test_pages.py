"""The pages: links lead somewhere, addresses are well formed, and what the API page lists can be imported."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from metassl import __version__

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md",
]
LINK = re.compile(r"\]\(<?([^()\s<>]+(?:\([^()\s]*\)[^()\s]*)?)>?(?: \"[^\"]*\")?\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.M | re.S)
HEADING = re.compile(r"^#+ (.+)$", re.M)
LISTED = re.compile(r"^\.\. autoapi(module|class|function|data):: (\S+)$", re.M)
WORDS_OF_THE_README = 900


def links_of(text: str) -> list[str]:
    return LINK.findall(CODE.sub("", text))


def anchors_of(text: str) -> set[str]:
    """As GitHub and the site make them of headings."""
    plain = [re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).strip().lower() for heading in HEADING.findall(text)]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere or are no addresses."""
    wrong = []
    for link in links_of(page.read_text("utf-8")):
        parts = urlsplit(link)
        if parts.scheme:
            if parts.scheme != "https" or not re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc):
                wrong.append(link)
            continue
        target = (page.parent / parts.path).resolve() if parts.path else page
        if not target.exists() or not target.is_relative_to(ROOT):
            wrong.append(link)
        elif parts.fragment and parts.fragment not in anchors_of(target.read_text("utf-8")):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_a_heading_or_a_well_formed_address(page):
    assert broken(page) == []


@pytest.mark.parametrize(
    "link",
    ["nowhere.md", "docs/METHOD.md#no-such-heading", "../../etc/passwd", "http://example.org/", "https://nowhere"],
)
def test_a_wrong_link_is_found(link, tmp_path):
    page = ROOT / "README.md"
    text = f"[one](docs/tutorial.md), `[code](nowhere)`, [two]({link})"
    assert links_of(text) == ["docs/tutorial.md", link]
    made = tmp_path / "page.md"
    made.write_text(text.replace("docs/", f"{page.parent}/docs/"), encoding="utf-8")
    assert [each.replace(f"{page.parent}/", "") for each in broken(made)] == [link]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= WORDS_OF_THE_README


def test_the_citation_is_of_this_version():
    (cited,) = re.findall(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.M)
    assert cited == __version__


def public_names() -> list[str]:
    """What the API page lists, "module:name"; of a package all that its __all__ names."""
    names = []
    for kind, path in LISTED.findall((ROOT / "docs" / "api.md").read_text("utf-8")):
        if kind == "module":
            names += [f"{path}:{name}" for name in import_module(path).__all__]
        else:
            names.append(":".join(path.rsplit(".", 1)))
    return names


def test_the_api_page_lists_each_name_once():
    names = public_names()
    assert len(names) > 80 and len(set(names)) == len(names)


@pytest.mark.parametrize("name", public_names())
def test_what_the_api_page_lists_can_be_imported_and_says_what_it_is(name):
    module, _, attribute = name.partition(":")
    found = getattr(import_module(module), attribute)
    if callable(found) or isinstance(found, type):
        assert found.__doc__ and not found.__doc__.startswith(f"{attribute}("), f"{name} has no docstring"
