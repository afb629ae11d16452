"""The cache of preprocessed arrays."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
from metassl.data.cache import PreprocessCache, content_key
from metassl.files.errors import ProjectError

MB = 1 << 20


def megabytes(count, value=1):
    return {"image": np.full(count * MB, value, np.uint8)}


class Maker:
    """Makes the same arrays every time, and counts."""

    def __init__(self, arrays=None):
        self.arrays = arrays or {
            "image": np.arange(24, dtype=np.float16).reshape(1, 2, 3, 4),
            "label": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        }
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return self.arrays


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def test_arrays_are_made_once_and_mapped_ever_after(folder):
    make = Maker()
    first = PreprocessCache(folder, 10 * MB).get("key", make)
    second = PreprocessCache(folder, 10 * MB).get("key", make)
    assert make.calls == 1
    for arrays in (first, second):
        assert isinstance(arrays["image"], np.memmap)
        assert not arrays["image"].flags.writeable
        for name, array in make.arrays.items():
            assert arrays[name].dtype == array.dtype
            assert np.array_equal(arrays[name], array)


def test_strided_arrays_are_stored_by_their_values(folder):
    array = np.arange(60, dtype=np.float32).reshape(3, 4, 5).transpose(2, 0, 1)[::-1]
    stored = PreprocessCache(folder, MB).get("key", lambda: {"a": array})["a"]
    assert np.array_equal(stored, array)


def test_the_entry_used_longest_ago_goes_first(folder):
    cache = PreprocessCache(folder, 3 * MB + MB // 2)
    for number, key in enumerate("abc"):
        cache.get(key, lambda: megabytes(1))
        os.utime(folder / key / "entry.json", (1000 + number, 1000 + number))
    cache.get("a", Maker())  # used again, so "b" is now the oldest
    cache.get("d", lambda: megabytes(1))
    assert ["a" in cache, "b" in cache, "c" in cache, "d" in cache] == [True, False, True, True]
    assert cache.size_bytes() <= 3 * MB + MB // 2


def test_an_array_in_use_is_never_evicted_not_even_when_only_a_view_is_left(folder):
    cache = PreprocessCache(folder, 2 * MB + MB // 2)
    view = cache.get("a", lambda: megabytes(1, 7))["image"][10:20]
    for key in "bcd":
        cache.get(key, lambda: megabytes(1))
    assert "a" in cache and "b" not in cache
    assert (view == 7).all()
    del view
    cache.get("e", lambda: megabytes(1))
    cache.get("f", lambda: megabytes(1))
    assert "a" not in cache


def test_an_entry_larger_than_the_bound_still_works(folder):
    cache = PreprocessCache(folder, MB)
    cache.get("small", Maker())
    large = cache.get("large", lambda: megabytes(3))
    assert large["image"].size == 3 * MB
    assert "small" not in cache


def truncate(path):
    with open(path, "r+b") as stream:
        stream.truncate(path.stat().st_size - 5)


def flip_a_bit(path):
    with open(path, "r+b") as stream:
        stream.seek(-3, os.SEEK_END)
        byte = stream.read(1)[0]
        stream.seek(-3, os.SEEK_END)
        stream.write(bytes([byte ^ 4]))


def other_array(path):
    np.save(path, np.zeros((1, 3, 2, 4), np.float16))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("image.npy", truncate),
        ("image.npy", flip_a_bit),
        ("image.npy", other_array),
        ("label.npy", os.remove),
        ("entry.json", os.remove),
        ("entry.json", truncate),
        ("entry.json", lambda path: path.write_text("[1, 2]", encoding="utf-8")),
    ],
)
def test_a_damaged_entry_is_made_again(folder, name, damage):
    make = Maker()
    PreprocessCache(folder, 10 * MB).get("key", make)
    damage(folder / "key" / name)
    arrays = PreprocessCache(folder, 10 * MB).get("key", make)
    assert make.calls == 2
    assert np.array_equal(arrays["image"], make.arrays["image"])
    assert PreprocessCache(folder, 10 * MB).get("key", make) and make.calls == 2


def test_a_deleted_cache_is_filled_again_while_it_is_open(folder):
    make, cache = Maker(), PreprocessCache(folder, 10 * MB)
    cache.get("key", make)
    shutil.rmtree(folder / "key")
    assert np.array_equal(cache.get("key", make)["label"], make.arrays["label"])


def test_what_a_killed_process_left_behind_is_removed_once_it_is_old(folder):
    PreprocessCache(folder, MB)
    for name, age in (("old", 2 * 3600), ("young", 0)):
        left = folder / f".tmp-{name}"
        left.mkdir()
        (left / "image.npy").write_bytes(b"half")
        then = left.stat().st_mtime - age
        os.utime(left, (then, then))
    cache = PreprocessCache(folder, MB)
    assert not (folder / ".tmp-old").exists()
    assert (folder / ".tmp-young").exists()
    assert cache.size_bytes() == 0


def test_two_makers_of_one_entry_get_the_same_arrays(folder):
    ours, theirs = PreprocessCache(folder, 10 * MB), PreprocessCache(folder, 10 * MB)

    def make():  # another process finishes first
        theirs.get("key", lambda: megabytes(1, 3))
        return megabytes(1, 3)

    assert (ours.get("key", make)["image"] == 3).all()
    assert not list(folder.glob(".tmp-*"))


def test_threads_may_share_a_cache(folder):
    cache, wrong = PreprocessCache(folder, 3 * MB), []

    def use(seed):
        rng = np.random.default_rng(seed)
        for value in rng.integers(0, 6, 25):
            array = cache.get(f"k{value}", lambda v=value: megabytes(1, v))["image"]
            if array[0] != value or array[-1] != value:
                wrong.append(value)
            del array  # else it is in use, and is kept, while the next is made

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache.size_bytes() <= 5 * MB + 4096  # each thread may hold one while a fifth is stored


def test_a_full_disk_is_one_clear_line_and_leaves_no_half_entry(folder, monkeypatch):
    cache = PreprocessCache(folder, 10 * MB)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("metassl.data.cache.os.fsync", full)
    with pytest.raises(ProjectError, match="the disk is full"):
        cache.get("key", Maker())
    assert list(folder.iterdir()) == []


def test_old_entries_give_way_on_a_full_disk(folder, monkeypatch):
    cache = PreprocessCache(folder, 10 * MB)
    cache.get("old", Maker())
    real = os.fsync

    def full_while_the_old_entry_is_there(descriptor):
        if (folder / "old").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr("metassl.data.cache.os.fsync", full_while_the_old_entry_is_there)
    make = Maker()
    assert np.array_equal(cache.get("new", make)["label"], make.arrays["label"])
    assert "old" not in cache


def test_a_folder_that_cannot_be_made_is_a_project_error(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(ProjectError, match="cannot write"):
        PreprocessCache(tmp_path / "file" / "cache", MB)


def with_open_files(limit, code, folder):
    """What Python prints that may hold only so many files open; `cache` and `array(number)` are there."""
    code = f"""
import resource, numpy as np
resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))
from metassl.data.cache import PreprocessCache
cache = PreprocessCache({str(folder)!r}, 1 << 30)
def array(number):
    return lambda: {{"a": np.full(9, number)}}
{code}
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    return run.stdout.strip() or run.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on open files")
def test_more_arrays_are_at_hand_than_files_may_be_open(folder):
    code = """
held = [cache.on_demand(f"k{i}", array(i), "a") for i in range(400)]
print(all((held[i]() == i).all() for i in range(399, -1, -1)))
"""
    assert with_open_files(256, code, folder) == "True"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on open files")
def test_too_many_open_files_are_not_blamed_on_the_cache(folder):
    code = """
try:
    held = [cache.get(f"k{i}", array(i)) for i in range(80)]
except Exception as error:
    print(type(error).__name__, error)
"""
    message = with_open_files(64, code, folder)
    assert message.startswith("ProjectError") and "limit on open files" in message and "delete" not in message


def test_what_is_on_demand_is_never_evicted_though_it_is_not_mapped(folder, monkeypatch):
    monkeypatch.setattr("metassl.data.cache.MAPPED_AT_ONCE", 2)
    cache, makers = PreprocessCache(folder, 2 * MB), [Maker(megabytes(1, value)) for value in range(6)]
    held = [cache.on_demand(f"k{value}", make, "image") for value, make in enumerate(makers)]
    assert [each()[-1] for each in held] == list(range(6))
    assert [make.calls for make in makers] == [1] * 6 and cache.size_bytes() > 6 * MB
    assert not held[0]().flags.writeable


def test_what_is_on_demand_is_made_again_when_the_cache_was_deleted_meanwhile(folder, monkeypatch):
    monkeypatch.setattr("metassl.data.cache.MAPPED_AT_ONCE", 1)
    cache, make = PreprocessCache(folder, 9 * MB), Maker(megabytes(1, 7))
    held = cache.on_demand("a", make, "image")
    cache.on_demand("b", Maker(megabytes(1)), "image")
    shutil.rmtree(folder / "a")
    assert held()[0] == 7 and make.calls == 2


@pytest.fixture
def looks(monkeypatch):
    """How often the folder of a cache was listed."""
    times, listed = [], PreprocessCache._entries
    monkeypatch.setattr(PreprocessCache, "_entries", lambda cache: times.append(1) or listed(cache))
    return times


@pytest.mark.parametrize("kilobytes", [10, 1000])
def test_the_folder_is_not_listed_for_every_entry_that_is_stored(kilobytes, folder, looks):
    cache = PreprocessCache(folder, kilobytes << 10)  # 10: everything is in use, and does not fit
    held = [cache.on_demand(f"k{number}", lambda: {"a": np.zeros(1000, np.uint8)}, "a") for number in range(100)]
    assert len(held) == 100 and len(looks) <= (1 if kilobytes == 1000 else 35)


def test_nor_is_it_when_every_new_entry_takes_the_place_of_an_old_one(folder, looks):
    limit = 100 << 10
    PreprocessCache(folder, limit).get("old", lambda: {"a": np.zeros(99 << 10, np.uint8)})
    cache = PreprocessCache(folder, limit)
    for number in range(200):
        cache.get(f"k{number}", lambda: {"a": np.zeros(1000, np.uint8)})
        assert cache.size_bytes() <= limit
        looks.pop()
    assert "old" not in cache and f"k{number}" in cache and len(looks) <= 15


def test_what_another_process_stores_counts_as_soon_as_the_bound_seems_to_be_reached(folder):
    ours, theirs = PreprocessCache(folder, 4 * MB), PreprocessCache(folder, 4 * MB)
    for key in "abc":
        theirs.get(key, lambda: megabytes(1))
    for key in "defghi":
        ours.get(key, lambda: megabytes(1))
    assert ours.size_bytes() <= 4 * MB and "i" in ours and "a" not in ours


def test_other_content_gives_another_key_and_another_name_does_not(tmp_path):
    first, second = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    first.write_bytes(b"voxels")
    second.write_bytes(b"voxels")
    key = content_key([first], plan={"spacing": [1, 1, 1]})
    assert content_key([second], plan={"spacing": [1, 1, 1]}) == key
    assert content_key([first], plan={"spacing": [1, 1, 2]}) != key
    assert content_key([first, second], plan={"spacing": [1, 1, 1]}) != key
    first.write_bytes(b"VOXELS")
    assert content_key([first], plan={"spacing": [1, 1, 1]}) != key


def test_the_key_of_a_series_follows_each_of_its_files(tmp_path):
    series = tmp_path / "series"
    series.mkdir()
    for number in range(3):
        (series / f"{number}.dcm").write_bytes(bytes([number]) * 10)
    key = content_key([series])
    assert content_key([series]) == key
    (series / "1.dcm").write_bytes(b"x" * 10)
    assert content_key([series]) != key


def test_a_file_that_is_gone_is_a_project_error(tmp_path):
    with pytest.raises(ProjectError, match="cannot read .*gone.nii.gz"):
        content_key([tmp_path / "gone.nii.gz"])


@pytest.mark.parametrize("name", ["", "other", "../../image"])
def test_an_index_that_names_other_arrays_is_made_anew(folder, name):
    make = Maker()
    PreprocessCache(folder, MB).get("key", make)
    index = folder / "key" / "entry.json"
    arrays = json.loads(index.read_text(encoding="utf-8"))["arrays"]
    index.write_text(json.dumps({"arrays": {name: arrays["image"]} if name else {}}), encoding="utf-8")
    if name:
        shutil.copyfile(folder / "key" / "image.npy", folder / "key" / f"{name}.npy")
    wanted = () if "/" in name else ("image",)  # a name that leads out is never followed
    assert np.array_equal(PreprocessCache(folder, MB).get("key", make, *wanted)["image"], make.arrays["image"])
    assert make.calls == 2
