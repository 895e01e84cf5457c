"""Contrasts as WCAG 2.2 asks for them, 4.5:1 for words (1.4.3) and 3:1 for lines and marks (1.4.11), and
colours that the colour-blind tell apart. Then a notebook in JupyterLab's dark theme, in a real browser."""

import io
import itertools
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import needs_browser
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image
from pygments.formatters import HtmlFormatter

from labkit import camera, detect, figures, follow, raster, views
from labkit.benches import browser
from labkit.charts import style
from labkit.widgets import still

LABKIT = Path(__file__).resolve().parents[1] / "labkit"
PAGE = (LABKIT / "html" / "templates" / "style.css").read_text(encoding="utf-8")
WORDS, MARKS = 4.5, 3.0
WHITE = (1.0, 1.0, 1.0)
# Machado, Oliveira and Fernandes (2009), severity 1.0; they hold for linear RGB.
BLIND = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)


def linear(colour) -> np.ndarray:
    c = np.asarray(colour, float)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(one, other) -> float:
    """Of two colours, each red, green and blue from 0 to 1."""
    darker, lighter = sorted(float(linear(colour) @ (0.2126, 0.7152, 0.0722)) for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def over(colour, background) -> tuple:
    """A colour of CSS or Matplotlib, perhaps transparent, on an opaque one."""
    *rgb, alpha = rgba(colour)
    return tuple(alpha * c + (1 - alpha) * b for c, b in zip(rgb, background))


def rgba(colour) -> tuple:
    if isinstance(colour, str) and colour.startswith("rgb"):
        red, green, blue, *alpha = (float(part) for part in re.findall(r"[\d.]+", colour))
        return red / 255, green / 255, blue / 255, *(alpha or [1.0])
    return (*to_rgb(colour), 1.0) if isinstance(colour, str) else (*colour[:3], *(colour[3:] or (1.0,)))


def lab(colour, matrix=None) -> np.ndarray:
    """CIELAB under D65, as it is or as a colour-blind person sees it."""
    light = linear(to_rgb(colour))
    if matrix is not None:
        light = np.clip(np.array(matrix) @ light, 0, 1)
    t = np.array(XYZ) @ light / (0.95047, 1.0, 1.08883)
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_the_formula_gives_what_is_known():
    assert contrast((0, 0, 0), WHITE) == pytest.approx(21)
    assert contrast(to_rgb("#767676"), WHITE) == pytest.approx(4.54, abs=0.005)
    assert contrast(to_rgb("#777777"), WHITE) == pytest.approx(4.48, abs=0.005)
    assert contrast(to_rgb("#F0E442"), WHITE) < 1.4
    assert np.allclose(lab("white"), (100, 0, 0), atol=0.02)
    assert over("rgba(0, 0, 0, .5)", WHITE) == (0.5, 0.5, 0.5)


# Report pages


def variables(theme: str) -> dict[str, str]:
    """The colours of the pages' style in "light", "dark" or "print"."""
    found = re.findall(r":root \{([^}]*)\}", PAGE)
    assert len(found) == 3
    return dict(re.findall(r"--(\w+):\s*([^;]+);", dict(zip(("light", "dark", "print"), found))[theme]))


def rules(css: str) -> list[tuple[str, dict[str, str]]]:
    """(selector, its declarations) of each rule without rules inside it."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    found = re.findall(r"([^{}]+)\{([^{}]*)\}", css)
    return [(s.strip(), dict(re.findall(r"([\w-]+)\s*:\s*([^;]+)", d))) for s, d in found]


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_words_of_the_report_pages(theme):
    named = variables(theme)
    for ink, paper in itertools.product(("ink", "soft", "accent", "up", "down"), ("paper", "shade")):
        assert contrast(to_rgb(named[ink]), to_rgb(named[paper])) >= WORDS, (ink, paper)
    for paper in ("warn", "fail"):
        assert contrast(to_rgb(named["ink"]), to_rgb(named[paper])) >= WORDS, paper
    for line in ("soft", "accent"):  # below a heading of several columns, beside what opens and closes
        assert contrast(to_rgb(named[line]), to_rgb(named["paper"])) >= MARKS, line


def test_no_rule_of_the_report_pages_sets_words_alone():
    """A fixed colour comes with its background, else it is a variable, which has a value for each theme."""
    for selector, rule in rules(PAGE):
        ink, paper = rule.get("color", "var"), rule.get("background", "var")
        if not ink.startswith("var"):
            assert contrast(to_rgb(ink), to_rgb(paper)) >= WORDS, selector
        elif not paper.startswith(("var", "none")):
            assert "img" in selector, selector


def test_code_on_the_report_pages():
    (paper,) = (rule["background"] for selector, rule in rules(PAGE) if selector.endswith(".highlight pre"))
    for selector, rule in rules(HtmlFormatter(style="default").get_style_defs(".highlight")):
        if selector.endswith(" .w"):  # blanks
            continue
        if re.fullmatch(r"\.highlight \.\w+", selector) and "color" in rule:
            assert contrast(to_rgb(rule["color"].strip()), to_rgb(paper)) >= WORDS, selector


# Charts


def test_colours_of_lines_stand_out_from_white_and_words_more():
    for colour in (*style.COLOURS, *style.KINDS, style.GREY, style.WORDS):
        assert contrast(to_rgb(colour), WHITE) >= MARKS, colour
    for colour in (style.BLUE, style.WORDS, style.BLACK):
        assert contrast(to_rgb(colour), WHITE) >= WORDS, colour


@pytest.mark.parametrize("eyes", [None, *BLIND])
def test_colours_are_told_apart_by_the_colour_blind(eyes):
    """Okabe and Ito's eight are 16.1 apart or more; those that stand in for three of them, more."""
    matrix = BLIND.get(eyes)
    assert len(set(style.COLOURS)) == 8 and set(style.KINDS) < set(style.COLOURS)
    new = {style.PURPLE, style.BROWN, style.PLUM}
    for one, other in itertools.combinations(style.COLOURS, 2):
        apart = np.linalg.norm(lab(one, matrix) - lab(other, matrix))
        assert apart >= (25 if new & {one, other} else 16), (one, other, apart)


def test_lines_differ_without_any_colour_where_they_stand_beside_each_other():
    styles = [style.line_of(i) for i in range(32)]
    assert len({(style.colour_of(i), one) for i, one in enumerate(styles)}) == 32
    assert all(len(set(styles[i : i + 4])) == 4 for i in range(5))


def history(n: int) -> list[dict]:
    return [{"epoch": i, "seconds": float(i), "score": 0.5 + 0.02 * i} for i in range(1, n)]


def rows(faces: int) -> list[dict]:
    said = {"emotion": "happy", "emotion_probability": 0.7}
    return [{"seconds": t / 10, "face": f, "smile": 0.4, **said} for t in range(20) for f in range(faces)]


def trials() -> tuple[list[dict], list[float]]:
    drawn = [{"rate": rate, "kind": kind} for rate in (1, 2, 3) for kind in "xy"]
    return drawn, [0.1, 0.9, 0.5, 0.7, 0.2, 0.3]


SHARES, EIGHT = np.linspace(0, 1, 25).reshape(5, 5), "abcdefgh"
RNG = np.random.default_rng(0)
MOMENT = {"seconds": 1.0, "face": 0, "target": "smile", "before": "a", "after": "b"}
KERNEL = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1.0]])
CHARTS = {
    "against_seconds": lambda: figures.against_seconds(
        {name: [history(5)] for name in EIGHT}, "score", "score", {"goal": (3, 0.6), "other": (2, 0.6)}
    ),
    "associations": lambda: figures.associations(SHARES, list("abcde"), "V"),
    "bars": lambda: figures.bars({"a": 0.5, "b": 3}, "share", "title"),
    "best_so_far": lambda: figures.best_so_far(
        {name: np.sort(RNG.random((5, 9)), 1) for name in "abc"}, "score", ("goal", 0.9)
    ),
    "changes": lambda: figures.changes(2 * SHARES - 1, list("abcde"), list("abcde"), "x", "label"),
    "comparison": lambda: figures.comparison(
        {row: {kind: [0.5, 0.6] for kind in "abcde"} for row in "xy"}, {"x": 0.4}
    ),
    "confusion": lambda: figures.confusion((100 * SHARES).astype(int), list("abcde")),
    "crosstab": lambda: figures.crosstab([[9, 11], [51, 49]], "ab", "cd", "y", "x"),
    "curves": lambda: figures.curves(
        {name: [(1, 0.5, 0.1), (9, 0.6, None)] for name in "abcde"}, {"a": [(1, 0.4)], "b": [(9, 0.4)]}, "x"
    ),
    "differences": lambda: figures.differences({"a": (0.1, 0, 0.2)}, {"a": 0.1}, "x", {"a": 0.05}),
    "faces": lambda: figures.faces(np.zeros((4, 8, 8, 1), np.uint8), list("abcd")),
    "filters": lambda: figures.filters({"conv1": (RNG.random((4, 3, 5, 5)),) * 2}),
    "front": lambda: figures.front([1, 2, 3], [0.1, 0.5, 0.4], [0, 1], "x", "y"),
    "graph": lambda: figures.graph({"w": (0, 0, 2, 3.0), "z": (1, 0, 4, 1)}, [("w", "z", "2")]),
    "histograms_over_time": lambda: figures.histograms_over_time({"a": SHARES, "b": SHARES}, -8, 0, "y"),
    "histories": lambda: figures.histories(
        {name: [history(5), history(6)] for name in EIGHT}, {"score": "y"}
    ),
    "intervals": lambda: figures.intervals({"a": (0.5, 0.4, 0.6), "b": (0.5, 0.1, 0.9)}, "x", ["b"]),
    "layers": lambda: figures.layers({name: [1.0, 0.1] for name in EIGHT}, "y"),
    "lines": lambda: figures.lines({name: [(0, 1), (1, 2)] for name in EIGHT}, "x", "y"),
    "moving_kernel": lambda: figures.moving_kernel(RNG.random((16, 16)), KERNEL),
    "parallel_coordinates": lambda: figures.parallel_coordinates(
        trials()[0], {"rate": [1, 2, 3], "kind": ["x", "y"]}, trials()[1], "score"
    ),
    "reliability": lambda: figures.reliability({"a": (RNG.random(500), RNG.random(500) < 0.5)}),
    "runs_beside_published": lambda: figures.runs_beside_published({"a": [0.5, 0.6]}, {"r": 0.4}, chance=0.5),
    "similarities": lambda: figures.similarities({name: RNG.random((5, 3)) for name in "abcd"}, "xyz", "x"),
    "small_multiples": lambda: figures.small_multiples({"a": {"train": [0.5, 0.6], "test": [0.5]}}, "y"),
    "timeline": lambda: figures.timeline(rows(8), [MOMENT], "few"),
    "timeline, many faces": lambda: figures.timeline(rows(12), [], "many"),
    "trade_off": lambda: figures.trade_off({name: (i, i) for i, name in enumerate(EIGHT)}, "x"),
}
SEPARATORS = [to_rgb("0.85")]  # between rows that stand apart without them


def test_every_chart_is_looked_at():
    no_charts = {"check_target", "nearest", "save", "write"}
    charts = {name for name in figures.__all__ if name.islower()} - no_charts
    assert charts == {name.partition(",")[0] for name in CHARTS}


def behind(text, ax) -> tuple:
    """The colour on which a text stands: of its cell where a map is drawn, else white."""
    maps = [image for image in ax.images if np.ndim(image.get_array()) == 2] if ax else []
    if not maps or text not in ax.texts:
        return WHITE
    x, y = (round(float(v)) for v in text.get_position())
    return tuple(maps[0].to_rgba(maps[0].get_array()[y, x])[:3])


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_can_be_read(name):
    figure = CHARTS[name]()
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=50)
    picture = np.asarray(Image.open(file).convert("RGBA"))
    assert picture[..., 3].min() == 255 and (picture[0, 0] == 255).all(), "opaque, on white"
    for text in figure.findobj(Text):
        if not text.get_text().strip() or not text.get_visible():
            continue
        assert text.get_fontsize() >= 7, text
        paper = behind(text, text.axes) if name != "moving_kernel" else over((1, 1, 1, 0.9), (0, 0, 0))
        assert contrast(to_rgb(text.get_color()), paper) >= WORDS, text
    for line in itertools.chain(*(ax.lines for ax in figure.axes)):
        seen = over((*to_rgb(line.get_color()), line.get_alpha() or 1), WHITE)
        if to_rgb(line.get_color()) not in SEPARATORS:
            assert contrast(seen, WHITE) >= MARKS, (line, line.get_color())


def test_ink_on_a_colour_is_the_one_that_is_read_more_easily():
    for colour in itertools.product(np.linspace(0, 1, 9), repeat=3):
        assert contrast(to_rgb(style.ink_on(colour)), colour) >= WORDS, colour


def test_words_of_the_sliders_pictures():
    for colour in (raster.INK, raster.SOFT, raster.WORDS):
        for paper in ((255, 255, 255), (244, 246, 249)):
            assert contrast(np.array(colour) / 255, np.array(paper) / 255) >= WORDS
    for colour in (raster.ACCENT, raster.SECOND):
        assert contrast(np.array(colour) / 255, WHITE) >= MARKS
    code = Path(views.__file__).read_text(encoding="utf-8") + Path(raster.__file__).read_text(
        encoding="utf-8"
    )
    assert not re.findall(r"\b(?:text|write)\([^\n]*\b(?:SECOND|ACCENT)\b", code)


# Camera and widgets


@pytest.mark.parametrize("light", [0, 255])
def test_white_words_on_the_bars_of_the_camera(light):
    frame = np.full((200, 300, 3), light, np.uint8)
    for number in range(1, len(camera.COLOURS) + 1):
        said = {"smile": {"smiling": 1.0}}
        seen = follow.Seen(number, detect.Face((60, 40, 160, 80), 0.9), "", said, {"smile": "smiling"})
        page = camera.annotated(frame, [seen])
        right_of_the_words = page[131, 210]
        assert (right_of_the_words != light).any()
        assert contrast(right_of_the_words / 255, WHITE) >= WORDS, number


def test_the_browser_draws_the_same_colours_as_dark():
    code = (LABKIT / "widgets" / "camera.js").read_text(encoding="utf-8")
    colours = json.loads(re.search(r"const COLOURS = (\[.*?\]);", code)[1])
    assert [tuple(bytes.fromhex(colour[1:])) for colour in colours] == camera.COLOURS
    shade = re.search(r'"(rgba\(0, 0, 0, [\d.]+\))"', code)[1]
    share = float(re.search(r"globalAlpha = (0[\d.]+);", code)[1])
    for light, colour in itertools.product(((0, 0, 0), WHITE), colours):
        dark = over(shade, light)
        assert contrast(dark, WHITE) >= WORDS
        assert contrast(over((*to_rgb(colour), share), dark), WHITE) >= WORDS, colour


def lab_theme(kind: str) -> dict[str, str]:
    """The variables of JupyterLab's own light or dark theme, as it is installed."""
    folder = Path(sys.prefix) / "share" / "jupyter" / "lab" / "themes" / "@jupyterlab"
    css = (folder / f"theme-{kind}-extension" / "index.css").read_text(encoding="utf-8")
    return dict(re.findall(r"(--jp-[\w-]+):\s*([^;}]+)", css))


def resolved(value: str, theme: dict[str, str]) -> str:
    """What `var(--name, otherwise)` comes to."""
    while found := re.fullmatch(r"var\((--[\w-]+)(?:,\s*(.+))?\)", value.strip()):
        value = theme.get(found[1], found[2])
    return value


WIDGETS = {
    "annotator": (LABKIT / "widgets" / "annotator.css").read_text(encoding="utf-8"),
    "camera": (LABKIT / "widgets" / "camera.css").read_text(encoding="utf-8"),
    "flip": still.STYLE,
}


@pytest.mark.parametrize("kind", ["light", "dark"])
@pytest.mark.parametrize("name", WIDGETS)
def test_words_and_marks_of_a_widget(name, kind):
    """Where a widget sets no background it stands on the theme's, and so must its words."""
    theme, found = lab_theme(kind), rules(WIDGETS[name])
    words, page = theme["--jp-content-font-color1"], to_rgb(resolved("var(--jp-layout-color0)", theme))
    root = found[0][1]
    root_ink = resolved(root.get("color", words), theme)
    root_paper = to_rgb(resolved(root["background"], theme)) if "background" in root else page
    for selector, rule in found:
        ink, paper = rule.get("color", root_ink), rule.get("background", "none")
        ink = root_ink if ink == "inherit" else resolved(ink, theme)
        paper = root_paper if paper == "none" else to_rgb(resolved(paper, theme))
        if not re.search(r"bar\b|canvas", selector):  # no words stand on these
            assert contrast(over(ink, paper), paper) >= WORDS, selector
        for part in ("border", "border-color", "outline"):
            for colour in re.findall(r"#\w{3,6}", rule.get(part, "")):
                assert contrast(to_rgb(colour), root_paper) >= MARKS, (selector, part)


# A notebook in the dark theme

CELLS = (
    "%matplotlib inline\n"
    "import matplotlib.pyplot as plt\n"
    "import numpy as np\n"
    "import pandas as pd\n"
    "from IPython.display import display\n"
    "from labkit import annotate, figures, synthetic, tables\n"
    "from labkit.widgets.annotator import Annotator\n"
    "from labkit.widgets.camera import Camera\n"
    "from labkit.widgets.puppet import Puppet\n"
    "from labkit.widgets.still import Flip\n"
    "Camera.still = lambda widget: np.zeros((9, 9, 3), np.uint8)  # no kernel shows it here\n"
    "frame = pd.DataFrame({'model': ['first', 'second'], 'accuracy_ours': [0.9, 0.8]})",
    "display(figures.bars({'a': 0.5, 'b': 0.7}, 'share'), metadata={'image/png': {'alt': 'bars'}})\n"
    "plt.plot([1, 2])\n"
    "plt.show()",
    "display(tables.show(frame), frame)\nprint('what a cell prints')",
    "Flip({'bars': figures.bars({'a': 1}, 'share'), 'other': figures.bars({'a': 2}, 'share')})",
    "Puppet()",
    "Camera({})",
    "Annotator(synthetic.make(2, size=32), 'answers', 'me')",
)
SEEN = """() => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement, words = walker.currentNode.textContent.trim();
        if (!words || !element.closest('.jp-OutputArea-output')) continue;
        if (element.closest('style, script, :disabled')) continue;
        if (!element.closest('select') && !element.getClientRects().length) continue;
        const papers = [];
        for (let at = element.closest('select') ?? element; at; at = at.parentElement)
            papers.push(getComputedStyle(at).backgroundColor);
        found.push([words, getComputedStyle(element.closest('select') ?? element).color, papers]);
    }
    return found; }"""
PIXELS = """async image => {
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const pen = canvas.getContext('2d');
    pen.drawImage(image, 0, 0);
    const {data} = pen.getImageData(0, 0, canvas.width, canvas.height);
    let least = 255;
    for (let i = 3; i < data.length; i += 4) least = Math.min(least, data[i]);
    return [least, ...data.slice(0, 3)]; }"""


@needs_browser
def test_a_notebook_in_the_dark_theme(tmp_path):
    """Figures bring their own white; every word of an output stands out from what is behind it."""
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, tmp_path / "dark.ipynb")
    with browser.jupyterlab(tmp_path, dark=True) as address, browser.chromium(1300, 4000) as page:
        browser.run_all(page, address("dark.ipynb"), 60)
        for widget in (".annotator-title", ".camera-note", ".widget-label"):
            page.wait_for_selector(widget)
        assert page.evaluate("document.body.dataset.jpThemeLight") == "false"
        images = page.locator(".jp-RenderedImage img, .flip img").all()
        assert len(images) == 4
        for image in images:
            assert image.evaluate(PIXELS) == [255, 255, 255, 255]
        page.evaluate("document.querySelector('.camera-message').textContent = 'No camera was found.'")
        seen = page.evaluate(SEEN)
    words = [text for text, _, _ in seen]
    for expected in (
        "first",
        "what a cell prints",
        "other",
        "AU12 lip corner puller",
        "head right °",
        "angry",
    ):
        assert expected in words
    assert {"No camera was found.", "glasses", "start", "mirror"} <= set(words) and len(words) > 60
    for text, ink, papers in seen:
        paper = (0.0, 0.0, 0.0)
        for layer in reversed(papers):
            paper = over(layer, paper)
        assert contrast(over(ink, paper), paper) >= WORDS, (text, ink, papers)
