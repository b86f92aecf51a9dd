"""What a packet's own bits say about skipping: may decoding start here, may it be left out.

Only the few header bits that decide are read; `inspector` gives one small function per codec, which
takes a packet's bytes and the container's key mark and returns `Traits`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntFlag

Inspector = Callable[[memoryview, bool], int]

# Codecs without memory between frames, or whose key frames (as the container marks them)
# reset all of it.
_CONTAINER_KEYS = frozenset(
    {"mjpeg", "prores", "dnxhd", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "png", "vp8", "av1"}
)
_START_CODE = b"\x00\x00\x01"


class Traits(IntFlag):
    """Facts about one packet that a plan may rely on."""

    NONE = 0
    ENTRY = 1  # decoding may start here: no later frame in display order needs an earlier packet
    UNREFERENCED = 2  # no other packet needs this one
    PARAMETER_SETS = 4  # carries settings that later packets may need
    PACKED = 8  # more than one frame: time stamps do not tell them apart
    LAYERED = 16  # belongs to a higher temporal layer, whose frames may refer to any below


# Plain numbers: this runs for each packet, and an enum's operators are slow.
_NONE, _ENTRY, _UNREFERENCED, _PARAMETERS, _PACKED, _LAYERED = 0, 1, 2, 4, 8, 16


def inspector(codec: str, extradata: bytes | None) -> Inspector:
    """The function that reads packets of `codec` (libavcodec's name of the decoder or codec).

    It takes a packet's bytes and the container's key mark. For an unknown codec nothing is skipped.
    """
    if codec == "h264":
        return _h264_inspector(_nal_splitter(extradata, config_version_offset=4))
    if codec == "hevc":
        return _hevc_inspector(_nal_splitter(extradata, config_version_offset=21))
    if codec == "mpeg4":
        return _inspect_mpeg4
    if codec in {"mpeg2video", "mpeg1video"}:
        return _inspect_mpeg2
    if codec == "vp9":
        return _inspect_vp9
    if codec in _CONTAINER_KEYS:
        return _inspect_container_key
    return _inspect_nothing


def knows_entries(codec: str) -> bool:
    """Whether `inspector` tells at which packets of a codec decoding may start."""
    return inspector(codec, None) is not _inspect_nothing


Splitter = Callable[[memoryview], Iterator[tuple[int, int]]]


def _nal_splitter(extradata: bytes | None, *, config_version_offset: int) -> Splitter:
    """Splits a packet into NAL units and gives the first two bytes of each.

    An avcC or hvcC record starts with 1 and holds the size of the length prefix; anything else
    (none, or parameter sets behind start codes) means Annex B.
    """
    if extradata and len(extradata) > config_version_offset and extradata[0] == 1:
        prefix = (extradata[config_version_offset] & 3) + 1
        return lambda data: _prefixed_nals(data, prefix)
    return _annex_b_nals


def _prefixed_nals(data: memoryview, prefix: int) -> Iterator[tuple[int, int]]:
    position, total = 0, len(data)
    while position + prefix + 1 < total:
        length = int.from_bytes(data[position : position + prefix], "big")
        position += prefix
        if length >= 2:
            yield data[position], data[position + 1]
        position += length


def _annex_b_nals(data: memoryview) -> Iterator[tuple[int, int]]:
    content = bytes(data)
    position = content.find(_START_CODE)
    while position >= 0 and position + 4 < len(content):
        yield content[position + 3], content[position + 4]
        position = content.find(_START_CODE, position + 3)


def _h264_inspector(split: Splitter) -> Inspector:
    """H.264: an IDR slice (type 5) resets all; nal_ref_idc 0 in every slice: unreferenced."""

    def inspect(data: memoryview, _key: bool) -> int:
        slices = referenced = idr = parameters = 0
        for first, _second in split(data):
            kind = first & 31
            if 1 <= kind <= 5:
                slices += 1
                referenced += first & 0x60
                idr += kind == 5
            elif kind in (7, 8, 13, 15):
                parameters += 1
        traits = _PARAMETERS if parameters else _NONE
        if idr and idr == slices:
            return traits | _ENTRY
        if slices and not referenced and not parameters:
            return _UNREFERENCED
        return traits

    return inspect


def _hevc_inspector(split: Splitter) -> Inspector:
    """HEVC: an IRAP frame (types 16 to 21) is an entry, up to its leading frames.

    A sub-layer non-reference frame (even types up to 14) serves no frame of its own temporal
    layer: no frame at all when the stream has one layer, so higher ones are told.
    """

    def inspect(data: memoryview, _key: bool) -> int:
        slices = referenced = irap = parameters = layered = 0
        for first, second in split(data):
            kind = first >> 1 & 63
            if kind < 32:
                slices += 1
                irap += 16 <= kind <= 21
                referenced += kind > 14 or kind & 1
                layered += second & 7 != 1
            elif kind <= 34:
                parameters += 1
        traits = (_PARAMETERS if parameters else _NONE) | (_LAYERED if layered else _NONE)
        if irap and irap == slices:
            return traits | _ENTRY
        if slices and not referenced and not parameters:
            return traits | _UNREFERENCED
        return traits

    return inspect


def _inspect_mpeg4(data: memoryview, _key: bool) -> int:
    """MPEG-4 part 2: a VOP's type is in the two bits behind its start code: 0 is I, 2 is B."""
    content = bytes(data)
    position = content.find(b"\x00\x00\x01\xb6")
    if position < 0 or position + 4 >= len(content):
        return _NONE
    if content.find(b"\x00\x00\x01\xb6", position + 4) >= 0:
        return _PACKED
    kind = content[position + 4] >> 6
    return (_ENTRY, _NONE, _UNREFERENCED, _NONE)[kind]


def _inspect_mpeg2(data: memoryview, _key: bool) -> int:
    """MPEG-1 and MPEG-2: an I frame behind a sequence header is an entry, B is unreferenced."""
    content = bytes(data)
    position = content.find(b"\x00\x00\x01\x00")
    kinds = set()
    while position >= 0 and position + 5 < len(content):
        kinds.add(content[position + 5] >> 3 & 7)
        position = content.find(b"\x00\x00\x01\x00", position + 4)
    if 1 in kinds and b"\x00\x00\x01\xb3" in content:
        return _ENTRY
    return _UNREFERENCED if kinds == {3} else _NONE


def _inspect_vp9(data: memoryview, key: bool) -> int:
    """VP9: a key frame resets all. Others adapt probabilities even when nothing refers to them."""
    if not key or not len(data):
        return _NONE
    first = data[0]
    profile = (first >> 5 & 1) | (first >> 4 & 1) << 1
    shift = 2 if profile < 3 else 1
    shows_existing, is_inter = first >> (shift + 1) & 1, first >> shift & 1
    return _NONE if shows_existing or is_inter else _ENTRY


def _inspect_container_key(_data: memoryview, key: bool) -> int:
    return _ENTRY if key else _NONE


def _inspect_nothing(_data: memoryview, _key: bool) -> int:
    return _NONE
