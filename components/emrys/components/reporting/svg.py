"""Plots as SVG elements that are embedded in a page and follow its colours."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

#: Drawing colours and the CSS variables that replace them, so that light, dark and print pages have their own colours.
COLOURS = {
    "#010101": "var(--ink)",
    "#020202": "var(--soft)",
    "#030303": "var(--grid)",
    "#040404": "var(--model)",
    "#050505": "var(--second)",
    "#060606": "var(--third)",
}
INK, SOFT, GRID, MODEL, SECOND, THIRD = COLOURS

STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": SOFT,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "sans-serif",
    "font.size": 10.0,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.color": SOFT,
    "ytick.labelcolor": INK,
}


def svg(
    name: str, title: str, description: str, draw: Callable[[Axes], None], size: tuple[float, float] = (4.3, 3.3)
) -> Markup:
    """Draws a plot as an SVG element. Equal plots give equal bytes.

    Args:
        name: Unique within the page; the ids of the element begin with it.
        title: Title for screen readers.
        description: Description for screen readers.
        draw: Draws onto the axes.
        size: Width and height in inches; the page scales the plot.

    Returns:
        The element, without XML namespaces, as markup that templates do not escape.
    """
    # A fixed salt and no date: the same numbers give the same bytes.
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        target = io.StringIO()
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None})
    # Serialised as XML, which escapes every text.
    return Markup(_embed(target.getvalue(), name, title, description))  # noqa: S704


def short_label(text: str) -> str:
    """Shortens a text for a label and escapes dollar signs, which matplotlib would read as mathematics."""
    shown = printable(text)
    shown = shown if len(shown) <= 32 else f"{shown[:31]}…"
    return shown.replace("$", r"\$")


def printable(text: str) -> str:
    """Replaces characters that XML does not allow."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _embed(svg: str, name: str, title: str, description: str) -> str:
    """Converts an SVG file to an HTML element: with title and description, without namespaces and fixed colours."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - written by matplotlib a moment ago
    for parent in list(root.iter()):
        for child in [child for child in parent if _local(child.tag) in ("metadata", "style")]:
            parent.remove(child)  # a style sheet would apply to the whole page
    for element in root.iter():
        element.tag = _local(element.tag)
        attributes = {_local(key): _adapt(_local(key), value, name) for key, value in element.attrib.items()}
        element.attrib.clear()
        element.attrib.update(attributes)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib.update({"role": "img", "aria-labelledby": f"{name}-title {name}-description"})
    for index, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(tag, {"id": f"{name}-{'title' if tag == 'title' else 'description'}"})
        element.text = text
        root.insert(index, element)
    return ElementTree.tostring(root, encoding="unicode")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _adapt(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"  # ids are shared by the whole page
    if key == "href":
        return value.replace("#", f"#{name}-", 1)
    value = value.replace("url(#", f"url(#{name}-")
    if key == "style":
        value = re.sub(r"font-family:[^;]*;?", "", value)  # the page's font
    for colour, variable in COLOURS.items():
        value = value.replace(colour, variable)
    return value
