"""Mutations of bytes, of header lines and of binary header fields."""

from __future__ import annotations

import gzip
import struct
from random import Random

NUMBERS = (b"0", b"-1", b"1e308", b"nan", b"inf", b"-inf", b"99999999999999999999", b"4294967296", b"2147483648",
           b"65536", b"0.0000001", b"1000000", b"1e-300", b"", b"x", b"%s%n", b"\x00", b"\xff\xfe", b"0x7f",
           b"3 3 3 3 3 3 3")  # fmt: skip
INTEGERS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 64, 128, 255, 256, 512, 1024, 2304, 32767, -1, -2, -32768)
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-30, 1e30, 3e38, -3e38, float("nan"), float("inf"), float("-inf"), 352.0, 1e9, 2**24)
NIFTI_UNITS = 123
WHOLE = (b"\x00", b"\xff", b"\x7f", b"\x80")


def mutated(data: bytes, random: Random) -> bytes:
    """`data` with one to four changes."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        data = random.choice(_CHANGES)(data, random)
    return data


def mutated_lines(data: bytes, random: Random, end: int) -> bytes:
    """A change in one line of the text that `data` begins with, which is `end` bytes long."""
    head, body = data[:end], data[end:]
    lines = head.split(b"\n")
    number = random.randrange(len(lines))
    change = random.randrange(8)
    if change == 0:
        lines.insert(number, lines[number])  # twice
    elif change == 1:
        del lines[number]
    elif change == 2:
        other = random.randrange(len(lines))
        lines[number], lines[other] = lines[other], lines[number]
    elif change == 3:
        lines[number] = lines[number] * random.choice((2, 100, 10_000))
    elif change == 4:
        lines[number] = mutated(lines[number], random)
    else:
        words = lines[number].replace(b",", b" , ").replace(b"(", b"( ").replace(b")", b" )").split(b" ")
        words[random.randrange(len(words))] = random.choice(NUMBERS)
        lines[number] = b" ".join(words)
    return b"\n".join(lines) + body


def mutated_nifti(data: bytes, random: Random) -> bytes:
    """Absurd numbers in fields of a NIfTI-1 header."""
    header = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3))):
        if random.random() < 0.5:
            offset = random.choice((*range(40, 56, 2), 70, 72, 252, 254))
            struct.pack_into("<h", header, offset, random.choice(INTEGERS))
        elif random.random() < 0.1:
            header[NIFTI_UNITS] = random.choice(INTEGERS) % 256
        else:
            offset = random.choice((*range(76, 108, 4), 108, 112, 116, *range(256, 328, 4)))
            struct.pack_into("<f", header, offset, random.choice(FLOATS))
    return bytes(header)


def flipped_body(data: bytes, start: int, random: Random) -> bytes:
    """One to eight bits turned over, none before `start`."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 8)):
        changed[random.randrange(start, len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def bomb(head: bytes, megabytes: int) -> bytes:
    """gzip that begins with `head` and goes on with zeros."""
    return gzip.compress(head + bytes(megabytes << 20), 9)


def _flip(data: bytes, random: Random) -> bytes:
    return flipped_body(data, 0, random) if data else data


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _extend(data: bytes, random: Random) -> bytes:
    return data + random.randbytes(random.choice((1, 7, 1000, 100_000)))


def _insert(data: bytes, random: Random) -> bytes:
    place = random.randrange(len(data) + 1)
    return data[:place] + random.choice((random.randbytes(4), *WHOLE, *NUMBERS)) + data[place:]


def _remove(data: bytes, random: Random) -> bytes:
    place = random.randrange(len(data) + 1)
    return data[:place] + data[place + random.choice((1, 2, 4, 100)) :]


def _repeat(data: bytes, random: Random) -> bytes:
    place = random.randrange(len(data) + 1)
    return data[:place] + data[place : place + 64] * random.choice((2, 10, 1000)) + data[place:]


def _fill(data: bytes, random: Random) -> bytes:
    place, length = random.randrange(len(data) + 1), random.choice((1, 4, 8, 64))
    return data[:place] + random.choice(WHOLE) * len(data[place : place + length]) + data[place + length :]


def _swap(data: bytes, random: Random) -> bytes:
    first, second = sorted(random.randrange(len(data) + 1) for _ in range(2))
    middle = data[first:second]
    return data[:first] + middle[len(middle) // 2 :] + middle[: len(middle) // 2] + data[second:]


_CHANGES = (_flip, _flip, _cut, _extend, _insert, _remove, _repeat, _fill, _swap)
