"""What runs beside the GUI."""

import gc
import threading

from MetaSSLSlicerLib.Logic.Scene.BackgroundTasks import BackgroundTasks


class Node:
    """Stands for a node in a cycle: where it ends is written down."""

    def __init__(self, ended: list) -> None:
        self.itself, self.ended = self, ended

    def __del__(self) -> None:
        self.ended.append(threading.current_thread())


def allocate() -> int:
    return sum(len([[] for _ in range(1000)]) for _ in range(200))


def test_a_cycle_that_nobody_holds_never_ends_in_a_task():
    ended: list[threading.Thread] = []
    tasks, others = BackgroundTasks(), BackgroundTasks()
    gc.collect()
    try:
        others.run(lambda: 1)
        tasks.run(allocate)
        for _ in range(5):
            Node(ended)
        tasks.finish()
        assert ended == [] and not gc.isenabled(), "the others are not through yet"
        others.finish()
        assert gc.isenabled()
        gc.collect()
        assert ended == [threading.main_thread()] * 5
        tasks.run(allocate)
    finally:
        tasks.shutdown()
        others.shutdown()
    assert gc.isenabled()


def test_who_does_not_look_for_cycles_is_left_in_peace():
    tasks = BackgroundTasks()
    gc.disable()
    try:
        tasks.run(lambda: 1)
        tasks.finish()
        assert not gc.isenabled()
    finally:
        gc.enable()
        tasks.shutdown()


def test_what_is_run_while_something_is_drawn_begins_after_it():
    tasks, begun, results = BackgroundTasks(), threading.Event(), []
    try:
        with tasks.heldBack():
            with tasks.heldBack():
                tasks.run(begun.set, results.append)
            assert not begun.wait(0.1)
        tasks.finish()
        assert begun.is_set() and results == [None]
        tasks.run(lambda: 1, results.append)
        tasks.finish()
        assert results == [None, 1]
    finally:
        tasks.shutdown()
