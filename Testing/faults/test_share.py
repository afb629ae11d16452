"""Over a share that shows things late a job is followed, and told rightly in the end."""

import random

from faults import share
from faults.share_view import ShareView
from metassl.jobs import JobRecord


def test_a_job_on_a_slow_share_is_followed_and_told_rightly_in_the_end(tmp_path):
    outcome = share.run(3, tmp_path, seed=1)
    assert outcome.lost == 0, outcome.message


def test_the_share_shows_less_than_was_written_and_all_in_the_end(tmp_path):
    written = tmp_path / "written"
    written.mkdir()
    view, sizes, zeros = ShareView(written, tmp_path / "seen", random.Random(2)), [], False
    text = b"a line\n" * 100
    for length in range(0, len(text), 50):
        (written / "e.jsonl").write_bytes(text[:length])
        view.refresh()
        shown = view.seen / "e.jsonl"
        data = shown.read_bytes() if shown.exists() else b""
        zeros |= 0 in data
        sizes.append(len(data))
    assert zeros and sizes != sorted(sizes)
    view.catch_up()
    assert (view.seen / "e.jsonl").read_bytes() == (written / "e.jsonl").read_bytes()


def test_a_job_record_that_is_announced_and_not_there_yet_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.exists", lambda path: True)
    assert JobRecord.read(tmp_path / "job.json") is None
