"""Frame geometry: from a stored size to the scaled size, the crop's place in it, and the crop itself."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Literal, get_args

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from PIL import Image

from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError, UserError
from reelpack.video.resize import resize_linear

Scaler = Literal[
    "fast_bilinear", "bilinear", "bicubic", "neighbor", "area", "bicublin", "gauss", "sinc",
    "lanczos", "spline",
]  # fmt: skip
SCALERS: tuple[Scaler, ...] = get_args(Scaler)
CropPosition = Literal["top", "center", "bottom"]
CROP_POSITIONS: tuple[CropPosition, ...] = get_args(CropPosition)
Fit = Literal["cut", "pad", "linear"]
FITS: tuple[Fit, ...] = get_args(Fit)


@dataclass(frozen=True)
class Scale:
    """How large the frames become, and how they are kept; with neither side given, at full size.

    Args:
        shorter_side: pixels of the shorter side, scaled by libswscale (see `scaled_size`).
        square: pixels of both sides: the centre square of the full-size frame, resized by Pillow
            with Lanczos, as LVT prepares its Kinetics frames.
        scaler: libswscale's algorithm, also used where only the pixel format changes.
        jpeg: they become JPEG files of this quality (Pillow, colours at half the size), or
            "ffmpeg": such files as the ffmpeg program writes when no quality is asked for.
    """

    shorter_side: int | None = None
    square: int | None = None
    scaler: Scaler = "bicubic"
    jpeg: int | Literal["ffmpeg"] | None = None

    def __post_init__(self) -> None:
        if self.shorter_side is not None and self.square is not None:
            raise UserError("scale: give shorter_side or square, not both")
        for name, side in (("shorter_side", self.shorter_side), ("square", self.square)):
            if side is not None and side < 1:
                raise UserError(f"scale: {name} is {side}; it must be 1 or more")
        _check_jpeg(self.jpeg, "scale", others=("ffmpeg",))
        if self.jpeg == "ffmpeg" and self.square is not None:
            raise UserError("scale: jpeg: ffmpeg knows no square; allowed with it: shorter_side")
        if self.scaler not in SCALERS:
            raise UserError(f"scale: scaler {self.scaler!r} is not one of {', '.join(SCALERS)}")


@dataclass(frozen=True)
class Crop:
    """What becomes of the scaled frame.

    Args:
        size: pixels; of which sides, `fit` says.
        position: where a square is cut.
        hflip: mirror the square left to right.
        fit: "cut": cut a square of `size`; "pad": see `pad_frame`; "linear": see `linear_frame`.
        jpeg: keep the outcome as a JPEG file of this quality.
    """

    size: int
    position: CropPosition = "center"
    hflip: bool = False
    fit: Fit = "cut"
    jpeg: int | None = None

    def __post_init__(self) -> None:
        _check_jpeg(self.jpeg, "crop")
        if self.fit not in FITS:
            raise UserError(f"crop: fit {self.fit!r} is not one of {', '.join(FITS)}")
        if self.fit != "cut" and (self.position != "center" or self.hflip):
            raise UserError(f"crop: position and hflip are for fit: cut; got fit: {self.fit}")
        if self.size < 1:
            raise UserError(f"crop: size is {self.size}; it must be 1 or more")
        if self.position not in CROP_POSITIONS:
            raise UserError(
                f"crop: position {self.position!r} is not one of {', '.join(CROP_POSITIONS)}"
            )


def scaled_size(width: int, height: int, *, shorter_side: int) -> tuple[int, int]:
    """Size (width, height) after scaling the shorter side, by VIMPAC's and HERO's arithmetic.

    The longer side is `int(long * side / short)` in floating point, never rounded up.
    Source: github airsplay/vimpac, video2token; github linjieli222/HERO_Video_Feature_Extractor.
    """
    if height >= width:
        return shorter_side, int(height * shorter_side / width)
    return int(width * shorter_side / height), shorter_side


def crop_offset(width: int, height: int, *, size: int, position: CropPosition) -> tuple[int, int]:
    """Left upper corner (x, y) of a square crop: `top` is the left edge of a landscape frame.

    Source: github airsplay/vimpac, video2token: int(f * (side - size) / 2) with f = 0, 1, 2.
    """
    factor = CROP_POSITIONS.index(position)
    return int(factor * (width - size) / 2), int(factor * (height - size) / 2)


def crop_frame(frame: Frame, crop: Crop | None) -> Frame:
    """Crop `uint8[height, width, 3]`, see `Crop`: contiguous `uint8`; None does nothing.

    Raises:
        ClipError: "too_small" when a square to cut is larger than the frame.
    """
    if crop is None:
        return frame
    if crop.fit == "pad":
        return pad_frame(frame, crop.size)
    if crop.fit == "linear":
        return linear_frame(frame, crop.size)
    height, width = frame.shape[:2]
    if crop.size > min(width, height):
        raise ClipError(
            "too_small", f"a crop of {crop.size}x{crop.size} does not fit a {width}x{height} frame"
        )
    x, y = crop_offset(width, height, size=crop.size, position=crop.position)
    cut = frame[y : y + crop.size, x : x + crop.size]
    return np.ascontiguousarray(cut[:, ::-1] if crop.hflip else cut)


def square_frame(frame: Frame, size: int) -> Frame:
    """Centre square of the shorter side of `uint8[height, width, 3]`, then Lanczos to `size`.

    The box ((w-m)/2, (h-m)/2, (w+m)/2, (h+m)/2) passes through Pillow's half-even rounding, so
    426x239 is cut to 238x239 and 428x239 to 240x239. Source: github rakhimovv/lvt, Kinetics frames.
    """
    height, width = frame.shape[:2]
    side = min(height, width)
    box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    cut = Image.fromarray(frame).crop(box)
    return np.asarray(cut.resize((size, size), Image.Resampling.LANCZOS))


def pad_frame(frame: Frame, size: int) -> Frame:
    """Add black to the shorter side of `uint8[height, width, 3]`, then resize to `size` square.

    Half the difference, rounded down, goes to either side, so a frame is not quite square when
    that is odd: 427x240 becomes 427x426. Resized by Pillow's antialiased bilinear, as torchvision's
    `Resize` does. Source: github tsujuifu/pytorch_violet, _tools and dataset.py.
    """
    height, width = frame.shape[:2]
    high, wide = max(0, width - height) // 2, max(0, height - width) // 2
    padded = np.pad(frame, ((high, high), (wide, wide), (0, 0)))
    resized = Image.fromarray(padded).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def linear_frame(frame: Frame, side: int) -> Frame:
    """Scale the shorter side of `uint8[height, width, 3]` to `side` by OpenCV's linear arithmetic.

    Both sides are `round(side / shorter * length)` in floating point.
    Source: github OpenNLPLab/FAVDBench, AVLFormer/data_prepro.
    """
    height, width = frame.shape[:2]
    ratio = side / min(width, height)
    return resize_linear(frame, round(ratio * width), round(ratio * height))


def _check_jpeg(jpeg: int | str | None, what: str, *, others: tuple[str, ...] = ()) -> None:
    if jpeg is not None and jpeg not in others and not (isinstance(jpeg, int) and 1 <= jpeg <= 100):
        allowed = ", ".join(("1 to 100", *others))
        raise UserError(f"{what}: jpeg is {jpeg}; allowed: {allowed}")


def orientation(frame: av.VideoFrame) -> tuple[int, tuple[str, ...]]:
    """Degrees clockwise (0, 90, 180, 270) and the libavfilter filters that put a frame upright.

    Both follow from the display matrix that libavcodec attaches to each frame, by the rules of
    the ffmpeg program's automatic rotation (fftools since 6.0), mirrored frames included.
    """
    try:
        side_data = frame.side_data.get(SideData.DISPLAYMATRIX)  # type: ignore[call-overload]
    except ValueError:
        # PyAV knows no EXIF data, which cameras put into every frame of their MJPEG videos.
        return _turned(-frame.rotation % 360)
    if side_data is None:
        return 0, ()
    matrix = struct.unpack("9i", bytes(side_data))
    across, down = math.hypot(matrix[0], matrix[3]), math.hypot(matrix[1], matrix[4])
    if across == 0 or down == 0:
        return 0, ()
    clockwise = math.degrees(math.atan2(matrix[1] / down, matrix[0] / across))
    degrees = round(clockwise) % 360
    if degrees == 90:
        return 90, ("transpose=cclock_flip" if matrix[3] > 0 else "transpose=clock",)
    if degrees == 180:
        mirrored = (matrix[0] < 0, "hflip"), (matrix[4] < 0, "vflip")
        return 180, tuple(name for wanted, name in mirrored if wanted)
    if degrees == 270:
        return 270, ("transpose=clock_flip" if matrix[3] < 0 else "transpose=cclock",)
    if degrees == 0:
        return 0, ("vflip",) if matrix[4] < 0 else ()
    return 0, (f"rotate={clockwise:f}*PI/180",)


def _turned(degrees: int) -> tuple[int, tuple[str, ...]]:
    filters = {90: ("transpose=clock",), 180: ("hflip", "vflip"), 270: ("transpose=cclock",)}
    return (degrees, filters[degrees]) if degrees in filters else (0, ())
