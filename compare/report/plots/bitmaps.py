"""The bitmaps inside of pictures."""

import base64
import io

QUALITY = 40
EXACT = "exact"  # the id of an image of which every pixel counts
HEAD = "data:image/png;base64,"


def smaller(source: str, exact: bool) -> str:
    """As WebP, where that is smaller than the PNG that it was; maps, which are transparent, pixel for pixel."""
    from PIL import Image

    content = base64.b64decode("".join(source.removeprefix(HEAD).split()))
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        opaque = image.convert("RGBA").getchannel("A").getextrema() == (255, 255)
        how = {"lossless": True, "exact": False} if exact or not opaque else {"quality": QUALITY}
        image.convert("RGB" if opaque else "RGBA").save(buffer, format="webp", method=6, **how)
    if buffer.tell() < len(content):
        return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    return HEAD + base64.b64encode(content).decode()
