"""What Slurm says of a job, read and put into words."""

from __future__ import annotations

from dataclasses import dataclass

ASK = ("squeue", "--noheader", "--states=all", "--format=%T|%r|%N|%u", "--jobs")
"""And the job: those that have ended are told of for some minutes (MinJobAge)."""
ASK_LATER = ("sacct", "--noheader", "--allocations", "--parsable2", "--format=State,ExitCode,NodeList", "--jobs")
"""And the job, where the cluster keeps accounts."""

_WAITING = {"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD", "SUSPENDED"}
_AT_WORK = {"RUNNING", "COMPLETING", "CONFIGURING", "SIGNALING", "STAGE_OUT", "STOPPED", "RESIZING"}

_REASONS = {
    "Resources": "until nodes are free",
    "Priority": "as others come first",
    "BeginTime": "until its next start, in a moment",
    "None": "to be looked at by Slurm",
    "ReqNodeNotAvail": "as the nodes that it needs are down or reserved",
    "Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved_for_jobs_in_higher_priority_partitions": (
        "as the nodes that it needs are down, drained or taken by jobs that come first"
    ),
    "PartitionDown": "as the partition is down",
    "PartitionInactive": "as the partition is inactive",
    "PartitionTimeLimit": "for ever, as it asks for more time than the partition allows: set another --time",
    "PartitionNodeLimit": "for ever, as it asks for more nodes than the partition has",
    "PartitionConfig": "for ever, as it asks for what the partition does not give",
    "BadConstraints": "for ever, as no node has what it asks for",
    "JobHeldUser": "as it is held: `scontrol release` lets it go",
    "JobHeldAdmin": "as an administrator holds it",
    "JobArrayTaskLimit": "as enough tasks of it run already",
    "Licenses": "until a licence is free",
    "Dependency": "until the job that it depends on has ended",
    "Reservation": "until its reservation begins",
    "launch_failed_requeued_held": "for ever, as its start has failed on the node; `scontrol release` tries again",
}
_ENDS = {
    "CANCELLED": "was cancelled",
    "TIMEOUT": "was ended, as its time was up",
    "NODE_FAIL": "was lost, as its node failed",
    "PREEMPTED": "had to make room for another",
    "OUT_OF_MEMORY": "was ended, as it took more memory than it had asked for",
    "DEADLINE": "was ended, as its deadline had passed",
    "BOOT_FAIL": "could not begin, as its node did not start",
    "COMPLETED": "has ended",
    "FAILED": "has failed",
    "LAUNCH_FAILED": "could not begin on its node",
    "RECONFIG_FAIL": "could not begin, as its node could not be set up",
    "REVOKED": "runs on another cluster",
}
FORGOTTEN = "has ended, and Slurm no longer knows how"


@dataclass(frozen=True)
class Answer:
    """state: "queued", "running" or "ended". words: why it waits, where it runs, how it ended. node: where."""

    state: str
    words: str
    node: str = ""


def of_queue(text: str) -> Answer | None:
    """What the lines of `ASK` say; None where they say nothing."""
    cells = [line.strip().split("|") for line in text.splitlines()]
    return _together([_answer(*each[:3]) for each in cells if len(each) >= 3])


def of_accounts(text: str) -> Answer | None:
    """What the lines of `ASK_LATER` say; None where they say nothing."""
    cells = [line.strip().split("|") for line in text.splitlines()]
    return _together([_answer(each[0], f"exit code {each[1]}", each[2]) for each in cells if len(each) >= 3])


def _together(answers: list[Answer]) -> Answer | None:
    """Of the tasks of an array: it runs while one does, and waits while one does."""
    for state in ("running", "queued", "ended"):
        of_state = [answer for answer in answers if answer.state == state]
        if of_state:
            return of_state[0]
    return None


def _answer(state: str, reason: str, node: str) -> Answer:
    word, _, by = state.partition(" ")  # such as "CANCELLED by 1000"
    if word in _WAITING:
        return Answer("queued", f"waits {waiting_for(reason)}")
    if word in _AT_WORK:
        return Answer("running", f"runs on {node}" if node else "runs", node)
    told = _ENDS.get(word, f"has ended ({state})")
    who = f" {by}" if by.startswith("by ") else ""
    why = "" if reason in ("", "None", "exit code 0:0") or word not in ("FAILED", "CANCELLED") else f" ({reason})"
    return Answer("ended", f"{told}{who}{why}", node)


def waiting_for(reason: str) -> str:
    """Why a job waits, in words: "until nodes are free (Resources)"."""
    name = reason.split(",")[0] if reason.startswith("ReqNodeNotAvail") else reason
    known = _REASONS.get(name)
    if known is None and name.startswith(("QOS", "Assoc", "MaxJobs")):
        known = "as the person, the account or the queue has reached a limit"
    return f"{known} ({name})" if known else f"({reason})"
