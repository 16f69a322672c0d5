from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physhmr.inference.engine import tensor_spec
from physhmr.types import PersonBox
from physhmr.vision.crops import square_crops
from physhmr.vision.detector import FRONT, SIDE, anchors, decode, overlap, suppress
from physhmr.vision.preprocess import apply_affine, box_from_points, box_to_image, crop, square_box
from physhmr.vision.search import RegionSearch, search_regions, tiles

ROW = np.array([0.5, 0.5, 0.2, 0.4, 0.5, 0.5, 0.5, 0.2, 0.5, 0.4, 0.5, 0.3])


def test_anchors_are_cell_centres_of_three_grids() -> None:
    grid = anchors()
    assert grid.shape == (2254, 2)
    np.testing.assert_allclose(grid[0], 0.5 / 28)
    np.testing.assert_allclose(grid[2], [1.5 / 28, 0.5 / 28])
    np.testing.assert_allclose(grid[28 * 28 * 2], 0.5 / 14)
    np.testing.assert_allclose(grid[-6:], 1 - 0.5 / 7)
    np.testing.assert_allclose(grid.mean(0), 0.5)


def test_decode_adds_the_anchor_to_points_but_not_to_the_size() -> None:
    raw, logits = np.zeros((2254, 12), np.float32), np.full(2254, -9.0, np.float32)
    index = 28 * 28 * 2 + 2 * (14 * 3 + 5)  # row 3, column 5 of the second grid
    raw[index], logits[index] = 22.4, 2.0
    rows, score = decode(raw, logits, 0.5)
    cell = np.array([5.5, 3.5]) / 14
    np.testing.assert_allclose(rows[0].reshape(6, 2), [cell + 0.1, [0.1, 0.1], *[cell + 0.1] * 4], atol=1e-6)
    assert score == pytest.approx([1 / (1 + np.exp(-2))])


def test_extreme_logits_do_not_overflow() -> None:
    with np.errstate(all="raise"):
        _, score = decode(np.zeros((2254, 12), np.float32), np.full(2254, -1e30, np.float32), 0.0)
    assert (score < 1e-40).all()


box = st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 0.6), st.floats(0.05, 0.6)).map(np.array)


@given(a=box, b=box, shift=st.floats(-2, 2))
def test_overlap_is_a_similarity(a: np.ndarray, b: np.ndarray, shift: float) -> None:
    assert overlap(a, a[None]) == pytest.approx([1.0])
    assert 0 <= overlap(a, b[None])[0] <= 1 + 1e-9
    np.testing.assert_allclose(overlap(a, b[None]), overlap(b, a[None]), atol=1e-12)
    move = np.array([shift, shift, 0, 0])
    np.testing.assert_allclose(overlap(a + move, (b + move)[None]), overlap(a, b[None]), atol=1e-9)


def test_suppression_merges_neighbours_and_keeps_strangers() -> None:
    near, far = ROW + 0.02, ROW + np.array([0.4, 0, 0, 0] + [0.4, 0] * 4)
    merged = suppress(np.stack([far, ROW, near]), np.array([0.6, 0.9, 0.3]), 0.3)
    assert [score for _, score in merged] == [0.9, 0.6]
    np.testing.assert_allclose(merged[0][0], (0.9 * ROW + 0.3 * near) / 1.2)
    np.testing.assert_allclose(merged[1][0], far)
    assert suppress(np.zeros((0, 12)), np.zeros(0), 0.3) == []


@given(angle=st.floats(-3.1, 3.1), radius=st.floats(5, 500))
def test_box_turns_with_the_person(angle: float, radius: float) -> None:
    center = np.array([300.0, 200.0])
    head = radius * np.array([np.sin(angle), -np.cos(angle)])  # clockwise from up
    found = box_from_points(center, center + head, 1.25, 0.8)
    assert found.rotation == pytest.approx(angle, abs=1e-9)
    assert found.size == pytest.approx(2.5 * radius)
    # In the crop the person stands upright again.
    np.testing.assert_allclose(apply_affine(box_to_image(found), np.array([0.5, 0.5 - 0.4])), center + head, atol=1e-9)


def test_crop_samples_where_the_affine_says() -> None:
    y, x = np.mgrid[0:240, 0:320]
    image = np.stack([x % 256, y, np.zeros_like(x)], -1).astype(np.uint8)
    region = PersonBox(center=np.array([130.0, 120.0]), size=100.0, rotation=0.3, score=1.0)
    patch = crop(image, region, 64, replicate_border=True).astype(float)
    for column, row in ((0, 0), (32, 32), (50, 9)):
        expected = apply_affine(box_to_image(region), np.array([column, row]) / 64)
        np.testing.assert_allclose(patch[row, column, :2], expected, atol=1.0)


def test_border_is_black_or_repeated() -> None:
    image = np.full((50, 100, 3), 200, np.uint8)
    region = square_box(0, -25, 100)
    assert crop(image, region, 20, replicate_border=False)[0].max() == 0
    assert (crop(image, region, 20, replicate_border=True) == 200).all()


def test_tensor_range() -> None:
    inputs = (tensor_spec("x", 1, SIDE, SIDE, 3),)
    image = np.full((SIDE, SIDE, 3), (0, 128, 255), np.uint8)
    tensor = square_crops("it", inputs, "x", FRONT)(image, square_box(0, 0, SIDE))["x"]
    assert inputs[0].admits(tensor)
    np.testing.assert_allclose(tensor[0, 100, 100], [-1, 128 / 127.5 - 1, 1], atol=1e-6)


@given(width=st.integers(2, 4000), height=st.integers(2, 4000))
def test_search_covers_the_image_with_overlap(width: int, height: int) -> None:
    whole, *rest = search_regions(width, height)
    assert whole.size == max(width, height)
    side = min(width, height)
    columns = sorted({tile.center[0] - side / 2 for tile in tiles(width, height, side)})
    assert columns[0] == pytest.approx(0) and columns[-1] == pytest.approx(width - side)
    assert all(b - a <= side / 2 + 1e-6 for a, b in pairwise(columns))
    assert {tile.size for tile in rest} == {side, side / 2}


def test_search_visits_every_region_a_few_at_a_time() -> None:
    first = square_box(10, 10, 50)
    search = RegionSearch(640, 480, per_frame=2, first=first)
    frames = [search.next_regions() for _ in range(20)]
    assert all(len(regions) == 2 for regions in frames)
    assert frames[0][0] is first
    seen = {(*region.center, region.size) for regions in frames for region in regions}
    assert {(*region.center, region.size) for region in search_regions(640, 480)} <= seen
