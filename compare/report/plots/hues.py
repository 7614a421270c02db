"""The colours of all pictures: one meaning a hue, each for a light and for a dark ground."""

# What is drawn: in files with the light colours, on the page by name, so that it follows the page's scheme.
HUES = {
    "ink": ("#1e293b", "#e3e8ef"),
    "rule": ("#cbd3de", "#3b4655"),
    "scratch": ("#c2410c", "#ff9a68"),
    "reference": ("#1d4ed8", "#8db2ff"),
    "rounding": ("#7b8494", "#97a3b5"),
    "float64": ("#6b21a8", "#cfa6ff"),
    "float32": ("#8a6a00", "#e2c24a"),
    "limit": ("#b91c1d", "#ff8b8b"),
    "train": ("#475569", "#b4c0d0"),
    "validation": ("#b455bd", "#e9a8ef"),
    "test": ("#0f766e", "#4fd0bd"),
    "count": ("#8d6e63", "#c7a99d"),  # the first in bitmaps of either scheme
    "within-0": ("#fefefe", "#10151e"),
    "within-1": ("#eef2f8", "#1a2331"),
    "within-2": ("#dbe3ee", "#273346"),
    "within-3": ("#c2cede", "#384860"),
    "beyond-0": ("#f9a8a9", "#8c3536"),
    "beyond-1": ("#dc2627", "#d42a2b"),
    "beyond-2": ("#7f1d1e", "#ffb3b4"),
    "series-0": ("#3b2a7e", "#b3a5ff"),
    "series-1": ("#23588c", "#86bdf5"),
    "series-2": ("#16767f", "#5fcdd6"),
    "series-3": ("#2a7d4f", "#6fd49b"),
    "series-4": ("#677a16", "#bcd05c"),
    "series-5": ("#95690b", "#ecc067"),
}
INK, RULE, SCRATCH, REFERENCE = (HUES[name][0] for name in ("ink", "rule", "scratch", "reference"))
ROUNDING, LIMIT, TRAIN, VALIDATION, TEST = (
    HUES[name][0] for name in ("rounding", "limit", "train", "validation", "test")
)
FLOAT64, FLOAT32, COUNT = (HUES[name][0] for name in ("float64", "float32", "count"))
DTYPES = {"float64": FLOAT64, "float32": FLOAT32}
NAMES = {light: name for name, (light, _) in HUES.items()}
SERIES = 6


def series(count: int) -> list[str]:
    """Colours from blue over green to ochre for so many of a kind, told apart by dashes and marks too."""
    return [HUES[f"series-{n * (SERIES - 1) // max(1, count - 1)}"][0] for n in range(count)]


def style() -> str:
    """The colours as variables of a style sheet."""
    light, dark = (" ".join(f"--p-{name}: {pair[n]};" for name, pair in HUES.items()) for n in (0, 1))
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"
