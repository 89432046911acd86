"""A scanned page made ready for Tesseract: at the size that it reads best, without noise, level, on white."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

READING_DPI: Final = (
    300  # "Tesseract works best on images which have a DPI of at least 300": its documentation
)
_PAGE_INCHES: Final = 11.0  # the long side of US Letter; A4 has 11.7
_PLAUSIBLE_DPI: Final = (60, 2_400)  # 72 is what programs write that know no resolution: see `dpi_of`
_LONGEST_INCHES: Final = 17.0  # US Tabloid, A3: a page that would be longer has a wrong resolution
_MOST_ENLARGED: Final = 4.0
_LEAST_ENLARGED: Final = 1.1  # within 10 % of 300 dpi nothing is gained, and resampling blurs
_BACKGROUND_CELL: Final = 8  # pixels at 300 dpi of one cell of the background's map
_BACKGROUND_REACH: Final = 5  # cells: wider than a stroke, narrower than a shaded row is high
_WHITE: Final = 245
_DARKEST_PAPER: Final = 80.0  # what is darker is ink, e.g. the ground of white letters

_NOISY: Final = 4.0  # grey levels of noise's standard deviation
_MOST_SKEW: Final = 10.0  # degrees
_SKEW_STEPS: Final = (0.5, 0.1)  # coarse, then fine around the best
_LEAST_SKEW: Final = 0.15  # degrees: less does not cost recognition anything, and turning blurs
_PROFILE_SIDE: Final = 1_000  # pixels of the long side at which the angle is looked for


def dpi_of(image: Image.Image) -> float:
    """The page's resolution: what its file says where a page of paper can have that, else by its size."""
    longest = max(image.size)
    said = image.info.get("dpi")
    try:
        dpi = min(float(value) for value in said) if isinstance(said, tuple) else math.nan
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        dpi = math.nan
    if not (_PLAUSIBLE_DPI[0] <= dpi <= _PLAUSIBLE_DPI[1]) or longest / dpi > _LONGEST_INCHES:
        return longest / _PAGE_INCHES
    return dpi


def prepared(image: Image.Image, dpi: float, *, most_pixels: int, level: bool = True) -> Image.Image:
    """`image` (mode L) at about 300 dpi, with its noise smoothed and, where asked, its lines level."""
    scale = min(READING_DPI / dpi, _MOST_ENLARGED)
    scale = min(scale, math.sqrt(most_pixels / (image.width * image.height)))
    noisy = noise_of(image) > _NOISY
    if scale > _LEAST_ENLARGED or scale < 1 / _LEAST_ENLARGED:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS)
    if noisy:
        # After enlarging: at 100 dpi a stroke is one pixel wide, and is lost with the noise.
        # Tokens found at 100 dpi with a deviation of 20: .961 by a Gaussian of 1.5 pixels, .956 by 1, .948 by
        # 2, .949 without; .962 by a median of 3, which takes longer, and .954 of 5.
        image = image.filter(ImageFilter.GaussianBlur(max(1.0, scale / 2)))
    angle = skew_of(image) if level else 0.0
    if abs(angle) >= _LEAST_SKEW:
        image = image.rotate(-angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    return evened(image)


def evened(image: Image.Image) -> Image.Image:
    """`image` on white where its paper is shaded: a form's grey heading, the shadow of a book's fold.

    Tesseract takes one threshold between ink and paper, and a noisy heading is lost to it.
    """
    cells = image.reduce(_BACKGROUND_CELL)
    ground = cells.filter(ImageFilter.MaxFilter(_BACKGROUND_REACH)).filter(
        ImageFilter.MinFilter(_BACKGROUND_REACH)
    )
    # The same grey everywhere but in small letters is white paper.
    if min(ground.size) < 2 or np.asarray(ground).min() > _WHITE:
        return image
    paper = np.asarray(ground.resize(image.size, Image.Resampling.BILINEAR), dtype=np.float32)
    lit = np.asarray(image, dtype=np.float32) * (255.0 / np.maximum(paper, _DARKEST_PAPER))
    return Image.fromarray(np.minimum(lit, 255.0).astype(np.uint8))


def noise_of(image: Image.Image) -> float:
    """The standard deviation of the noise, in grey levels.

    J. Immerkær, "Fast noise variance estimation", 1996, with the median for the mean: text is edges, and
    most of a page is none.
    """
    pixels = np.asarray(image, dtype=np.int16)
    if min(pixels.shape) < 3:
        return 0.0
    rows = pixels[:-2] - 2 * pixels[1:-1] + pixels[2:]
    both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.median(np.abs(both))) / (6 * 0.6745)


def skew_of(image: Image.Image) -> float:
    """By how many degrees the lines rise to the right (counter-clockwise), to 0.1, at most 10.

    The angle at which the ink's profile along the rows is sharpest: lines and gaps stand apart there.
    """
    small = image.copy()
    small.thumbnail((_PROFILE_SIDE, _PROFILE_SIDE))
    pixels = np.asarray(small)
    ink = pixels < _threshold(pixels)
    if ink.mean() > 0.5:
        ink = ~ink
    rows, columns = np.nonzero(ink)
    if rows.size < 100:
        return 0.0
    best = 0.0
    reach = _MOST_SKEW
    for step in _SKEW_STEPS:
        angles = best + np.arange(-reach, reach + step / 2, step)
        # Among equals the one nearest to level.
        best = float(max(angles, key=lambda angle: (_sharpness(rows, columns, angle), -abs(angle))))
        reach = step
    return round(best, 1) if abs(best) <= _MOST_SKEW else 0.0


def _sharpness(rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], angle: float) -> float:
    turned = rows + columns * math.tan(math.radians(angle))
    profile = np.bincount((turned - turned.min()).astype(np.intp)).astype(np.float64)
    return float(np.sum(np.diff(profile) ** 2))


def _threshold(pixels: npt.NDArray[np.uint8]) -> float:
    """The grey level between ink and paper. N. Otsu, 1979."""
    counts = np.bincount(pixels.ravel(), minlength=256).astype(np.float64)
    levels = np.arange(256)
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * levels)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(np.nanargmax(np.nan_to_num(between))) + 1
