"""A photograph through two filters set by hand: what a convolution does, before anything is learned."""

from pathlib import Path

import numpy as np

from twofold import scratch
from twofold.compare.environment import import_matplotlib
from twofold.compare.report.pictures.mosaic import panels
from twofold.compare.report.plots.sheet import Drawing
from twofold.scratch.module import Array

GREY = (0.3, 0.6, 0.1)  # of red, green and blue
EDGES = ((1, 2, 1), (0, 0, 0), (-1, -2, -1))  # on blue
SIDE = 200


def filtered(image: Array) -> Array:
    """Colour (3, H, W) in [0, 255] -> (2, H, W): its grey, and its horizontal edges about 128."""
    conv = scratch.Conv2d(3, 2, 3, padding=1).to(np.float64)
    weight = np.zeros((2, 3, 3, 3))
    weight[0, :, 1, 1] = GREY
    weight[1, 2] = EDGES
    conv.load_state_dict({"weight": weight, "bias": np.array([0.0, 128.0])})
    return conv(image[None].astype(np.float64))[0]


def photograph() -> Array:
    """The upper middle of the photograph that comes with matplotlib, (3, 200, 200) in [0, 255]."""
    matplotlib = import_matplotlib()
    from PIL import Image

    with Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg") as picture:
        side, height = picture.size
        top = (height - side) // 4
        cut = picture.convert("RGB").crop((0, top, side, top + side)).resize((SIDE, SIDE))
    return np.asarray(cut).transpose(2, 0, 1)


def filtered_picture(image: Array, heading: str) -> Drawing:
    """An image (3, H, W) in [0, 255] beside its grey and its horizontal edges, as scratch.Conv2d gives them."""
    shown = [image.transpose(1, 2, 0), *filtered(image)]
    titles = ["original", "grey filter", "horizontal edges of the blue"]
    return panels([np.clip(picture, 0, 255) / 255 for picture in shown], titles, heading)
