"""MurmurHash3_x86_32 as Spark hashes text with it (FeatureHasher.murmur3Hash since 3.0): for names known at conversion."""

from __future__ import annotations

SEED = 42
_MASK = 0xFFFFFFFF


def murmur3(text: str) -> int:
    """Of the UTF-8 bytes, as a signed int."""
    data, hashed = text.encode(), SEED
    whole = len(data) - len(data) % 4
    for at in range(0, whole, 4):
        hashed ^= _mixed(int.from_bytes(data[at : at + 4], "little"))
        hashed = (_turned(hashed, 13) * 5 + 0xE6546B64) & _MASK
    hashed ^= _mixed(int.from_bytes(data[whole:], "little")) ^ len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        hashed = ((hashed ^ (hashed >> shift)) * factor) & _MASK
    return hashed - (1 << 32) if hashed >> 31 else hashed


def _mixed(word: int) -> int:
    return (_turned((word * 0xCC9E2D51) & _MASK, 15) * 0x1B873593) & _MASK


def _turned(word: int, by: int) -> int:
    return ((word << by) | (word >> (32 - by))) & _MASK
