"""Parallel coordinates of a search's trials, moved by hand: a range on each axis, and the trials that lie in
all of them in colour. Used in notebook 06.
"""

import io

import ipywidgets as widgets
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from labkit import figures
from labkit.widgets.still import Still


class Coordinates(Still, widgets.VBox):
    """A slider with two ends for each axis, and the picture that they choose.

    Args:
        trials: name -> value, one dict a trial; those without a score are left out.
        axes_values: name -> all values of the axis, in order from below.
        scores: of the trials, None of those that failed.
        label: what the score is.

    Raises:
        ValueError: where no trial has a score.
    """

    def __init__(self, trials: list[dict], axes_values: dict[str, list], scores: list[float], label: str):
        scored = [i for i, score in enumerate(scores) if score is not None]
        if not scored:
            raise ValueError("trials: expected at least one with a score, got none")
        self.trials, self.scores = [trials[i] for i in scored], [scores[i] for i in scored]
        self.axes_values, self.label_of_score = axes_values, label
        wide = {"width": "420px"}
        self.ranges = {
            name: widgets.SelectionRangeSlider(
                options=[(str(value), i) for i, value in enumerate(values)],
                index=(0, len(values) - 1),
                description=name.rpartition(".")[2].replace("_", " "),
                style={"description_width": "110px"},
                layout=wide,
            )
            for name, values in axes_values.items()
        }
        self.image, self.told = widgets.Image(format="png"), widgets.HTML()
        super().__init__([*self.ranges.values(), self.told, self.image])
        for slider in self.ranges.values():
            slider.observe(self._draw, "value")
        self._draw()

    def chosen(self) -> np.ndarray:
        """bool (trials,): those that lie in every range."""
        inside = np.ones(len(self.trials), bool)
        for name, slider in self.ranges.items():
            low, high = slider.value
            places = np.array([self._place(name, trial[name]) for trial in self.trials])
            inside &= (low <= places) & (places <= high)
        return inside

    def _place(self, name: str, value) -> int:
        values = self.axes_values[name]
        return values.index(figures.nearest(value, values))

    def figure(self):
        """The picture of the ranges as they are, a Matplotlib `Figure`."""
        given = self.trials, self.axes_values, self.scores, self.label_of_score
        return figures.parallel_coordinates(*given, self.chosen())

    def still(self) -> np.ndarray:
        """The same as uint8 (H, W, 3)."""
        canvas = FigureCanvasAgg(self.figure())
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def _draw(self, _=None) -> None:
        inside = self.chosen()
        scores = np.asarray(self.scores, float)[inside]
        best = f", the best of them {np.nanmax(scores):.3f}" if len(scores) else ""
        self.told.value = f"{inside.sum()} of {len(inside)} trials{best}"
        file = io.BytesIO()
        self.figure().savefig(file, format="png", dpi=110)
        self.image.value = file.getvalue()
