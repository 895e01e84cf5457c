"""The runner and its pages, on tiny notebooks with one fault each."""

import json
import os

import nbformat
import pytest

from labkit import plan, reports
from labkit.html import pages

PARAMETERS = 'profile = "quick"\nseed = 0\ndata = ""\ndata_dir = ""\nreports_dir = ""\nforce = False'


def write(folder, name, *code, parameters=PARAMETERS):
    cells = [
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        *map(nbformat.v4.new_code_cell, code),
    ]
    folder.mkdir(exist_ok=True)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / f"{name}.ipynb")


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A checkout of two notebooks, the first of which fails."""
    monkeypatch.setattr(reports, "NOTEBOOKS", tmp_path / "notebooks")
    write(tmp_path / "notebooks", "bad", "x = 1", "1 / 0")
    write(tmp_path / "notebooks", "good", 'print("<b>profile</b>", profile)')
    (tmp_path / "reports").mkdir()
    lab = '[lab.smile]\ntitle = "Smiles & more"\ntext = "`a` < b"\nnotebooks = ["bad", "good"]\n'
    (tmp_path / "reports" / "plan.toml").write_text(f"[general]\nnotebooks = []\n{lab}[table]\n[figure]\n")
    return tmp_path


def report(house, **options):
    said = []
    made = reports.report(data_dir=house / "data", reports_dir=house / "reports", say=said.append, **options)
    return made.notebooks, said


def test_a_failing_notebook_is_named_with_cell_and_error_and_the_others_finish(house):
    (bad, good), said = report(house)
    assert (bad.state, good.state) == ("failed", "done")
    assert bad.error == "cell 4: ZeroDivisionError: division by zero"
    assert any("bad: failed" in line and "ZeroDivisionError" in line for line in said)


def test_only_what_changed_is_run_again(house):
    report(house)
    (bad, good), _ = report(house)
    assert (bad.state, good.state) == ("failed", "unchanged")
    write(house / "notebooks", "bad", "x = 2")
    (bad, good), _ = report(house)
    assert (bad.state, good.state) == ("done", "unchanged")
    (bad, good), _ = report(house, force=True)
    assert (bad.state, good.state) == ("done", "done")


NOTES = json.dumps(
    {
        "id": "t",
        "title": "T",
        "text": "",
        "rows": ["1"],
        "comparable": False,
        "provenance": {"rows": 0, "failed": []},
        "mixed": ["Mixed."],
    }
)


def test_what_was_written_is_part_of_what_stays_unchanged(house):
    """A table, figure or row that was deleted, and package code or weights that changed, are made again."""
    plan_file = house / "reports" / "plan.toml"
    text = plan_file.read_text(encoding="utf-8").replace(
        "[table]\n[figure]", '[table.t]\nlab = "smile"\n[figure.f]\nlab = "smile"\ncaption = "F"'
    )
    plan_file.write_text(text, encoding="utf-8")
    folder = house / "reports" / "quick"
    files = {f"tables/t.{kind}": "x" for kind in ("csv", "md", "tex")} | {
        "tables/t.json": NOTES,
        "rows/1.json": "{}",
        "figures/f.png": "p",
    }
    code = "import pathlib\n"
    for name, content in files.items():
        code += f"p = pathlib.Path({str(folder / name)!r}); p.parent.mkdir(parents=True, exist_ok=True)\n"
        code += f"p.write_text({content!r})\n"
    write(house / "notebooks", "good", code)
    report(house)
    for name in files:
        (_, good), _ = report(house)
        assert good.state == "unchanged"
        (folder / name).unlink()
        (_, good), _ = report(house)
        assert good.state == "done" and (folder / name).exists(), name


def test_notebooks_run_side_by_side_each_with_its_share_of_the_cores(house, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(reports.os, "cpu_count", lambda: 6)
    wait = """import os, pathlib, time
print('threads', os.environ.get('OMP_NUM_THREADS'))
here = pathlib.Path({!r})
(here / '{}').touch()
end = time.time() + 60
while not (here / '{}').exists(): assert time.time() < end; time.sleep(0.05)"""
    write(house / "notebooks", "bad", wait.format(str(house), "a", "b"))
    write(house / "notebooks", "good", wait.format(str(house), "b", "a"))
    (bad, good), said = report(house, jobs=2)
    assert (bad.state, good.state) == ("done", "done"), "each waited for the other"
    assert said[0] == "2 notebooks, 2 at a time" and "OMP_NUM_THREADS" not in os.environ
    assert "threads 3" in (house / "reports" / "quick" / "notebooks" / "good.html").read_text(
        encoding="utf-8"
    )


def test_a_kernel_that_dies_stops_no_other_notebook(house, monkeypatch):
    write(house / "notebooks", "bad", "import os\nos._exit(1)")
    (bad, good), _ = report(house)
    assert (bad.state, good.state) == ("failed", "done") and "died" in bad.error
    import papermill

    execute = papermill.execute_notebook

    def dead_at_its_start(source, *arguments, **options):
        if "bad" in source:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return execute(source, *arguments, **options)

    monkeypatch.setattr(papermill, "execute_notebook", dead_at_its_start)
    (bad, good), _ = report(house, force=True)
    assert bad.error == "RuntimeError: Kernel died before replying to kernel_info" and good.state == "done"


def test_output_of_a_notebook_is_escaped_on_its_page(house):
    report(house)
    page = (house / "reports" / "quick" / "notebooks" / "good.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;profile&lt;/b&gt; quick" in page and "<b>profile</b>" not in page
    lab = (house / "reports" / "quick" / "smile.html").read_text(encoding="utf-8")
    assert "Smiles &amp; more" in lab and "<p><code>a</code> &lt; b</p>" in lab


def test_unknown_parameters_fail(house):
    source = house / "notebooks" / "good.ipynb"
    with pytest.raises(ValueError, match=r"unknown parameter 'profil'; expected one of data, .*, profile"):
        reports.run_notebook(source, house / "out.ipynb", {"profil": "full"})
    assert not (house / "out.ipynb").exists()


def test_a_notebook_without_parameters_cell_fails(house):
    write(house / "notebooks", "bare")
    content = nbformat.read(house / "notebooks" / "bare.ipynb", as_version=4)
    content.cells[0].metadata["tags"] = []
    nbformat.write(content, house / "notebooks" / "bare.ipynb")
    with pytest.raises(ValueError, match=r"bare\.ipynb: no cell tagged 'parameters'"):
        reports.declared(house / "notebooks" / "bare.ipynb")


def test_wrong_profile_lab_or_folder(house, tmp_path):
    with pytest.raises(ValueError, match="profile: expected one of quick, full, got 'fast'"):
        report(house, profile="fast")
    with pytest.raises(ValueError, match="lab 'smiles': expected one of smile"):
        report(house, only=["smiles"])
    with pytest.raises(FileNotFoundError, match=r"no plan\.toml"):
        plan.read_plan(tmp_path / "nowhere")


def test_a_table_shows_its_measures_under_headings_and_what_is_the_same_as_a_sentence(tmp_path):
    """Empty columns are not on the page, nor measures that are published alone; differences carry sign and
    colour; labels that never change become a sentence."""
    (tmp_path / "t.csv").write_text(
        "model,images,test_published,test_ours,test_sd,test_seeds,test_difference,f1_published,f1_ours,f1_sd,"
        "f1_seeds,kept_back_published,kept_back_ours,epochs_ours,device\n"
        "a,faces,0.5,0.75,0.0125,3,0.25,,0.7,,3,0.4,,8,CPU\nb,faces,0.6,0.55,,3,-0.05,,0.5,,3,0.5,,8,CPU\n",
        encoding="utf-8",
    )
    (tmp_path / "t.json").write_text(
        json.dumps({"provenance": {"rows": 0}, "measures": ["test", "f1", "epochs"]}), encoding="utf-8"
    )
    table = pages._table(tmp_path / "t.json")
    heads = [(heading, [below for below, _ in subs]) for heading, subs in table["groups"]]
    assert heads == [
        ("model", [""]),
        ("test", ["published", "ours ± sd", "difference"]),
        ("f1", ["ours"]),
        ("epochs", ["ours"]),
    ]
    assert table["every"] == "images faces, device CPU" and table["alone"] == "kept back"
    texts = [[cell["text"] for cell in line] for line in table["lines"]]
    assert texts == [
        ["a", "0.5000", "0.7500 ± 0.0125", "+0.2500", "0.7000", "8"],
        ["b", "0.6000", "0.5500", "−0.0500", "0.5000", "8"],
    ]
    assert [line[3]["sign"] for line in table["lines"]] == ["up", "down"]


def test_no_page_may_run_a_script():
    policy = (pages.TEMPLATES / "base.html").read_text(encoding="utf-8")
    assert "Content-Security-Policy" in policy and "default-src 'none'" in policy and "script" not in policy
    for template in pages.TEMPLATES.glob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert "<script" not in text and (template.name == "base.html" or "<html" not in text)


def test_a_labs_headline_is_its_last_line_or_its_best(tmp_path):
    (tmp_path / "t.csv").write_text(
        "run,published,ours,sd,seeds,difference\n1,0.5,0.9,,1,0.4\nmean,0.6,0.8,0.01,2,0.2\n3,,0.95,,1,\n",
        encoding="utf-8",
    )
    last, best = (pages._headline(tmp_path / "t.csv", settings) for settings in ({}, {"best": True}))
    assert (last["row"], last["published"], last["ours"], last["sd"], last["difference"], last["seeds"]) == (
        "mean", "0.6000", "0.8000", "0.0100", "+0.2000", "2",
    )  # fmt: skip
    assert best["row"] == "1" and best["measure"] == "accuracy"


def test_formulas_become_mathml():
    text = pages.formulas_to_mathml("costs \\$5, $x^2$ and\n\n$$ \\frac{1}{2} $$")
    assert "\\$5" in text and "<msup>" in text and "<mfrac>" in text and "$x" not in text


def test_a_notebook_of_two_labs_is_run_once():
    labs = {"smile": {"notebooks": ["02", "10"]}, "emotion": {"notebooks": ["05", "10"]}}
    content = {"general": {"notebooks": ["00"]}, "lab": labs}
    assert reports.notebooks_of(content, None) == ["00", "02", "10", "05"]
    assert reports.notebooks_of(content, ["emotion"]) == ["05", "10"]


def test_a_widget_is_shown_as_its_picture(tmp_path):
    data = {
        "text/plain": "Box()",
        "application/vnd.jupyter.widget-view+json": {"model_id": "x"},
        "image/png": "iVBORw0KGgo=",
    }
    output = nbformat.v4.new_output("display_data", data, metadata={"image/png": {"width": 300}})
    cells = [nbformat.v4.new_markdown_cell("## 4 · Look"), nbformat.v4.new_code_cell("box", outputs=[output])]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    pages.write_notebook(tmp_path / "n.ipynb", tmp_path / "n.html", "quick")
    page = (tmp_path / "n.html").read_text(encoding="utf-8")
    assert (
        "data:image/png;base64,iVBORw0KGgo=" in page
        and 'alt="Figure of section 4 · Look"' in page
        and 'width="300"' in page
    )
    assert "<script" not in page and "Box()" not in page


def test_progress_bars_are_not_on_the_page(tmp_path):
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}}
    bar = widget | {"text/plain": "  0%|          | 0/10 [00:00<?, ?epoch/s]"}
    outputs = [
        nbformat.v4.new_output("display_data", bar),
        nbformat.v4.new_output("stream", text="90% | done"),
    ]
    cells = [nbformat.v4.new_code_cell("train()", outputs=outputs)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    pages.write_notebook(tmp_path / "n.ipynb", tmp_path / "n.html", "quick")
    page = (tmp_path / "n.html").read_text(encoding="utf-8")
    assert "epoch/s" not in page and "90% | done" in page


def test_what_a_cell_says_of_its_figure_is_read_out(tmp_path):
    said = {"image/png": {"alt": "Two curves that cross"}}
    output = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="}, metadata=said)
    cells = [nbformat.v4.new_code_cell("display(figure, metadata=...)", outputs=[output])]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    pages.write_notebook(tmp_path / "n.ipynb", tmp_path / "n.html", "quick")
    assert 'alt="Two curves that cross"' in (tmp_path / "n.html").read_text(encoding="utf-8")


def test_a_report_has_the_glossary_beside_its_notebooks(house):
    """Where the notebooks have one: it is not run, and links those that have a page."""
    text = "### Loss\n\nTaught in [good](good.ipynb) and [other](other.ipynb)."
    cells = [nbformat.v4.new_markdown_cell(text)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), house / "notebooks" / "glossary.ipynb")
    outcomes, _ = report(house)
    assert [outcome.notebook for outcome in outcomes] == ["bad", "good"]
    folder = house / "reports" / "quick"
    page = (folder / "notebooks" / "glossary.html").read_text(encoding="utf-8")
    assert '<a href="good.html">good</a> and other.' in page and 'id="Loss"' in page
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert index.count("notebooks/glossary.html") == 1
