"""Studies: all that a file names, done once, gone on with after any stop, and told in one table."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import forked
import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.pipeline import run_study
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.config.plain_values import ConfigError
from trajstore.pipeline.judge import kept_solutions
from trajstore.pipeline.study.file import load_study
from trajstore.pipeline.study.plan import make_plan
from trajstore.pipeline.study.results import Row, summary
from trajstore.pipeline.study.table import make_table, markdown

pytestmark = pytest.mark.slow

STUDY = """
title = "Small"
seeds = [0, 1]
columns = ["vpt", "test_mse"]

[defaults]
system = { name = "van-der-pol" }
grid = { duration = 2.0, step = 0.1 }
dataset = { train = 20, validation = 4, test = 6 }
model = { hidden = 4, encoder = [4] }
training = { steps = 6, batch = 8, evaluate_every = 3 }
evaluation = { rollouts = 3, rollout_lengths = 2, baselines = ["persistence", "linear"] }

[[dataset]]
label = "clean"
config = {}
[[dataset]]
label = "written"
script = "write.py"
[[dataset]]
label = "absent"
folder = "nowhere"

[[model]]
label = "small"
[[model]]
label = "diverges"
only = ["clean"]
training = { optimizer = "sgd", learning_rate = 1e30 }
[[model]]
label = "mine"
only = ["written"]
model = { name = "mine.py:Line" }
task = { name = "forecast" }

[[published]]
dataset = "clean"
model = "theirs"
metrics = { vpt = 1.5 }
source = "doi:10.1000/182"

[quick]
seeds = [3]
training = { steps = 2 }
"""
SCRIPT = """
import sys
from trajstore.pipeline import check_config, generate
sections = {"system": {"name": "van-der-pol"}, "grid": {"duration": 2.0, "step": 0.1}}
generate(check_config({**sections, "dataset": {"train": 12, "validation": 3, "test": 5}}, "script"), sys.argv[1], 1)
"""
MINE = """
import torch
from trajstore.models import Model

class Line(Model):
    def __init__(self, input_size, output_size, *, hidden=4, encoder=()):
        super().__init__()
        self.input_size, self.output_size = input_size, output_size
        self.line = torch.nn.Linear(input_size, output_size)

    def forward(self, inputs):
        return self.line(inputs)

    def step(self, inputs, memory=None):
        return self.line(inputs), memory
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "study.toml").write_text(STUDY)
    (tmp_path / "write.py").write_text(SCRIPT)
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path / "study.toml"


def call(*arguments: object) -> tuple[int, str]:
    """In this process: workers of their own import torch anew. The test of kills has some."""
    texts = [str(argument) for argument in arguments]
    if texts[:1] == ["study"]:
        texts += ["--jobs", "1"]
    result = CliRunner().invoke(main, texts)
    return result.exit_code, result.output


def read(out: Path) -> dict:
    return json.loads((out / "results.json").read_text())


def test_a_study_is_done_told_and_not_done_again(study, tmp_path):
    out = tmp_path / "out"
    code, said = call("study", study, "--out", out)
    assert code == 1, said
    results = read(out)
    assert results["quick"] is False
    rows = {(row["dataset"], row["model"], row["kind"], row["seed"]): row for row in results["rows"]}
    assert set(rows) == {
        *(("clean", "small", "model", seed) for seed in (0, 1)),
        *(("clean", "diverges", "model", seed) for seed in (0, 1)),
        *(("written", name, "model", seed) for name in ("small", "mine") for seed in (0, 1)),
        *(
            (name, base, "baseline", None)
            for name in ("clean", "written")
            for base in ("persistence", "linear")
        ),
    }
    for key, row in rows.items():
        lost = key[1] == "diverges"
        assert (row["error"] is None) != lost
        if not lost:
            assert {"vpt", "nrmse", "finite_share"} <= row["metrics"].keys()
            assert row["floors"].keys() >= {"vpt", "nrmse"}
            assert all(np.isfinite(list(row["metrics"].values())))
    own = json.loads(next((out / "runs").glob("clean-small-seed1-*/metrics.json")).read_text())
    assert rows["clean", "small", "model", 1]["metrics"]["test_mse"] == own["test"]["mse"]
    assert rows["clean", "small", "model", 1]["metrics"]["train_mse"] == own["train"]["mse"]
    assert rows["clean", "small", "model", 1]["metrics"]["vpt"] == own["rollout"]["vpt"]
    assert rows["clean", "small", "model", 1]["seconds"]["train"] > 0
    by = {(each["dataset"], each["model"]): each for each in results["summary"]}
    pair = [rows["clean", "small", "model", seed]["metrics"]["test_mse"] for seed in (0, 1)]
    assert by["clean", "small"]["median"]["test_mse"] == pytest.approx(np.mean(pair))
    assert by["clean", "small"]["std"]["test_mse"] == pytest.approx(np.std(pair))
    assert by["clean", "small"]["runs"] == 2
    assert results["published"] == [
        {"dataset": "clean", "model": "theirs", "metrics": {"vpt": 1.5}, "source": "doi:10.1000/182"}
    ]
    assert list(results["scripts"]) == ["written"]
    table = (out / "table.md").read_text()
    assert "# Small\n" in said
    for text in (
        "absent is left out",
        "theirs (doi:10.1000/182)",
        "floor",
        "clean, diverges, seed 0 failed: the loss",
        "clean: 3 rollouts over t = 4 after 0 points of history.",
    ):
        assert text in table
    lines = list(csv.DictReader(io.StringIO((out / "results.csv").read_text())))
    assert len(lines) == len(results["rows"])
    assert float(lines[0]["test_mse"]) == results["rows"][0]["metrics"]["test_mse"]
    assert (out / "figure.png").stat().st_size > 10_000

    before = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/best.pt")}
    assert call("study", study, "--out", out)[0] == 1
    assert {path: path.stat().st_mtime_ns for path in before if "diverges" not in path.parent.name} == {
        path: time for path, time in before.items() if "diverges" not in path.parent.name
    }
    assert read(out)["rows"] == results["rows"]

    shutil.rmtree(next((out / "runs").glob("written-mine-seed0-*")))
    assert call("study", study, "--out", out, "--only", "written/mine")[0] == 0
    assert {(row["dataset"], row["model"]) for row in read(out)["rows"] if row["kind"] == "model"} == {
        ("clean", "small"),
        ("written", "small"),
        ("written", "mine"),
    }
    again = read(out)["rows"]
    assert [row["metrics"] for row in again] == [
        row["metrics"] for row in results["rows"] if row["error"] is None
    ]


def test_quick_is_another_study_and_says_so(study, tmp_path):
    out = tmp_path / "out"
    code, said = call("study", study, "--out", out, "--quick", "--only", "clean/small", "--json")
    assert code == 0, said
    results = read(out)
    assert results["quick"] is True
    assert {row["seed"] for row in results["rows"] if row["kind"] == "model"} == {3}
    assert "Quick" in (out / "table.md").read_text()
    study.write_text(STUDY.split("[quick]")[0])
    code, said = call("study", study, "--out", out, "--quick")
    assert code == 2
    assert "[quick]" in said


def test_any_key_is_varied(study, tmp_path):
    vary = """
[[vary]]
key = "training.learning_rate"
values = [0.01, 0.001]
[[vary]]
key = "grid.step"
values = [0.1, 0.2]
"""
    # What a script writes is not varied.
    begin, end = STUDY.index('[[dataset]]\nlabel = "written"'), STUDY.index("[[model]]")
    text = (STUDY[:begin] + STUDY[end:]).replace('only = ["written"]', 'only = ["clean"]')
    study.write_text(text.replace("seeds = [0, 1]", "seeds = [0]").replace("[quick]", vary + "\n[quick]"))
    results = run_study(study, tmp_path / "out", 1, only="clean/[sb]*").results
    models = [row for row in results["rows"] if row["kind"] == "model"]
    assert [row["varied"] for row in models] == [
        {"training.learning_rate": rate, "grid.step": step} for rate in (0.01, 0.001) for step in (0.1, 0.2)
    ]
    assert len({row["metrics"]["test_mse"] for row in models}) == 4
    assert len(list((tmp_path / "out" / "datasets").iterdir())) == 2, "a dataset is made once"
    baselines = [(row["model"], row["varied"]) for row in results["rows"] if row["kind"] == "baseline"]
    assert baselines == [
        (name, {"grid.step": step}) for step in (0.1, 0.2) for name in ("persistence", "linear")
    ], "how networks are trained is nothing to them"
    floors = [line for line in (tmp_path / "out" / "table.md").read_text().splitlines() if "floor" in line]
    assert [line.split("|")[1].split()[-1] for line in floors] == ["grid.step=0.1", "grid.step=0.2"]
    assert len(results["summary"]) == 4 + 4


def test_a_model_has_seeds_of_its_own(study, tmp_path):
    study.write_text(STUDY.replace('label = "small"\n', 'label = "small"\nseeds = [3, 5, 7]\n'))
    runs = make_plan(load_study(study), study, tmp_path / "out", quick=False).runs
    assert [job.seed for job in runs if (job.dataset.label, job.model) == ("clean", "small")] == [3, 5, 7]
    assert [job.seed for job in runs if job.model == "diverges"] == [0, 1]


def test_baselines_are_judged_alone_as_they_are_beside_a_network(study, tmp_path):
    text = STUDY.split("[[model]]")[0]
    study.write_text(text.replace("seeds = [0, 1]", "seeds = [0]"))
    out = tmp_path / "out"
    code, said = call("study", study, "--out", out, "--only", "clean/*")
    assert code == 0, said
    rows = read(out)["rows"]
    assert [(row["kind"], row["model"]) for row in rows] == [
        ("baseline", "persistence"),
        ("baseline", "linear"),
    ]
    data, config = next((out / "datasets").glob("clean-*")), tmp_path / "config.toml"
    config.write_text(STUDY.split("[defaults]")[1].split("[[dataset]]")[0])
    assert call("train", config, "--data", data, "--out", tmp_path / "run")[0] == 0
    assert call("evaluate", tmp_path / "run")[0] == 0
    beside = json.loads((tmp_path / "run" / "metrics.json").read_text())["rollout"]
    for row in rows:
        theirs = beside["baselines"][row["model"]]
        assert row["metrics"] == {name: theirs[name] for name in row["metrics"]}
        assert row["floors"] == {name: beside["floors"][name] for name in row["floors"]}
        assert row["metrics"].keys() >= {"vpt", "nrmse", "smape"}


def test_baselines_of_rows_that_are_too_short_are_left_out_with_the_reason(study, tmp_path):
    study.write_text(STUDY.replace("seeds = [0, 1]", "seeds = [0]"))
    text = study.read_text().replace("rollouts = 3,", "rollouts = 3, warmup = 500,")
    study.write_text(text)
    code, said = call("study", study, "--out", tmp_path / "out", "--only", "clean/[sb]*")
    assert code == 0, said
    assert (
        read(tmp_path / "out")["left_out"]["clean/baselines"]
        == "its test rows are too short for a rollout, or its task has none"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[[dataset]]", "[[datasets]]"), "datasets: unknown key"),
        (('label = "written"', 'label = "clean"'), "twice"),
        (('only = ["written"]', 'only = ["writen"]'), "writen"),
        (('label = "small"', 'label = "a/b"'), "letters, digits"),
        (("hidden = 4", "hidden = -4"), "hidden"),
        (("training = { steps = 6", "training = { stepz = 6"), "stepz"),
        (('folder = "nowhere"', 'folder = "nowhere"\nscript = "write.py"'), "folder and script"),
        (("seeds = [0, 1]", "seeds = []"), "seeds"),
        (("[quick]", '[[vary]]\nkey = "trainin.steps"\nvalues = [1]\n[quick]'), "trainin"),
        (("title", "titel"), "titel"),
        (('label = "small"', 'label = "baselines"'), "choose another label"),
        (("config = {}", "config = 5"), "dataset.0.config: got 5, expected a valid string\n"),
        (("config = {}", "folder = []"), "dataset.0.folder: got [], expected at least 1 entries\n"),
        (("[[published]]", "[published]"), "expected a list of tables, each with the head [[published]]"),
        (("[quick]", '[[vary]]\nkey = "steps"\nvalues = [1]\n[quick]'), "as training.steps"),
        (('label = "small"', 'label = "small"\nevaluation = { baselines = ["mean"] }'), "[defaults]"),
        (("[quick]", '[[vary]]\nkey = "grid.step"\nvalues = [0.1]\n[quick]'), "is made without a config"),
        (("[quick]", '[[vary]]\nkey = "training.seed"\nvalues = [1]\n[quick]'), "`seeds`"),
        (("seeds = [0, 1]", "seeds = [0, 0]"), "is there twice"),
        (('dataset = "clean"', 'dataset = "cleen"'), "cleen"),
        (("seeds = [3]", "seeds = 3"), "quick.seeds"),
        (("seeds = [3]", "values = 0"), "quick.values"),
        (("training = { steps = 2 }", "trainig = { steps = 2 }"), "trainig"),
        (("training = { steps = 2 }", "training = 2"), "quick.training: got 2, expected a table"),
        (("model = { hidden = 4, encoder = [4] }", 'model = "gru"'), "defaults.model: got 'gru'"),
        (('"linear"]', '"linaer"]'), "defaults: evaluation.baselines: got 'linaer'"),
        (
            ('label = "small"', 'label = "small"\nevaluation = { metrics = ["d_stp"] }'),
            "Did you mean d_stsp?",
        ),
    ],
)
def test_a_bad_file_ends_with_2_before_anything_is_made(change, said, study, tmp_path):
    study.write_text(STUDY.replace(*change))
    code, output = call("study", study, "--out", tmp_path / "out")
    assert code == 2
    assert said in output
    assert not (tmp_path / "out").exists()
    assert call("study", tmp_path / "none.toml", "--out", tmp_path / "out")[0] == 2


def test_a_study_of_which_all_is_left_out_is_no_empty_table(study, tmp_path):
    study.write_text(STUDY.replace("config = {}", 'config = "own.toml"').replace("write.py", "wriet.py"))
    code, output = call("study", study, "--out", tmp_path / "out")
    assert code == 2
    for absent in (
        "clean is left out: own.toml is",
        "written is left out: wriet.py is",
        "nowhere is not there",
    ):
        assert absent in output
    assert not (tmp_path / "out").exists()


def test_a_quick_refinement_is_for_models_that_have_one(study, tmp_path):
    text = STUDY.replace('label = "small"', 'label = "small"\nrefinement = { steps = 40 }')
    study.write_text(text.replace("[quick]", "[quick]\nrefinement = { steps = 1 }"))
    for quick, expected in ((True, {"small": 1, "diverges": 0}), (False, {"small": 40, "diverges": 0})):
        runs = make_plan(load_study(study), study, tmp_path / "out", quick=quick).runs
        steps = {job.model: job.config.refinement.steps for job in runs if job.dataset.label == "clean"}
        assert {model: steps[model] for model in expected} == expected


@pytest.mark.parametrize(
    ("own", "has"),
    [
        ('{ name = "gru" }', {"hidden": 4, "encoder": [4]}),
        ('{ name = "gru", hidden = 7 }', {"hidden": 7, "encoder": [4]}),
        ('{ name = "lru" }', {"hidden": 4, "states": 32}),
        ('{ name = "reservoir" }', {"units": 300}),
        # Widths of layers, and no size of a state.
        ('{ name = "mlp" }', {"hidden": [32, 32]}),
        ('{ name = "mine.py:Line" }', {}),
    ],
)
def test_what_the_defaults_say_of_a_model_holds_for_every_one_that_has_such_a_setting(
    own, has, study, tmp_path
):
    text = STUDY.replace(
        'label = "small"\n', f'label = "small"\ntask = {{ name = "forecast" }}\nmodel = {own}\n', 1
    )
    study.write_text(text)
    plan = make_plan(load_study(study), study, tmp_path / "out", quick=False)
    (model,) = {str(job.config.model.model_dump()) for job in plan.runs if job.model == "small"}
    stated = plan.runs[0].config.model.model_dump()
    assert model == str(stated)
    assert {key: stated[key] for key in has} == has
    assert ("hidden" in stated) == ("hidden" in has)


def test_a_pattern_takes_seeds_apart(study, tmp_path):
    plan = make_plan(load_study(study), study, tmp_path / "out", quick=False)
    for pattern, expected in (
        ("clean/small", {("small", 0), ("small", 1)}),
        ("clean/small/seed1", {("small", 1)}),
        ("clean/*/seed0", {("small", 0), ("diverges", 0)}),
        ("clean/baselines", {("baselines", None)}),
    ):
        assert {(job.model, job.seed) for job in plan.only(pattern).runs} == expected


def test_a_column_that_no_run_has_is_told(study, tmp_path):
    study.write_text(STUDY.replace('"test_mse"]', '"test_mes"]'))
    code, said = call("study", study, "--out", tmp_path / "out", "--only", "clean/small/seed0")
    assert code == 0, said
    assert "No run has test_mes, which is among the columns." in said


def test_a_pattern_that_matches_nothing_is_refused(study, tmp_path):
    with pytest.raises(ConfigError, match="matches no DATASET/MODEL"):
        run_study(study, tmp_path / "out", only="clan/*")


def test_a_run_that_fails_in_any_way_stops_no_other(study, tmp_path):
    (tmp_path / "mine.py").write_text(
        MINE.replace("return self.line(inputs), memory", "raise KeyError('lost')")
    )
    code, said = call("study", study, "--out", tmp_path / "out", "--only", "written/*")
    assert code == 1, said
    errors = {row["model"]: row["error"] for row in read(tmp_path / "out")["rows"] if row["kind"] == "model"}
    assert errors == {"small": None, "mine": "KeyError: 'lost'"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("mine.py:Line", "mine.py:Lime", "mine.py has no 'Lime'; it has Line"),
        ("mine.py:Line", "yours.py:Line", "yours.py cannot be read"),
        ('baselines = ["persistence", "linear"]', 'metrics = ["mine.py:Worst"]', "has no 'Worst'"),
        ('baselines = ["persistence", "linear"]', 'metrics = ["mine.py:Line"]', "derived from Metric"),
        ('baselines = ["persistence", "linear"]', 'baselines = ["mine.py:Base"]', "has no 'Base'"),
        ('baselines = ["persistence", "linear"]', 'figures = ["mine.py:draw"]', "has no 'draw'"),
    ],
)
def test_code_that_is_not_there_is_told_before_anything_is_made(study, tmp_path, old, new, said):
    assert STUDY.count(old) == 1
    study.write_text(STUDY.replace(old, new))
    code, told = call("study", study, "--out", tmp_path / "out")
    assert code == 2
    assert said in told
    assert not (tmp_path / "out").exists()


def test_runs_share_what_rows_truly_do(study, tmp_path, monkeypatch):
    call("study", study, "--out", tmp_path / "plain", "--only", "clean/small")
    monkeypatch.setattr(kept_solutions, "WORTH_KEEPING", 0.0)
    out = tmp_path / "out"
    kept = {}
    for seed in (0, 1):
        call("study", study, "--out", out, "--only", f"clean/small/seed{seed}")
        found = {path: path.stat().st_mtime_ns for path in out.glob("truth/*.npz")}
        assert found
        assert kept in ({}, found)
        kept = found
    names = [row["metrics"] for row in read(out)["rows"] if row["kind"] == "model"]
    plain = [row["metrics"] for row in read(tmp_path / "plain")["rows"] if row["kind"] == "model"]
    assert names == plain
    assert len(names) == 2


def test_what_is_judged_otherwise_is_not_trained_anew(study, tmp_path):
    out = tmp_path / "out"
    call("study", study, "--out", out, "--only", "clean/small")
    before = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/last.pt")}
    study.write_text(STUDY.replace("rollouts = 3", "rollouts = 4"))
    call("study", study, "--out", out, "--only", "clean/small")
    assert {path: path.stat().st_mtime_ns for path in out.glob("runs/*/last.pt")} == before
    for path in before:
        assert json.loads((path.parent / "metrics.json").read_text())["rollout"]["trajectories"] == 4


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_study_resumes_to_the_same_table(sign, study, tmp_path):
    study.write_text(STUDY.replace("steps = 6", "steps = 150"))
    command = [Path(sys.executable).with_name("trajstore"), "study", study, "--only", "*/small", "--out"]
    workers = "2" if sign is signal.SIGKILL else "1"
    run = forked.Popen([*command, tmp_path / "killed", "--jobs", workers], stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob("killed/runs/*/last.pt")):
        assert run.poll() is None, "it ended before it was killed"
        time.sleep(0.05)
    run.send_signal(sign)
    run.wait()
    # Workers look for their parent five times a second.
    time.sleep(1.0)
    assert not (tmp_path / "killed/results.json").exists()
    for out in ("killed", "whole"):
        done = forked.run([*command, tmp_path / out, "--jobs", "1"])
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "killed/table.md").read_text() == (tmp_path / "whole/table.md").read_text()
    for rows in zip(read(tmp_path / "killed")["rows"], read(tmp_path / "whole")["rows"], strict=True):
        one, other = ({key: value for key, value in row.items() if key != "seconds"} for row in rows)
        assert one == other


def worker_of(parent: int) -> int:
    """A process that joblib has started to train."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return next(
        int(child) for child in children if b"popen_loky" in Path(f"/proc/{child}/cmdline").read_bytes()
    )


@pytest.mark.parametrize(
    ("jobs", "sign"),
    [
        (1, signal.SIGINT),
        (2, signal.SIGINT),
        pytest.param(
            2,
            signal.SIGKILL,
            marks=pytest.mark.skipif(sys.platform != "linux", reason="looks for workers in /proc"),
        ),
    ],
)
def test_a_study_that_is_stopped_tells_of_the_runs_that_have_ended(jobs, sign, study, tmp_path):
    long = '[[model]]\nlabel = "long"\nonly = ["clean"]\ntraining = { steps = 1000000 }\n'
    study.write_text(STUDY.replace("[[published]]", long + "[[published]]"))
    out = tmp_path / "out"
    command = [
        Path(sys.executable).with_name("trajstore"),
        "study",
        study,
        "--out",
        out,
        "--only",
        "clean/[sl]*",
    ]
    run = forked.Popen(
        [*command, "--jobs", str(jobs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    deadline = time.monotonic() + 120
    while len(list(out.glob("runs/*/result.json"))) < 2 or not list(out.glob("runs/*-long-*/metrics.jsonl")):
        assert run.poll() is None, "it ended before it was interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if sign is signal.SIGKILL:
        os.kill(worker_of(run.pid), sign)
    else:
        # As a terminal does it: to the workers, too.
        os.killpg(run.pid, sign)
    said, errors = run.communicate(timeout=60)
    every = 2 + 2 + 2 + 1 + 2 + 2 + 1
    kept = f"; 2 of {every} runs have ended, and are in {out}/table.md; the same command goes on from here"
    code, end = (130, f"trajstore: interrupted{kept}")
    if sign is signal.SIGKILL:
        code, end = 2, f"was killed, perhaps for want of memory{kept}, perhaps with fewer --jobs"
    assert (run.returncode, said) == (code, ""), errors
    assert "Traceback" not in errors
    assert errors.rstrip().endswith(end)
    results = read(out)
    assert results["runs"] == {"ended": 2, "of": every}
    assert [(row["model"], row["seed"], row["error"]) for row in results["rows"]] == [
        ("small", 0, None),
        ("small", 1, None),
    ]
    table = (out / "table.md").read_text()
    assert f"# Small\n\nUnfinished: 2 of {every} runs have ended.\n" in table
    assert "| small | 2 |" in table
    assert "long" not in table
    assert len((out / "results.csv").read_text().splitlines()) == 3
    assert (out / "figure.png").stat().st_size > 10_000
    curves = {path: path.stat().st_size for path in out.glob("runs/*-long-*/metrics.jsonl")}
    time.sleep(1.0)
    assert {path: path.stat().st_size for path in curves} == curves, "nobody works on"


def test_runs_are_compared(study, tmp_path):
    out = tmp_path / "out"
    call("study", study, "--out", out, "--only", "*/[sm]*")
    small = sorted((out / "runs").glob("clean-small-*"))
    # A study judges baselines once a dataset, not beside each run.
    assert call("evaluate", small[0], "--set", 'evaluation.baselines=["persistence"]')[0] == 0
    code, said = call("compare", *small)
    assert code == 0, said
    assert "| lstm | 2 |" in said
    assert "| persistence |" in said
    assert "| floor" in said
    rows = list(csv.DictReader(io.StringIO(call("compare", *small, "--csv")[1])))
    assert [row["kind"] for row in rows].count("model") == 2
    found = json.loads(call("compare", *small, "--json")[1])
    assert [each["runs"] for each in found["summary"] if each["kind"] == "model"] == [2]
    code, said = call("compare", *small, "--column", "nrmse", "--figure", tmp_path / "compared.png")
    assert code == 0, said
    assert "| nrmse |" in said
    assert (tmp_path / "compared.png").is_file()
    assert call("compare", *small, "--column", "vtp")[0] == 2
    assert call("compare", *small, "--figure", tmp_path / "compared.pdf") == (
        2,
        f"trajstore: {tmp_path / 'compared.pdf'}: figures are PNG files; give it a name that ends in .png\n",
    )
    found = json.loads(call("compare", small[0], small[0], "--json")[1])
    assert [each["runs"] for each in found["summary"] if each["kind"] == "model"] == [1], "it is one run"
    assert "3 rollouts over t = 4 after 0 points of history" in call("compare", *small)[1]
    for damaged in ("[]", "{}", '{"dataset": {"id": "a"}}'):
        (small[1] / "metrics.json").write_text(damaged)
        code, said = call("compare", *small)
        assert code == 2
        assert "evaluate it again" in said
    assert call("compare", tmp_path)[0] == 2
    assert call("compare")[0] == 2


def test_the_best_is_marked_and_a_median_is_of_all_seeds_or_none():
    def row(model, kind="model", seed=0, floors=None, **metrics):
        return Row("d", model, kind, seed, {}, metrics, floors or {}, {"train": None, "evaluate": None})

    rows = [
        row("a", seed=0, vpt=1.0, d_h=0.5, floors={"vpt": 9.0, "d_h": 0.01}),
        row("a", seed=1, vpt=3.0),
        row("b", "baseline", None, vpt=1.5, d_h=0.2),
    ]
    found = summary(rows)
    assert found[0]["median"] == {"vpt": 2.0}
    table = markdown(make_table(rows, found, columns=["vpt", "d_h"]))
    assert "| a | 2 | **2 ± 1** | - |" in table
    assert "| b |  | 1.5 | 0.2 |" in table
    assert "| floor: another true trajectory |  | 9 | 0.01 |" in table


def test_errors_of_finite_rollouts_alone_are_not_the_best_also_where_one_seed_of_three_lost_some():
    def row(model, seed, finite_share, nrmse):
        metrics = {"finite_share": finite_share, "nrmse": nrmse, "vpt": 1 / nrmse}
        return Row("d", model, "model", seed, {}, metrics, {}, {"train": None, "evaluate": None})

    rows = [row("a", seed, *of) for seed, of in enumerate([(1.0, 0.5), (0.1, 0.4), (1.0, 0.3)])]
    rows += [row(name, seed, 1.0, 0.6) for name in "bc" for seed in range(3)]
    lines = {line.label: line.best for line in make_table(rows, summary(rows)).datasets["d"]}
    assert "vpt" in lines["a"]
    assert "nrmse" not in lines["a"]
    assert "nrmse" in lines["b"]


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[3] / "studies").glob("*.toml")), ids=lambda path: path.stem
)
@pytest.mark.parametrize("quick", [False, True])
def test_our_studies_are_what_they_should_be(path, quick, tmp_path):
    study = load_study(path)
    if any(str(value).startswith("dysts:") for each in study.vary for value in each.values):
        pytest.importorskip("dysts")
    plan = make_plan(study, path, tmp_path / "out", quick=quick)
    assert plan.runs
    assert not plan.left_out
