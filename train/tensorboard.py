"""TensorBoard's event files, as bytes: scalars by step.

A file is a row of TFRecords: length, masked CRC-32C of the length, payload, masked CRC-32C of the payload, all
little-endian. A payload is a protocol buffer ``Event`` (tensorflow/core/util/event.proto), of which five fields are
needed here. Written by hand since tensorboardX imports torch where there is one, and writes in a thread: should the
disk be full, the thread dies and the training waits for it for ever.
"""

import struct
from collections.abc import Iterator, Mapping

_DOUBLE, _BYTES, _FLOAT, _VARINT = 1, 2, 5, 0
_CRC32C = 0x82F63B78  # Castagnoli's polynomial, bits reversed
_MASK = 0xA282EAD8
_UINT32 = 0xFFFFFFFF
_START = 1


def header(wall_time: float) -> bytes:
    """The first record of every file."""
    return _record(_event(wall_time, _field(3, _BYTES, b"brain.Event:2")))


def restart(step: int, wall_time: float) -> bytes:
    """Says that the run begins anew at a step: what earlier files hold of it and later ones is not shown any more."""
    return _record(_event(wall_time, _step(step) + _field(7, _BYTES, _field(1, _VARINT, _START))))


def scalars(values: Mapping[str, float], step: int, wall_time: float) -> bytes:
    """The values of a step, by tag."""
    summary = b"".join(
        _field(1, _BYTES, _field(1, _BYTES, tag.encode()) + _field(2, _FLOAT, value)) for tag, value in values.items()
    )
    return _record(_event(wall_time, _step(step) + _field(5, _BYTES, summary)))


def _event(wall_time: float, rest: bytes) -> bytes:
    return _field(1, _DOUBLE, wall_time) + rest


def _step(step: int) -> bytes:
    return _field(2, _VARINT, step)


def _field(number: int, kind: int, value: bytes | float) -> bytes:
    key = _varint(number << 3 | kind)
    if isinstance(value, bytes):
        return key + _varint(len(value)) + value
    if kind == _VARINT:
        return key + _varint(int(value))
    return key + struct.pack("<d" if kind == _DOUBLE else "<f", value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first.

    >>> _varint(300).hex()
    'ac02'
    """
    groups = bytearray()
    while value > 0x7F:  # noqa: PLR2004 -- seven bits
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _record(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return length + _checksum(length) + payload + _checksum(payload)


def _checksum(data: bytes) -> bytes:
    crc = _crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & _UINT32)


def _crc32c(data: bytes) -> int:
    """The check value of the catalogues of CRCs.

    >>> hex(_crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = _UINT32
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ _UINT32


def _table() -> Iterator[int]:
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (_CRC32C if crc & 1 else 0)  # noqa: PLW2901 -- the value is worked on bit by bit
        yield crc


_TABLE = tuple(_table())
