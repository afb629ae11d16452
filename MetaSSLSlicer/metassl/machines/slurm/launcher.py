"""A training as a job of Slurm."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from metassl.files.atomic import remove_file, write_text
from metassl.files.errors import ProjectError
from metassl.jobs.events import last_number
from metassl.jobs.launcher import ENGINE_ROOT, STOP
from metassl.jobs.record import JobRecord
from metassl.jobs.share import Share
from metassl.jobs.standing import Standing, forget
from metassl.project.cases import now
from metassl.project.rounds import Round

from ..begun import note_begun
from ..checks import Check
from ..machine import Machine
from ..shell import LocalShell, Shell
from ..site import read_machine
from .answers import ASK, ASK_LATER, FORGOTTEN, Answer, of_accounts, of_queue
from .check import check
from .script import escaped, script, submission

_NO_SUCH_JOB = "Invalid job id"
ENDED_BY_US = "was cancelled by `metassl stop`"


class SlurmLauncher:
    """Hands `python -m metassl.machines.slurm.task PROJECT NUMBER` to sbatch.

    Where Slurm starts it again, it goes on from the last checkpoint. The nodes see the project under the same path.
    """

    name = "slurm"
    every_s = 10.0

    def __init__(self, machine: str, shell: Shell | None = None) -> None:
        self.machine: Machine = read_machine(machine)
        self.shell: Shell = shell or LocalShell()

    def there(self, path: str) -> str:
        """A path here, as the nodes see it."""
        return path

    def launch(
        self, round: Round, python: str | None = None, environment: Mapping[str, str] | None = None
    ) -> JobRecord:
        """Submit the job of `round` and write its job.json. Raises ProjectError, with what Slurm said."""
        note_begun(self.machine.name, round)
        remove_file(round.stop_path)
        launched, after = now(), last_number(round.events_path)
        arguments = ["-m", "metassl.machines.slurm.task", self.there(str(round.project_path)), str(round.number)]
        log = escaped(self.there(str(round.log_path)))
        log_start = round.log_path.stat().st_size if round.log_path.exists() else 0
        job = self.submit(f"metassl-{round.project_path.name}", log, arguments)
        record = JobRecord.elsewhere(self.machine.kind, self.machine.name, job, python=self.python)
        record.launched, record.log_start, record.after = launched, log_start, after
        try:
            record.write(round.job_path)
        except BaseException:
            self.cancel(job)
            raise
        return record

    def launch_share(self, share: Share, round: Round) -> Share:
        """Submit the tasks of a shared prediction as an array. Raises ProjectError."""
        note_begun(self.machine.name, round)
        project, number = self.there(str(round.project_path)), str(round.number)
        arguments = ["-m", "metassl.machines.slurm.task", project, number, str(share.number)]
        log = escaped(self.there(str(share.logs))) + "/%a.txt"
        job = self.submit(f"metassl-{round.project_path.name}", log, arguments, share.tasks)
        return share.launched(JobRecord.elsewhere(self.machine.kind, self.machine.name, job))

    @property
    def python(self) -> str:
        """The interpreter on the nodes."""
        return self.machine.python or sys.executable

    @property
    def engine(self) -> str:
        """The folder there that holds the package; "" where it is installed."""
        return self.machine.engine or str(ENGINE_ROOT)

    def submit(self, name: str, log: str, arguments: list[str], array: int = 0) -> str:
        """Submit `python ARGUMENTS`, as an array of so many tasks; the id of the job. Raises ProjectError."""
        text = script(self.machine, self.python, self.engine, arguments)
        done = self.shell.run(submission(self.machine, name, log, array), text)
        job = done.out.strip().partition(";")[0]
        if done.code or not job.isdecimal():
            raise ProjectError(f"{self.machine.name} did not take the job: {done.said}")
        return job

    def stop(self, round: Round) -> None:
        """Ask the worker to end its step, save a checkpoint and pause. A job that waits is taken out of the queue."""
        write_text(round.stop_path, STOP)
        record = JobRecord.read(round.job_path)
        if record is not None and record.job and self.standing(record).state == "queued":
            self._cancel_for_good(record, round)

    def stop_now(self, round: Round) -> bool:
        """Cancel the job; whether there was one. The last checkpoint stays. Raises ProjectError."""
        record = JobRecord.read(round.job_path)
        if record is None or not record.job or self.standing(record).state == "ended":
            return False
        self._cancel_for_good(record, round)
        return True

    def _cancel_for_good(self, record: JobRecord, round: Round) -> None:
        self.cancel(record.job)
        record = JobRecord.read(round.job_path) or record
        record.ended = ENDED_BY_US
        record.write(round.job_path)
        forget(record)

    def cancel(self, job: str) -> None:
        """Cancel a job, or all tasks of one. Raises ProjectError."""
        done = self.shell.run(["scancel", job])
        if done.code and _NO_SUCH_JOB not in done.err:
            raise ProjectError(f"{self.machine.name} did not cancel the job {job}: {done.said}")

    def standing(self, record: JobRecord) -> Standing:
        """How Slurm says that the job stands."""
        answer = self.ask(record.job)
        return answer if isinstance(answer, Standing) else Standing(answer.state, answer.words)

    def ask(self, job: str) -> Answer | Standing:
        """What Slurm says of a job; a standing "unknown" where it gives no answer."""
        done = self.shell.run([*ASK, job])
        if done.code == 0 and (answer := of_queue(done.out)):
            return answer
        if done.code and _NO_SUCH_JOB not in done.err:
            return Standing("unknown", done.said)
        later = self.shell.run([*ASK_LATER, job])
        return (of_accounts(later.out) if later.code == 0 else None) or Answer("ended", FORGOTTEN)

    def check(self) -> list[Check]:
        """Whether a training could run there."""
        return check(self.machine, self.shell, self.python, self.engine)
