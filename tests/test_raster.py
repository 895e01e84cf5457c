"""Pictures of numbers: colours, sizes, places; read back from the pixels."""

import cv2
import matplotlib
import numpy as np
import pytest

from labkit import raster
from labkit.raster import px


def test_a_colour_map_is_matplotlibs_and_runs_from_zero_to_the_largest():
    values = np.array([[0.0, 1.0], [2.0, 4.0]])
    expected = matplotlib.colormaps["viridis"](values / 4, bytes=True)[..., :3]
    assert np.abs(raster.coloured(values).astype(int) - expected).max() <= 3
    assert np.array_equal(raster.coloured(values, high=2.0)[1, 0], raster.coloured(values)[1, 1])


def test_signed_values_are_white_at_zero_and_as_strong_on_either_side():
    negative, zero, positive = raster.coloured(np.array([[-1.0, 0.0, 3.0]]), raster.SIGNED)[0].astype(int)
    assert zero.min() > 235
    assert negative[2] > negative[1] and positive[0] > positive[2], "purple below, orange above"
    assert raster.coloured(np.zeros((2, 2))).shape == (2, 2, 3), "a map of nothing but 0 is no division by 0"


@pytest.mark.parametrize("shape", [(8, 6), (8, 6, 1), (8, 6, 3)])
def test_enlarged_keeps_pixels_and_proportions(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    large = raster.enlarged(image, 80)
    assert large.shape == (80, 60, 3)
    assert np.array_equal(large[5::10, 5::10], raster.rgb(image))


def test_an_overlay_colours_where_the_map_is_large_and_nowhere_else():
    image, values = np.full((16, 16, 3), 120, np.uint8), np.zeros((16, 16))
    values[:4, :4] = 1
    over = raster.overlay(image, values, 64)
    assert np.array_equal(over[40:, 40:], np.full((24, 24, 3), 120))
    assert np.ptp(over[4, 4].astype(int)) > 60


def test_text_is_as_wide_as_told_and_shortened_with_an_ellipsis():
    whole = raster.text("integrated gradients")
    assert whole.min() < 100 and whole.shape[0] == round(px(12) * 1.3)
    assert raster.text("integrated gradients", width=60).shape[1] <= 60
    page = raster.blank(40, 30)
    raster.write(page, "wider than the page", 5, 15)
    raster.write(page, "x", -3, -2)
    assert page.shape == (30, 40, 3) and page.min() < 120


def test_beside_below_and_grid_put_every_tile_where_it_belongs():
    tiles = [np.full((10, 10, 3), 10 * i, np.uint8) for i in range(5)]
    sheet, gap = raster.grid(tiles, 3, gap=2, marked=4), px(2)
    assert sheet.shape == (20 + gap, 30 + 2 * gap, 3)
    for i in range(4):
        y, x = (i // 3) * (10 + gap), (i % 3) * (10 + gap)
        assert np.array_equal(sheet[y : y + 10, x : x + 10], tiles[i])
    assert (
        np.array_equal(sheet[10 + gap, 10 + gap], raster.SECOND)
        and sheet[10 + gap + 5, 10 + gap + 5, 0] == 40
    )
    assert (sheet[10 + gap :, 2 * (10 + gap) :] == 255).all(), "no sixth tile"


@pytest.mark.parametrize("n", [1, 7, 32, 256])
def test_as_large_as_fits(n):
    columns, side = raster.columns_for(n, 640, 280)
    assert columns * side <= 640 and -(-n // columns) * side <= 280
    bigger = side + 1
    assert all(c * bigger > 640 or -(-n // c) * bigger > 280 for c in range(1, n + 1))


def length_of_bar(page, top, colour):
    row = page[top + px(10)]
    return (np.abs(row.astype(int) - colour).max(1) == 0).sum()


def test_bars_are_as_long_as_their_figures_and_the_largest_stands_out():
    page = raster.bars({"angry": 0.25, "happy": 0.5}, px(300), row=20)
    angry, happy = length_of_bar(page, 0, raster.ACCENT), length_of_bar(page, px(20), raster.SECOND)
    assert happy > 50 and abs(happy - 2 * angry) <= 2
    assert length_of_bar(raster.bars({"angry": 0.25}, px(300), marked=""), 0, raster.ACCENT) == angry


def test_a_strip_has_one_bar_a_value_and_marks_one():
    page = raster.strip(np.array([4.0, 2.0, 0.0]), 90, 40, marked=1)
    heights = [int((page[:, x] != 255).any(1).sum()) for x in (10, 40, 70)]
    assert heights == [40, 20, 1] and np.array_equal(page[39, 40], raster.SECOND)


def test_png_gives_the_pixels_back():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.array_equal(
        cv2.imdecode(np.frombuffer(raster.png(picture), np.uint8), cv2.IMREAD_COLOR_RGB), picture
    )
