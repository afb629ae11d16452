"""A clock that is set back changes no order."""

from faults import clock
from metassl.jobs import JobRecord, JobWriter, job_status
from metassl.project.rounds import make_round


def test_rounds_events_and_states_keep_their_order_whatever_the_clock_says(tmp_path):
    outcome = clock.run(8, tmp_path, seed=1)
    assert outcome.lost == 0, outcome.message


def test_a_job_that_ended_after_the_clock_was_set_back_has_ended(tmp_path):
    found = make_round(tmp_path / "rounds")
    with clock.clock() as watch:
        record = clock.launched(found)
        watch.hours = -2.0
        JobWriter(found, every_s=0.0).write("started")
        JobWriter(found, every_s=0.0).write("finished")
        clock.dead(record, found)
        assert job_status(found).state == "finished"
    watch.hours = 0.0


def test_a_record_that_does_not_say_after_which_event_is_judged_by_time(tmp_path):
    found = make_round(tmp_path / "rounds")
    JobWriter(found, every_s=0.0).write("paused", step=3)
    record = JobRecord.of(1 << 22)
    assert record.after is None
    record.launched = "9999-01-01T00:00:00+00:00"
    record.write(found.job_path)
    assert JobRecord.read(found.job_path) == record
    assert job_status(found).state == "interrupted"
