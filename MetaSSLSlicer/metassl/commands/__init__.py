"""The commands, one file each, in the order in which a user meets them.

Each has a docstring (its --help), SUMMARY (its line in `metassl --help`), `add_arguments(parser)`
and `run(arguments, console) -> exit code`. Engine modules are imported inside `run`, so that
--help is quick. The other files here are what the commands share.
"""

from . import (
    benchmark,
    demo,
    doctor,
    evaluate,
    export,
    hosts,
    label,
    new,
    predict,
    rank,
    report,
    rounds,
    sample,
    simulate,
    status,
    stop,
    train,
    uncertainty,
)

STORY = (
    ("See it once:", (demo, sample)),
    ("Begin a project and give it its first annotations:", (new, label)),
    ("Train in the background, and look after it:", (train, hosts, status, stop, rounds)),
    ("Find out where to look next:", (predict, rank)),
    ("Measure and show the result:", (evaluate, uncertainty, report, export)),
    ("Compare what there is to choose, where every label is known:", (benchmark, simulate)),
    ("When something is wrong with this computer:", (doctor,)),
)
