"""The bitmaps inside of pictures."""

import base64
import io

QUALITY = 40
SMALL = 600  # bytes, below which nothing is to be gained
HEAD = "data:image/png;base64,"


def smaller(source: str) -> str:
    """As WebP, where that is smaller than the PNG that it was."""
    from PIL import Image

    content = base64.b64decode("".join(source.removeprefix(HEAD).split()))
    if len(content) > SMALL:
        buffer = io.BytesIO()
        with Image.open(io.BytesIO(content)) as image:
            opaque = image.convert("RGBA").getchannel("A").getextrema() == (255, 255)
            image.convert("RGB" if opaque else "RGBA").save(buffer, format="webp", quality=QUALITY, method=6)
        if buffer.tell() < len(content):
            return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    return HEAD + base64.b64encode(content).decode()
