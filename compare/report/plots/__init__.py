"""Plots, each a function that returns a drawing; as PNG or SVG it is written last."""
