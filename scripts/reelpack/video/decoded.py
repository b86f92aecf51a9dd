"""Decoded frames as recipes take them."""

from __future__ import annotations

from dataclasses import dataclass

from reelpack.config.sampling import Sampling
from reelpack.core.arrays import Frame
from reelpack.video.convert import Image
from reelpack.video.geometry import Scale
from reelpack.video.jpeg import jpeg_pixels


@dataclass(frozen=True, eq=False)
class DecodedFrame:
    """One chosen frame.

    Args:
        pts_seconds: its time in seconds from the first shown frame that the container tells of.
        images: one for each scale asked for: RGB `uint8[height, width, 3]`, or a JPEG file.
    """

    pts_seconds: float
    images: tuple[Image, ...]

    @property
    def pixels(self) -> tuple[Frame, ...]:
        """The images as RGB `uint8[height, width, 3]`, JPEG files decoded."""
        return tuple(
            jpeg_pixels(image) if isinstance(image, bytes) else image for image in self.images
        )


@dataclass(frozen=True)
class Request:
    """Frames that somebody wants of a clip: which ones, and at which scales."""

    sampling: Sampling
    scales: tuple[Scale, ...]
