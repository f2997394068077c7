"""What may have happened to a file: bytes flipped, cut, repeated, numbers replaced by extremes, nesting without end."""

import re
from collections.abc import Callable
from random import Random

EXTREMES = (
    b"0",
    b"-1",
    b"1e39",
    b"-3.4e38",
    b"1e308",
    b"1e999",
    b"1e-400",
    b"nan",
    b"NaN",
    b"-Infinity",
    b"99999999999999999999999",
    b"9" * 5000,
    b"2147483648",
    b"true",
    b"null",
    b'"x"',
    b"[]",
    b"{}",
    b"",
)
STRANGE = (
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b'"\\ud800"',
    b"\r\n",
    b"\n\n",
    b"../",
    b"a" * 9000,
    b",",
    b"=",
    b'"',
    b"#",
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def mutated(content: bytes, chance: Random) -> bytes:
    """Return a file with one to three kinds of damage; with more, the first check would always refuse it."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        content = chance.choice(_CHANGES)(content, chance)
    return content


def _flipped(content: bytes, chance: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4) if changed else 0):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _cut(content: bytes, chance: Random) -> bytes:
    return content[: chance.randint(0, len(content))]


def _spliced(content: bytes, chance: Random) -> bytes:
    """Move a part of the file to another place, or remove it."""
    begin, end = sorted(chance.randint(0, len(content)) for _ in range(2))
    place = chance.randint(0, len(content))
    if chance.random() < 0.3:
        return content[:begin] + content[end:]
    return content[:place] + content[begin : min(end, begin + 5000)] + content[place:]


def _line_twice(content: bytes, chance: Random) -> bytes:
    lines = content.split(b"\n")
    place = chance.randrange(len(lines))
    return b"\n".join([*lines[: place + 1], *lines[place:]])


def _extreme(content: bytes, chance: Random) -> bytes:
    found = list(_NUMBER.finditer(content))
    if not found:
        return content
    match = chance.choice(found)
    return content[: match.start()] + chance.choice(EXTREMES) + content[match.end() :]


def _strange(content: bytes, chance: Random) -> bytes:
    place = chance.randint(0, len(content))
    return content[:place] + chance.choice(STRANGE) + content[place:]


def _nested(content: bytes, chance: Random) -> bytes:
    place = chance.randint(0, len(content))
    return content[:place] + chance.choice((b"[", b'{"a":', b"a.", b"((")) * chance.choice((20, 5000)) + content[place:]


def _field(content: bytes, chance: Random) -> bytes:
    """Overwrite a number of a binary header: sizes, counts and offsets are what decoders trust."""
    width = chance.choice((1, 2, 4, 8))
    value = chance.choice((0, 1, 0x7F, 0xFF, 1 << (8 * width - 1), (1 << (8 * width - 1)) - 1, (1 << (8 * width)) - 1))
    place = chance.randint(0, min(len(content), chance.choice((64, 1024, len(content)))))
    number = (value % (1 << (8 * width))).to_bytes(width, chance.choice(("little", "big")))
    return content[:place] + number + content[place + width :]


_CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (
    _flipped,
    _field,
    _cut,
    _spliced,
    _line_twice,
    _extreme,
    _extreme,
    _strange,
    _nested,
)
