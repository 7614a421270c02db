"""What a trained pair has to show, each picture a function that returns PNG bytes."""

from twofold.compare.report.pictures.gallery import gallery

__all__ = ["gallery"]
