"""The published networks: each small, with a model card whose figures are those of the kept rows, and of use
at once."""

import numpy as np
import pytest

from labkit import datasets, evaluation, models, plan, runs

REPORTS = models.WEIGHTS.parents[1] / "reports"
NAMES = sorted(path.stem for path in models.WEIGHTS.glob("*.pt"))
BYTES = {"smile": 2e6, "emotion": 3e6, "attributes": 2e6, "action_units": 2e6}


def test_all_that_the_plan_names_are_there():
    assert sorted(plan.read_plan(REPORTS)["weights"]) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_network_is_that_of_its_row(name):
    path = models.WEIGHTS / f"{name}.pt"
    assert path.stat().st_size <= BYTES[name]
    _, spec = plan.published_spec(name, reports_dir=REPORTS)
    row = runs.Store(REPORTS / "full" / "rows", REPORTS / "runs").read(models.load(name)[1]["row"])
    assert runs.RunSpec.from_dict(row.spec) == spec


@pytest.mark.parametrize("name", NAMES)
def test_the_card_states_the_figures_of_the_rows(name):
    card = (models.WEIGHTS / f"{name}.md").read_text(encoding="utf-8")
    settings = plan.read_plan(REPORTS)["weights"][name]
    table = plan.read_table(settings["table"], "full", reports_dir=REPORTS, whole=True)
    store = table.store
    rows = [row for row in table.rows[settings["row"] :] if not row.optional]
    for row in rows:  # its own, and the cross-validation after it
        accuracies = [store.find(spec).value(part=settings.get("part", "test")) for spec in row.specs]
        assert f"{np.mean(accuracies):.4f}" in card
    for heading in ("## Data", "## Measured", "## Not for"):
        assert heading in card


@pytest.mark.parametrize("name", NAMES)
def test_it_is_of_use_on_faces_it_has_never_seen(name):
    found = evaluation.evaluate(name, "builtin", data_dir="no data")
    for target, figures in found["targets"].items():
        classes = len(datasets.load("builtin", n=10).classes[target])
        assert figures["accuracy"] > 1 / classes + 0.2
