"""With this folder in PYTHONPATH each Python process, and what it starts, is watched for network sockets.

What Python does with sockets is noted in the file that NOTED_SOCKETS names. On Linux a process in which anything else,
such as a library's own code, opens an internet socket is ended by SIGSYS.
"""

import ctypes
import os
import platform
import sys
import traceback

NOTED = os.environ.get("NOTED_SOCKETS")
LOCAL = {"socket.gethostname"}  # asks the system, opens nothing
SYSCALL_SOCKET = {"x86_64": 41, "aarch64": 198}
AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, KILL_PROCESS = 0x7FFF0000, 0x80000000
NUMBER_OF_CALL, FIRST_ARGUMENT = 0, 16
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2


def note(event: str, arguments: tuple) -> None:
    if not event.startswith("socket.") or event in LOCAL or is_local(event, arguments):
        return
    place = "".join(traceback.format_stack(limit=6)[:-1])
    with open(NOTED, "a", encoding="utf-8") as stream:
        stream.write(f"{event} {arguments!r}\n{place}\n")


def is_local(event: str, arguments: tuple) -> bool:
    if event == "socket.__new__":
        return arguments[1] == AF_UNIX
    return bool(arguments) and getattr(arguments[0], "family", None) == AF_UNIX


class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("filter", ctypes.POINTER(Instruction))]


def end_at_internet_sockets(number: int) -> None:
    """Have the kernel end this process, and those that it starts, at socket(AF_INET or AF_INET6, ...)."""
    rules = (
        (LOAD, 0, 0, NUMBER_OF_CALL),
        (JUMP_IF_EQUAL, 0, 3, number),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_IF_EQUAL, 2, 0, AF_INET),
        (JUMP_IF_EQUAL, 1, 0, AF_INET6),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, KILL_PROCESS),
    )
    program = Program(len(rules), (Instruction * len(rules))(*(Instruction(*rule) for rule in rules)))
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0)


if NOTED:
    sys.addaudithook(note)
    if sys.platform == "linux" and platform.machine() in SYSCALL_SOCKET:
        end_at_internet_sockets(SYSCALL_SOCKET[platform.machine()])
