"""The commands as a user types them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from conftest import needs_browser

from labkit import doctor
from labkit.benches import widgets

ROOT = Path(__file__).resolve().parents[1]


def labkit(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "labkit", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )


def test_help_names_every_command():
    done = labkit("--help")
    assert done.returncode == 0
    assert all(
        name in done.stdout
        for name in ("doctor", "data", "report", "evaluate", "publish", "bench", "webcam", "student")
    )


def test_doctor_finds_this_machine_fit(tmp_path):
    done = labkit("doctor", "--json", "--data-dir", tmp_path)
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 0, [c for c in checks.values() if not c["ok"] and not c["optional"]]
    assert checks["torch with torchvision"]["ok"] and checks["device"]["ok"]
    assert not checks["data genki4k"]["ok"] and "data import genki4k" in checks["data genki4k"]["remedy"]


def test_doctor_says_what_to_do(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 1))
    assert doctor.python().line().startswith("[FAIL] Python: 3.9.1. What to do: install Python 3.11")
    monkeypatch.setattr(
        doctor.metadata,
        "requires",
        lambda name: ["numpy>=99", "no-such-package>=1", "pytest>=1; extra == 'dev'"],
    )
    lines = [check.line() for check in doctor.packages()]
    assert [line.split(":")[0] for line in lines] == ["[FAIL] numpy", "[FAIL] no-such-package"]
    assert "pip install 'numpy>=99'" in lines[0] and "not installed" in lines[1]
    assert not doctor.disk(needed_gb=1e9).ok


def test_what_is_optional_and_absent_is_one_quiet_line():
    checks = [
        doctor.Check("Python", True, "3.11"),
        doctor.Check("camera", False, "none", "connect one", optional=True),
    ]
    checks += [doctor.Check("data genki4k", False, "not imported", "import it", optional=True)]
    first, last = doctor.text(checks).splitlines()
    assert first == "[OK]   Python: 3.11" and last.startswith(
        "Not here, and nothing needs it: camera, data genki4k"
    )
    broken = doctor.Check("torch", False, "not installed", "pip install torch")
    assert doctor.text([broken]) == "[FAIL] torch: not installed. What to do: pip install torch"


def test_data_list_tells_how_to_get_what_is_missing(tmp_path):
    rows = {
        row["name"]: row
        for row in json.loads(labkit("data", "list", "--json", "--data-dir", tmp_path).stdout)["data"]
    }
    assert not rows["fer2013"]["imported"]
    text = labkit("data", "list", "--data-dir", tmp_path).stdout
    assert rows["fer2013"]["get"] in text and "python -m labkit data import fer2013 FILE" in text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["data", "check", "genki4k"], "GENKI-4K is not imported"),
        (["data", "import", "genki", "x"], "data set 'genki': expected one of"),
        (["data", "import", "genki4k", "nowhere.tar"], "nowhere.tar"),
        (
            ["evaluate", "nothing", "builtin"],
            "weights 'nothing': expected a file, or one of action_units, attributes, emotion, smile",
        ),
        (["publish", "nothing"], "weights 'nothing': expected one of smile"),
        (["report", "--profile", "fast"], "profile: expected one of quick, full, got 'fast'"),
        (["report", "--only", "smiles"], "lab 'smiles': expected one of"),
        (["bench", "--model", "huge"], "model 'huge': expected one of"),
    ],
)
def test_expected_errors_are_told_without_a_traceback(arguments, line, tmp_path):
    folder = ["--data-dir", tmp_path] if arguments[0] == "data" else []
    done = labkit(*arguments, *folder, cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert line in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_bench_compares_the_two_loops_and_the_limit():
    done = labkit("bench", "--model", "smile-base", "--rounds", "1", "--precision", "float32", "--json")
    (result,) = json.loads(done.stdout)["models"]
    assert (result["model"], result["precision"], result["layout"]) == (
        "smile-base",
        "float32",
        "channels_last",
    )
    assert all(
        result[name] > 0 for name in ("images_per_second", "plain_images_per_second", "ratio", "limit_share")
    )
    assert result["matmul_share"] == result["limit_share"] and "load" in result
    refused = labkit("bench", "--precision", "bfloat16", env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"})
    assert (
        refused.returncode == 1
        and "precision 'bfloat16': this machine's cpu does not have it" in refused.stderr
    )


def test_bench_measures_a_frame_of_the_webcam_beside_haar_and_plain_models():
    result = json.loads(labkit("bench", "--webcam", "--json").stdout)
    parts = sum(result[f"{part}_ms"] for part in ("find", "classify", "draw"))
    assert (
        0 < result["webcam_ms"] <= result["slow_ms"]
        and parts > 0
        and result["plain_ms"] > 0
        and result["ratio"] > 0
    )


def test_bench_draws_faces_beside_photographs_that_are_read():
    done = labkit("bench", "--faces", "--rounds", "1", "--json")
    small, large = json.loads(done.stdout)["faces"]
    assert (small["size"], large["size"]) == (64, 96)
    assert small["faces_per_second"] > large["faces_per_second"] > 0
    assert all(row["photographs_per_second"] > 0 and row["ratio"] > 0 for row in (small, large))
    lines = labkit("bench", "--faces", "--rounds", "1").stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["built-in faces of 64x64", "built-in faces of 96x96"]


@needs_browser
def test_bench_trains_on_pictures_that_stay_on_disk():
    done = labkit("bench", "--disk", "300", "--json")
    found = json.loads(done.stdout)
    assert (
        found["pictures"] == 300
        and found["ratio"] > 0
        and found["peak_megabytes"] >= found["start_megabytes"] > 0
    )


def test_bench_times_the_widgets_beside_bare_pictures():
    rows = widgets.bench_widgets(rounds=1)["widgets"]
    assert set(rows) == {"puppet", "puppet, head", "explorer, channel", "explorer, face", "explorer, layer"}
    assert all(row["ms"] > 0 and row["bare_ms"] > 0 and row["ratio"] > 0 for row in rows.values())


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is another thing on Windows")
def test_a_report_that_is_broken_off_ends_its_kernels_and_says_one_line(tmp_path):
    shutil.copy(ROOT / "reports" / "plan.toml", tmp_path)
    shutil.copytree(ROOT / "reports" / "published", tmp_path / "published")
    command = [sys.executable, "-m", "labkit", "report", "--only", "smile", "--reports-dir", str(tmp_path)]
    command += ["--data-dir", str(tmp_path / "data")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell's background jobs ignore it, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )

    def kernels():
        children = psutil.Process(process.pid).children(recursive=True)
        return [one for one in children if "ipykernel" in str(one.cmdline())]

    end = time.time() + 120
    while not (begun := kernels()) and time.time() < end:
        time.sleep(0.2)
    assert begun
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    try:
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130 and said.endswith("labkit: broken off; what was finished is kept\n")
    assert "Traceback" not in said
    psutil.wait_procs(begun, 30)
    assert not any(one.is_running() for one in begun)


ROWS = """
    import sys
    from labkit import datasets, running, runs, synthetic
    spec = {"data": {"name": "builtin", "n": 60, "size": 32}, "split": {"kind": "random"}}
    spec |= {"model": "1x32 1x16", "targets": ["smile"]}
    config = {"epochs": int(sys.argv[2])}
    specs = [runs.RunSpec.from_dict({**spec, "config": config, "seed": seed}) for seed in range(3)]
    store = runs.Store(sys.argv[1] + "/rows", sys.argv[1] + "/runs")
    running.run_all(specs, store, progress=False)
"""


def test_killed_in_the_middle_finished_rows_are_kept(tmp_path):
    """SIGKILL after the first row; the same again finishes the others and leaves the first as it is."""
    script = tmp_path / "rows.py"
    script.write_text(textwrap.dedent(ROWS))
    command = [sys.executable, script, tmp_path, "60"]
    process = subprocess.Popen(command)
    rows = tmp_path / "rows"
    end = time.time() + 120
    while not list(rows.glob("*.json")) and time.time() < end:
        time.sleep(0.01)
    os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in rows.glob("*.json")}
    assert 1 <= len(kept) < 3, "the kill came too late to test anything"
    subprocess.run(command, check=True, timeout=300)
    after = {path.name: path.stat().st_mtime_ns for path in rows.glob("*.json")}
    assert len(after) == 3
    assert {name: after[name] for name in kept} == kept
