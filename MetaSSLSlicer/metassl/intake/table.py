"""A table of cases (CSV): case, image or image:T1, image:T2 ..., label or label:Liver ..., split. The universal door.

`metassl scan DIR --csv FILE` writes one; rows with something in the column left_out are not taken.
"""

from __future__ import annotations

import csv
from pathlib import Path

from metassl.files.atomic import atomic_write
from metassl.files.errors import ProjectError
from metassl.project.cases import SPLITS, make_case_id

from .found import Discovery, FoundCase

_COLUMNS = ("case", "image", "label", "split", "left_out")


def is_table(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in (".csv", ".tsv")


def find(path: Path) -> Discovery:
    """The cases of a table; paths in it are relative to its folder. ProjectError naming the line that is wrong."""
    rows, columns = _rows(path)
    images = [name for name in columns if name == "image" or name.startswith("image:")]
    channels = [name.partition(":")[2] or "image" for name in images]
    found = Discovery([], channels=channels, name=path.stem)
    for number, row in rows:
        where = f"{path}, line {number}"
        if row.get("left_out"):
            found.left_out.append((path.parent / (row.get(images[0]) or ""), row["left_out"]))
            continue
        if not row.get("case"):
            raise ProjectError(f"{where} names no case")
        missing = [name for name in images if not row.get(name)]
        if missing:
            raise ProjectError(f"{where}: case {row['case']} has no {' and no '.join(missing)}")
        split = row.get("split", "").strip()
        if split not in ("", *SPLITS):
            raise ProjectError(f"{where}: the split {split!r} is none of {', '.join(SPLITS)}")
        case = FoundCase(make_case_id(row["case"]), [path.parent / row[name] for name in images], split=split)
        if row.get("label"):
            case.label = path.parent / row["label"]
        parts = [name for name in columns if name.startswith("label:") and row[name]]
        case.structures = {name.partition(":")[2]: path.parent / row[name] for name in parts}
        if case.label and case.structures:
            raise ProjectError(f"{where}: case {case.id} has a label and files of single structures: keep one")
        found.cases.append(case)
    return found


def write(path: Path, found: Discovery) -> None:
    """Write what was found as a table that `find` reads back; what was left out has its reason in the last column."""
    images = ["image"] if found.channels == ["image"] else [f"image:{name}" for name in found.channels]
    parts = [f"label:{name}" for name in found.structure_names]
    folder = path.parent.resolve()

    def text(file: Path) -> str:
        file = file.absolute()
        return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)

    split = {case_id: _ROLES[key] for key, ids in (found.split or {}).items() for case_id in ids}

    def to(target: Path) -> None:
        with open(target, "w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(["case", *images, "label", *parts, "split", "left_out"])
            for case in found.cases:
                paths = [text(image) for image in case.images] + [""] * (len(images) - len(case.images))
                own = [text(case.structures[name]) if name in case.structures else "" for name in found.structure_names]
                role = case.split or split.get(case.id, "")
                table.writerow([case.id, *paths, text(case.label) if case.label else "", *own, role, ""])
            for file, reason in found.left_out:
                table.writerow(["", text(file), *[""] * (len(images) - 1), "", *[""] * len(parts), "", reason])

    atomic_write(path, to)


def _column(name: str) -> str:
    """Capitals do not tell columns apart; those of a channel's or structure's name stay."""
    kind, colon, own = name.partition(":")
    return kind.strip().casefold() + colon + own.strip()


_ROLES = {"val": "validation", "test": "test", "train_order": "pool"}


def _rows(path: Path) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            delimiter = max(",;\t", key=first.count)
            reader = csv.DictReader(stream, delimiter=delimiter, restval="", restkey="more")
            columns = [_column((name or "").strip()) for name in reader.fieldnames or []]
            reader.fieldnames = columns
            rows = [(reader.line_num, {k: v.strip() for k, v in row.items() if isinstance(v, str)}) for row in reader]
    except UnicodeDecodeError as error:
        raise ProjectError(f"cannot read the table {path}: save it as UTF-8 (Excel: CSV UTF-8)") from error
    except (OSError, csv.Error) as error:
        raise ProjectError(f"cannot read the table {path}: {error}") from error
    unknown = [name for name in columns if name.partition(":")[0] not in _COLUMNS]
    if "case" not in columns or not any(name.partition(":")[0] == "image" for name in columns) or unknown:
        wrong = f" it does not know {', '.join(map(repr, unknown))};" if unknown else ""
        raise ProjectError(
            f"{path}: a table of cases has the columns case, image (or image:T1, image:T2 ...), label (or label:Liver "
            f"...), split, left_out;{wrong} it has {', '.join(columns) or 'none'}"
        )
    if len(set(columns)) < len(columns):
        raise ProjectError(f"{path}: two columns have the same name")
    return [(number, row) for number, row in rows if any(row.values())], columns
