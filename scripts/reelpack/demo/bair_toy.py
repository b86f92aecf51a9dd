"""A made-up BAIR: a few pushes of a drawn robot arm, in a tar of the published one's format.

F. Ebert et al., "Self-Supervised Visual Planning with Temporal Skip Connections", 2017, arXiv
1710.05268: `softmotion30_44k/{train,test}/traj_{first}_to_{last}.tfrecords`, each record a sequence of
30 frames of 64 x 64 from two cameras with the arm's actions and positions. Here everything is made
by sums, products and square roots of numbers from fixed seeds, so every machine makes the same bytes.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelpack.core.arrays import Frame
from reelpack.core.files import replace_file
from reelpack.video.bair import FRAME_KEY, FRAMES, SIDE
from reelpack.video.tfrecord import example, frame_record

TAR = "bair_robot_pushing_dataset_v0.tar"
ROOT = "softmotion30_44k"
# First and last sequence of each file; test sequences are others than those of train.
FILES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "train": ((0, 3), (4, 7)),
    "test": ((0, 1),),
}
SEEDS = {"train": 100, "test": 200}

Point = NDArray[np.float64]

COLOURS = np.array(
    [
        [214, 48, 49],
        [9, 132, 227],
        [0, 148, 92],
        [253, 203, 20],
        [232, 67, 147],
        [245, 240, 230],
        [108, 72, 200],
        [235, 120, 30],
    ],
    dtype=np.float64,
)
TABLE = np.array([150.0, 112.0, 78.0])
ARM, FINGERS = np.array([58.0, 60.0, 66.0]), np.array([28.0, 28.0, 30.0])
GRIPPER_RADIUS = 4.5
MARGIN = 6.0


@dataclass(frozen=True)
class Thing:
    """Something that lies on the table.

    Attributes:
        radius: half its side or diameter, pixels.
        is_round: a disc, else a square.
        colour: float[3], 0 to 255.
    """

    radius: float
    is_round: bool
    colour: Point


@dataclass(frozen=True)
class Push:
    """One sequence.

    Attributes:
        main: the front camera, uint8[30,64,64,3].
        aux1: the camera whose frames are trained on, uint8[30,64,64,3].
        actions: float32[30,4], the gripper's next move in x, y, z, and its closing.
        positions: float32[30,3], where the gripper is, in widths of the table.
    """

    main: Frame
    aux1: Frame
    actions: NDArray[np.float32]
    positions: NDArray[np.float32]


def write_bair_toy(path: Path) -> int:
    """Write the tar; equal bytes on every call.

    Args:
        path: the tar; its folder is made if missing.

    Returns:
        How many sequences it holds.
    """
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        replace_file(path) as temporary,
        tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for split, files in FILES.items():
            for first, last in files:
                numbers = range(first, last + 1)
                records = [
                    frame_record(_build_payload(make_push(SEEDS[split] + n))) for n in numbers
                ]
                data = b"".join(records)
                member = tarfile.TarInfo(f"{ROOT}/{split}/traj_{first}_to_{last}.tfrecords")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
                count += len(records)
    return count


def _build_payload(made: Push) -> bytes:
    features: dict[str, bytes | list[float]] = {}
    for number in range(FRAMES):
        features[f"{number}/action"] = made.actions[number].tolist()
        features[f"{number}/endeffector_pos"] = made.positions[number].tolist()
        features[f"{number}/image_main/encoded"] = made.main[number].tobytes()
        features[FRAME_KEY.format(number)] = made.aux1[number].tobytes()
    return example(features)


def make_push(seed: int) -> Push:
    """Make one sequence: the gripper sweeps over the table and pushes what is in its way."""
    noise = np.random.default_rng(seed)
    things, places = _choose_things(noise)
    path = _curve_path(noise, places, FRAMES + 1)
    scenes = _push_things(path[:-1], places, things)
    aux1 = np.stack([_draw(gripper, lying, things) for gripper, lying in scenes])
    height = np.zeros((FRAMES, 1))
    moves = np.concatenate([np.diff(path, axis=0) / SIDE, height, height], axis=1)
    positions = np.concatenate([path[:-1] / SIDE, height + 0.1], axis=1)
    return Push(
        main=np.ascontiguousarray(aux1[:, :, ::-1]),
        aux1=aux1,
        actions=moves.astype(np.float32),
        positions=positions.astype(np.float32),
    )


def _choose_things(noise: np.random.Generator) -> tuple[list[Thing], list[Point]]:
    """Choose three things and where they lie, apart from each other."""
    colours = noise.permutation(len(COLOURS))[:3]
    things = [
        Thing(float(noise.integers(9, 14)) / 2, bool(noise.integers(2)), COLOURS[number])
        for number in colours
    ]
    places: list[Point] = []
    while len(places) < len(things):
        place = noise.integers(12, SIDE - 12, size=2).astype(np.float64)
        if all(_measure_length(place - other) > 17 for other in places):
            places.append(place)
    return things, places


def _curve_path(noise: np.random.Generator, places: list[Point], count: int) -> Point:
    """Return float[count, 2], x and y along a smooth curve (Catmull and Rom's) past two things."""
    beside = noise.choice([-11.0, 11.0], size=2)
    before, after = noise.integers(10, SIDE - 10, size=(2, 2)).astype(np.float64)
    corners = np.stack([before, places[0] + beside, *places[:2], after])
    at = np.arange(count) * 2 / count
    piece = at.astype(np.int64)
    t = (at - piece)[:, None]
    a, b, c, d = (corners[piece + k] for k in range(4))
    bend = (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t * t * t
    return np.asarray(np.clip((2 * b + (c - a) * t + bend) / 2, MARGIN, SIDE - MARGIN))


def _push_things(
    path: Point, places: list[Point], things: list[Thing]
) -> Iterator[tuple[Point, list[Point]]]:
    """Yield gripper and things at each frame; the gripper moves things, and they each other."""
    for gripper in path:
        moved: list[Point] = []
        for place, thing in zip(places, things, strict=True):
            near = _move_apart(place, gripper, thing.radius + GRIPPER_RADIUS)
            for other, before in zip(things, moved, strict=False):
                near = _move_apart(near, before, thing.radius + other.radius)
            moved.append(np.clip(near, MARGIN, SIDE - MARGIN))
        places = moved
        yield gripper, places


def _move_apart(place: Point, other: Point, distance: float) -> Point:
    """Return `place`, moved away from `other` until it is that far off."""
    way = place - other
    length = _measure_length(way)
    if length >= distance:
        return place
    return other + (way / length if length else np.array([0.0, 1.0])) * distance


def _measure_length(way: Point) -> float:
    return float(np.sqrt(way[0] * way[0] + way[1] * way[1]))


def _draw(gripper: Point, places: list[Point], things: list[Thing]) -> Frame:
    """Return uint8[64,64,3]: table, things, and above them the arm that comes from the top.

    Everything is drawn at whole pixels, so that equal things look equal wherever they lie.
    """
    gripper, places = np.floor(gripper), [np.floor(place) for place in places]
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    frame = _draw_table()
    for place, thing in zip(places, things, strict=True):
        across, down = np.abs(x - place[0]), np.abs(y - place[1])
        round_ = np.sqrt(across * across + down * down)
        outside = (round_ if thing.is_round else np.maximum(across, down)) - thing.radius
        frame = _paint_over(frame, outside, thing.colour)
        frame = _paint_over(frame, outside + thing.radius * 0.6, thing.colour * 0.7)
    across, down = np.abs(x - gripper[0]), y - gripper[1]
    frame = _paint_over(frame, np.maximum(across - 2.5, down), ARM)
    hand = np.maximum(across - GRIPPER_RADIUS, np.abs(down) - 2)
    frame = _paint_over(frame, hand, FINGERS)
    return np.asarray(np.clip(frame + 0.5, 0, 255), dtype=np.uint8)


def _paint_over(frame: Point, outside: Point, colour: Point) -> Point:
    """Paint where the distance from an edge, pixels, is below 0."""
    share = np.clip(0.5 - outside, 0, 1)[..., None]
    return np.asarray(frame + share * (colour - frame))


def _draw_table() -> Point:
    """Return float[64,64,3], boards with a grain that is the same in every sequence."""
    grain = np.random.default_rng(7).integers(-4, 5, size=(SIDE, SIDE // 8))
    boards = np.repeat(grain, 8, axis=1).astype(np.float64)
    boards[::16] -= 24
    return np.asarray(TABLE + boards[..., None])
