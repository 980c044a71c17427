"""The commands: what they print, and how each kind of bad input ends."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import forked
import h5py
import pytest
from click.testing import CliRunner
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.learn.selection import Selection
from trajstore.pipeline.runs.curve import read_curve

ROOT = Path(__file__).parents[3]
QUICK = str(ROOT / "configs/quick.toml")
SMALL = [
    "--set",
    "dataset.train=60",
    "--set",
    "dataset.validation=20",
    "--set",
    "dataset.test=20",
    "--set",
    "training.steps=20",
    "--set",
    "training.batch=16",
    "--set",
    "training.evaluate_every=10",
    "--set",
    "evaluation.rollouts=3",
    "--set",
    "evaluation.rollout_lengths=12",
]


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A dataset and a run that went through every command."""
    folder = tmp_path_factory.mktemp("cli")
    data, out = folder / "dataset", folder / "run"
    for arguments in (
        ("generate", QUICK, "--out", data, *SMALL),
        ("train", QUICK, "--data", data, "--out", out, *SMALL),
        ("evaluate", out),
        ("plot", out),
    ):
        result = run(*arguments)
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def workspace(trained, tmp_path):
    """A copy of it that a test may damage."""
    return Path(shutil.copytree(trained, tmp_path / "copy"))


@pytest.mark.slow
def test_a_run_leaves_metrics_and_figures(trained):
    metrics = json.loads((trained / "run/metrics.json").read_text())
    assert metrics["test"]["trajectories"] == 20
    assert {"zero", "persistence", "linear", "cubic"} <= set(metrics["baselines"])
    assert {path.name for path in (trained / "run/figures").iterdir()} == {
        f"{name}.png" for name in ("flow", "loss", "error", "rollout", "predictors", "growth")
    }


@pytest.mark.slow
def test_info_gives_json_with_the_promised_keys(trained):
    facts = json.loads(run("info", trained / "dataset", "--json").output)
    assert facts["splits"]["train"]["trajectories"] == 60
    assert facts["splits"]["test"]["failed"] == 0
    assert facts["system"]["name"] == "van-der-pol"
    assert len(facts["id"]) == 64
    assert facts["bytes"] == sum(path.stat().st_size for path in (trained / "dataset").glob("*.h5"))


def test_info_of_a_dataset_and_of_one_shard_are_for_people_too(trained):
    for path in (trained / "dataset", trained / "dataset/train-00000.h5"):
        result = run("info", path)
        assert result.exit_code == 0
        assert "mu*(1 - x1**2)*x2 - x1" in result.output
        # A shard does not know its dataset's id.
        assert result.output.splitlines()[1].startswith("id " if path.is_dir() else "content ")


def test_info_notes_shards_that_are_not_whole(workspace):
    assert "note" not in run("info", workspace / "dataset").stderr
    path = workspace / "dataset/train-00000.h5"
    path.write_bytes(path.read_bytes()[:-1])
    (workspace / "dataset/test-00000.h5").unlink()
    result = run("info", workspace / "dataset", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["splits"]["test"]["shards"] == 1
    assert "note: 2 of " in result.stderr
    assert "the first is train-00000.h5; see `trajstore verify`" in result.stderr


@pytest.mark.slow
def test_systems_lists_the_library_and_shows_one():
    assert "van-der-pol" in run("systems").output
    assert r"\dot{x_{1}} = x_{2}" in run("systems", "van-der-pol").output
    facts = json.loads(run("systems", "van-der-pol", "--json").output)
    assert facts["equations"] == {"x1": "x2", "x2": "mu*(1 - x1**2)*x2 - x1"}
    listed = [system["name"] for system in json.loads(run("systems", "--json").output)]
    assert {"van-der-pol", "lorenz", "pendulum"} <= set(listed)
    assert [line.split()[0] for line in run("systems").output.splitlines()] == listed


@pytest.mark.slow
def test_verify_of_a_sound_dataset_exits_with_0(trained):
    result = run("verify", trained / "dataset", "--reintegrate", 5)
    assert result.exit_code == 0
    assert "5 rows integrated again by DOP853" in result.output


def test_verify_of_a_damaged_dataset_exits_with_1_and_a_line_a_problem(workspace):
    (workspace / "dataset/test-00000.h5").unlink()
    (workspace / "dataset/more.txt").write_text("?")
    result = run("verify", workspace / "dataset")
    assert result.exit_code == 1
    assert "test-00000.h5: missing. Fetch it again" in result.stdout
    assert "more.txt: no part of this dataset\n" in result.stdout


def test_train_a_second_time_does_nothing(workspace):
    before = (workspace / "run/best.pt").read_bytes(), (workspace / "run/best.pt").stat().st_mtime_ns
    result = run("train", QUICK, "--data", workspace / "dataset", "--out", workspace / "run", *SMALL)
    assert result.exit_code == 0
    assert (
        (workspace / "run/best.pt").read_bytes(),
        (workspace / "run/best.pt").stat().st_mtime_ns,
    ) == before


@pytest.mark.slow
def test_a_run_and_its_dataset_can_be_moved_together(workspace):
    result = run("evaluate", workspace / "run")
    assert result.exit_code == 0


BAD_CONFIGS = {
    "unknown section": ("[sistem]\n", "sistem: unknown key; known here are system, grid"),
    "unknown key": ("[grid]\nlength = 3\n", "grid.length: unknown key; known here are duration, step"),
    "wrong type": ("[training]\nsteps = 'many'\n", "training.steps: got 'many'"),
    "a number too small": ("[training]\nlearning_rate = -1.0\n", "training.learning_rate: got -1.0"),
    "no such choice": ("[model]\nname = 'perceptron'\n", "model.name: got 'perceptron'"),
    "no such system": ("[system]\nname = 'lorentz'\n", "no system 'lorentz' in the library"),
    "no such parameter": ("[system]\nname='van-der-pol'\nparameters={nu=1.0}\n", "system.parameters.nu"),
    "unparsable equation": (
        "[system]\nname='own'\nequations={x='-x +'}\ninitial_state={x=[0.0,1.0]}\n",
        "equation of x: '-x +' is no expression",
    ),
    "hostile equation": (
        "[system]\nname='own'\nequations={x='__import__(\"os\").getcwd()'}\ninitial_state={x=[0.0,1.0]}\n",
        "is no call allowed here",
    ),
    "no TOML": ("[grid\n", "is no TOML"),
}
GOOD = {
    "system": "[system]\nname = 'van-der-pol'\n",
    "grid": "[grid]\nduration = 2.0\nstep = 0.1\n",
    "dataset": "[dataset]\ntrain = 10\n",
}


@pytest.mark.parametrize("name", BAD_CONFIGS)
@pytest.mark.parametrize("stage", ["generate", "train"])
def test_a_bad_config_is_one_clear_message_and_touches_nothing(stage, name, tmp_path):
    text, message = BAD_CONFIGS[name]
    sections = [part for key, part in GOOD.items() if not text.startswith(f"[{key}")]
    config = tmp_path / "config.toml"
    config.write_text(text + "".join(sections))
    out = tmp_path / "out"
    extra = ["--data", tmp_path / "data"] if stage == "train" else []
    ends_in_2(run(stage, config, "--out", out, *extra), message, "config.toml")
    assert not out.exists()


def ends_in_2(result, *messages):
    """One clear message on stderr, exit code 2, no traceback, nothing on stdout."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("trajstore: ")
    for message in messages:
        assert message in result.stderr


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.stepz=3", "training.stepz: unknown key"),
        ("training.steps=fast", "training.steps: got 'fast'"),
        ("training", "expected key.path=value"),
        ("system.name.x=3", "name is no section"),
        ("grid.step=0.3", "grid: step 0.3 does not divide duration 2.0"),
    ],
)
def test_a_bad_override_is_an_error_that_names_it(override, message, tmp_path):
    ends_in_2(run("generate", QUICK, "--out", tmp_path / "out", "--set", override), message)
    assert not (tmp_path / "out").exists()


def test_a_missing_config_is_an_error(tmp_path):
    ends_in_2(run("generate", tmp_path / "none.toml", "--out", tmp_path / "out"), "no such config file")


@pytest.mark.parametrize("command", ["verify", "info"])
@pytest.mark.parametrize(
    "kind", ["missing", "empty folder", "text file", "other HDF5 file", "truncated shard"]
)
def test_a_path_that_is_no_dataset_is_an_error(command, kind, tmp_path, trained):
    path = tmp_path / "path.h5"
    if kind == "empty folder":
        path.mkdir()
    elif kind == "text file":
        path.write_text("hello")
    elif kind == "other HDF5 file":
        with h5py.File(path, "w") as file:
            file["data"] = [1.0]
    elif kind == "truncated shard":
        whole = (trained / "dataset/train-00000.h5").read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    ends_in_2(run(command, path), str(path))


@pytest.mark.parametrize("damage", ["no manifest", "no JSON", "other version", "truncated shard"])
def test_training_on_a_damaged_dataset_is_an_error_and_leaves_no_run(damage, workspace, tmp_path):
    data, out = workspace / "dataset", tmp_path / "out"
    manifest = data / "manifest.json"
    text = manifest.read_text()
    if damage == "no manifest":
        manifest.unlink()
    elif damage == "no JSON":
        manifest.write_text(text[:-30])
    elif damage == "other version":
        manifest.write_text(text.replace('"format_version": 1', '"format_version": 2'))
    else:
        shard = data / "train-00000.h5"
        shard.write_bytes(shard.read_bytes()[:-5000])
    ends_in_2(run("train", QUICK, "--data", data, "--out", out, *SMALL), str(data))
    assert not out.exists()


def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_was(tmp_path, contents, trained):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    before = contents(mine)
    for flags in ([], ["--overwrite"]):
        ends_in_2(run("generate", QUICK, "--out", mine, *SMALL, *flags), "thesis.tex")
        data = trained / "dataset"
        ends_in_2(run("train", QUICK, "--data", data, "--out", mine, *SMALL, *flags), str(mine))
    assert contents(mine) == before


def test_another_configs_dataset_or_run_is_kept_unless_overwritten(workspace, contents):
    data, out = workspace / "dataset", workspace / "run"
    before = contents(data), contents(out)
    other = [*SMALL, "--set", "dataset.seed=7"]
    ends_in_2(run("generate", QUICK, "--out", data, *other), "--overwrite")
    other = [*SMALL, "--set", "model.hidden=3"]
    ends_in_2(run("train", QUICK, "--data", data, "--out", out, *other), "--overwrite")
    assert (contents(data), contents(out)) == before
    assert run("train", QUICK, "--data", data, "--out", out, *other, "--overwrite").exit_code == 0
    assert not (out / "metrics.json").exists()


def test_a_smaller_dataset_is_kept_unless_overwritten(workspace, contents):
    data = workspace / "dataset"
    before = contents(data)
    fewer = [*SMALL, "--set", "dataset.train=30"]
    ends_in_2(
        run("generate", QUICK, "--out", data, *fewer), "more rows than this config asks for", "--overwrite"
    )
    assert contents(data) == before
    assert run("generate", QUICK, "--out", data, *fewer, "--overwrite").exit_code == 0
    assert json.loads(run("info", data, "--json").output)["splits"]["train"]["trajectories"] == 30


def test_values_near_the_end_of_double_precision_make_a_dataset_that_opens(tmp_path):
    config = tmp_path / "growth.toml"
    config.write_text(
        "[system]\nname='growth'\nequations={x='x'}\ninitial_state={x=[1.0,2.0]}\n"
        "[grid]\nduration=400.0\npoints=5\n[dataset]\ntrain=20\ndtype='float64'\n"
    )
    assert run("generate", config, "--out", tmp_path / "data").exit_code == 0
    assert run("verify", tmp_path / "data").exit_code == 0
    largest = json.loads(run("info", tmp_path / "data", "--json").output)["splits"]["train"]["statistics"]
    assert 1e173 < largest["std"][0] < 1e174


@pytest.mark.parametrize("attribute", ["config", "system"])
def test_a_shard_whose_attributes_hold_no_json_is_an_error_of_info(attribute, workspace):
    path = workspace / "dataset/test-00000.h5"
    with h5py.File(path, "r+") as file:
        file.attrs[attribute] = "{"
    ends_in_2(run("info", path), f"attribute '{attribute}' is no JSON object")


def test_an_output_path_that_is_a_file_is_an_error(tmp_path, trained):
    (tmp_path / "file").write_text("mine")
    ends_in_2(run("generate", QUICK, "--out", tmp_path / "file", *SMALL), "is a file; expected a folder")
    data = trained / "dataset"
    ends_in_2(run("train", QUICK, "--data", data, "--out", tmp_path / "file", *SMALL), "is a file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("command", ["evaluate", "plot"])
def test_a_path_that_is_no_run_is_an_error(command, tmp_path):
    ends_in_2(run(command, tmp_path), "no run: config.json is missing")
    said = (
        "no run: config.json is missing"
        if command == "evaluate"
        else "expected that of a run or of a dataset"
    )
    ends_in_2(run(command, tmp_path / "none"), f"none: no such folder; {said}")


@pytest.mark.parametrize(
    "command", [["evaluate"], ["plot"], ["view"], ["compare"], ["track", "--to", "tensorboard"]]
)
def test_a_config_is_no_run(command, tmp_path):
    path = tmp_path / "pendulum.toml"
    path.write_text("[system]")
    ends_in_2(run(*command, path), f"{path}: is a config; expected the folder of a run")


@pytest.mark.parametrize(
    "command", ["info {}", "verify {}", "select {} --rows 1:2 --out out", "merge {} {} --out out"]
)
def test_what_is_no_dataset_is_named(command, tmp_path, dataset_copy, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, cut = tmp_path / "pendulum.toml", dataset_copy / "test-00000.h5"
    path.write_text("[system]")
    said = f"{path}: is a config; expected a dataset. `trajstore generate {path} --out DIR`"
    ends_in_2(run(*command.format(path, path).split()), said)
    path = path.rename(tmp_path / "notes.txt")
    ends_in_2(run(*command.format(path, path).split()), f"{path}: is no HDF5 file; expected a shard")
    cut.write_bytes(cut.read_bytes()[:3000])
    ends_in_2(run(*command.format(cut, cut).split()), "cannot be read as HDF5", "truncated")


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_a_shard_is_no_run(command, dataset_copy):
    path = dataset_copy / "test-00000.h5"
    ends_in_2(run(command, path), "is a shard of a dataset; expected the folder of a run")


def test_a_dataset_is_no_place_for_a_run(dataset_copy):
    before = sorted(dataset_copy.iterdir())
    arguments = ("train", QUICK, "--data", dataset_copy, "--out", dataset_copy)
    for more in ((), ("--resume",), ("--overwrite",)):
        ends_in_2(run(*arguments, *more), "holds a dataset", "choose another")
    assert sorted(dataset_copy.iterdir()) == before


def test_measured_rows_with_gaps_lack_values_and_did_not_fail(tmp_path):
    rows = [f"{k},{t},{'' if (k, t) == (1, 3) else k + t * t}" for k in range(4) for t in range(6)]
    (tmp_path / "a.csv").write_text("\n".join(["run,time,x", *rows]) + "\n")
    data = tmp_path / "dataset"
    shares = ("--validation", 0, "--test", 0)
    imported = run("import", tmp_path / "a.csv", "--out", data, "--trajectory", "run", *shares)
    assert imported.exit_code == 0, imported.output
    (tmp_path / "config.toml").write_text("[model]\nhidden = 2\n[training]\nsteps = 2\nbatch = 2\n")
    trained = run("train", tmp_path / "config.toml", "--data", data, "--out", tmp_path / "run")
    assert "train: 1 of 4 trajectories lack values and are left out" in trained.stderr
    for result in (trained, run("info", data)):
        assert "integrate" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["plot", "none"],
        ["evaluate", "none"],
        ["verify", "none"],
        ["verify", "none", "--repair"],
        ["info", "none"],
        ["train", str(QUICK), "--data", "none", "--out", "run"],
        ["merge", "none", "other", "--out", "new"],
        ["select", "none", "--out", "new"],
        ["export", "none", "--format", "csv", "--out", "new"],
        ["fetch", "none", "new"],
    ],
)
def test_a_folder_that_is_not_there_is_called_one(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    ends_in_2(result, "none: no", "no such folder")
    assert result.stderr.count("no such") == 1
    assert "there is no" not in result.stderr


@pytest.mark.slow
def test_each_later_stage_says_which_stage_is_missing(workspace):
    out = workspace / "run"
    (out / "metrics.json").unlink()
    ends_in_2(run("plot", out), "metrics.json is missing; run `trajstore evaluate")
    # Of a training that something stopped the best weights so far are taken.
    (out / "training.json").unlink()
    result = run("evaluate", out)
    assert (result.exit_code, "training has not ended, 20 steps are done" in result.stdout) == (0, True)
    assert (out / "metrics.json").is_file()
    assert run("plot", out).exit_code == 0
    (out / "best.pt").unlink()
    ends_in_2(run("evaluate", out), "best.pt: missing; train first")


def test_a_dataset_that_is_gone_or_of_other_components_is_an_error_of_evaluate(workspace, failing_dataset):
    out = workspace / "run"
    ends_in_2(run("evaluate", out, "--data", failing_dataset), "no test trajectories")
    shutil.rmtree(workspace / "dataset")
    ends_in_2(run("evaluate", out, "--data", workspace / "dataset"), "no dataset")


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 not a checkpoint", None])
def test_a_damaged_checkpoint_is_an_error(damage, workspace):
    best = workspace / "run/best.pt"
    best.write_bytes(best.read_bytes()[:700] if damage is None else damage)
    ends_in_2(run("evaluate", workspace / "run"), "best.pt: cannot be read as a checkpoint")


def test_a_checkpoint_that_would_run_code_is_refused(workspace, tmp_path):
    import torch

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "hacked",))

    torch.save({"model": Evil()}, workspace / "run/best.pt")
    ends_in_2(run("evaluate", workspace / "run"), "best.pt")
    assert not (tmp_path / "hacked").exists()


def test_a_generation_tells_one_speed(tmp_path):
    said = run("generate", QUICK, "--out", tmp_path / "d", *SMALL).stderr
    closing = next(line for line in said.splitlines() if "shards written" in line)
    assert re.search(r"; 100 rows integrated; \d+\.\d\d s from config to manifest; ", closing)
    assert "rows/s" not in closing, "that is what the bar tells"


def test_a_device_that_is_not_there_is_an_error(trained, tmp_path):
    for device in ("quantum", "gpu", "meta", "cuda:99"):
        result = run(
            "train", QUICK, "--data", trained / "dataset", "--out", tmp_path / "out", *SMALL, "--set",
            f"training.device='{device}'",
        )  # fmt: skip
        ends_in_2(result, "training.device", device)


def test_wrong_options_end_in_2():
    for arguments in (["generate"], ["generate", QUICK], ["train", QUICK], ["nonsense"], ["verify"]):
        assert run(*arguments).exit_code == 2
    assert run("generate", QUICK, "--out", "x", "--jobs", "0").exit_code == 2


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_training_that_is_stopped_says_how_to_go_on_and_can_be_judged(kill, trained, tmp_path):
    settings = [*SMALL, "--set", "training.steps=100000", "--set", "training.evaluate_every=100000"]
    command = [
        sys.executable, "-m", "trajstore.pipeline", "train", QUICK, "--data", trained / "dataset", "--out",
        tmp_path / "run", *settings,
    ]  # fmt: skip
    process = forked.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    curve = tmp_path / "run/metrics.jsonl"
    while not curve.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(kill)
    _, errors = process.communicate(timeout=60)
    killed = kill == signal.SIGKILL
    assert process.returncode == (-kill if killed else 130), errors
    assert killed or "with --resume goes on" in errors
    assert "Traceback" not in errors
    assert "nan" not in errors
    judged = run("evaluate", tmp_path / "run")
    assert (judged.exit_code, "training has not ended" in judged.stdout) == (0, True)
    assert run("plot", tmp_path / "run").exit_code == 0
    data = trained / "dataset"
    refused = run("train", QUICK, "--data", data, "--out", tmp_path / "run", *settings)
    ends_in_2(refused, "an unfinished run of this config; go on with --resume")


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("engine", ["heyoka", "scipy"])
def test_an_interrupted_generation_ends_quietly_and_goes_on(engine, kill, tmp_path):
    """In threads and in worker processes: exit code 130, nothing half-written, and the rest is made later."""
    rows = 1_000_000 if engine == "heyoka" else 20_000
    settings = ["--set", f"dataset.train={rows}", "--set", f"engine.name={engine}", "--jobs", "2"]
    # The first shard is there soon, and so is the end of those at hand: SciPy integrates row by row.
    settings += ["--set", f"dataset.shard_rows={rows // (40 if engine == 'heyoka' else 400)}"]
    out = tmp_path / "data"
    command = [sys.executable, "-m", "trajstore.pipeline", "generate", QUICK, "--out", str(out), *settings]
    process = forked.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(out.glob("*.h5")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(kill)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.rstrip().endswith("trajstore: interrupted; the same command goes on from here")
    assert "Traceback" not in errors
    assert not (out / "manifest.json").exists()
    assert all(path.suffix == ".h5" for path in out.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.05, 0.1, 0.3, 0.6])
def test_ctrl_c_while_the_command_is_loaded_ends_it_quietly(delay, trained):
    # What interrupts Python itself, before it comes to us, is not ours.
    program = (
        "import os, signal, sys, threading; from trajstore.pipeline.__main__ import run; "
        "threading.Timer(float(sys.argv.pop(1)), os.kill, (os.getpid(), signal.SIGINT)).start(); run()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(delay), "info", trained / "dataset"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    # It may have been done before.
    assert process.returncode in (0, 130)


@pytest.mark.parametrize(
    ("section", "line", "key"),
    [
        ("[dataset]", 'title = "a\\u0007b"', "dataset.title"),
        ("[dataset]", 'license = "\\u001b[31mred"', "dataset.license"),
        ("[system]", 'description = "a\\u009fb"', "system.description"),
        ("[dataset]", f'creator = "{"x" * (1 << 20)}x"', "dataset.creator"),
    ],
)
def test_a_text_that_no_shard_may_hold_is_found_before_any_work(tmp_path, section, line, key):
    config = tmp_path / "c.toml"
    text = Path(QUICK).read_text()
    config.write_text(text.replace(section, f"{section}\n{line}", 1))
    ends_in_2(run("generate", config, "--out", tmp_path / "d"), key, "expected plain text")
    assert not (tmp_path / "d").exists()


@pytest.mark.slow
def test_a_folder_whose_name_is_no_utf8_goes_the_whole_way(tmp_path):
    data, out = (os.fsencode(tmp_path) + name for name in (b"/d\xff", b"/r\xfe"))
    for command in (
        ["generate", QUICK, "--out", data],
        ["train", QUICK, "--data", data, "--out", out],
        ["train", QUICK, "--data", data, "--out", out, "--resume"],
        ["evaluate", out],
        ["plot", out],
    ):
        settings = SMALL if command[0] in ("generate", "train") else []
        result = CliRunner().invoke(main, [os.fsdecode(part) for part in (*command, *settings)])
        assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_training_without_a_validation_split_tells_no_number_that_it_has_not(tmp_path):
    none = ["--set", "dataset.validation=0"]
    assert run("generate", QUICK, "--out", tmp_path / "data", *SMALL, *none).exit_code == 0
    result = run("train", QUICK, "--data", tmp_path / "data", "--out", tmp_path / "run", *SMALL, *none)
    assert result.exit_code == 0
    assert "20 steps in" in result.stderr
    assert "nan" not in result.stderr
    assert "None" not in result.stderr
    assert "validation" not in result.stderr
    judged = run("evaluate", tmp_path / "run")
    assert judged.exit_code == 0
    assert "nan" not in judged.output


@pytest.mark.slow
@pytest.mark.parametrize("values", [None, [math.nan, math.nan], [7.5, 3.0]])
def test_what_is_told_to_be_best_is_that_by_which_weights_were_chosen(values, trained, tmp_path, monkeypatch):
    """And no error is called the best one that is not: where something else chooses, another step may have less."""
    given = iter(values or [])
    monkeypatch.setattr(Selection, "value", lambda self: next(given))
    chosen = [] if values is None else ["--set", "training.select=vpt"]
    result = run("train", QUICK, "--data", trained / "dataset", "--out", tmp_path / "run", *SMALL, *chosen)
    errors = {line["step"]: line["validation_mse"] for line in read_curve(tmp_path / "run")}
    assert errors[20] < errors[10], "the weights with the greater vpt have the greater error"
    if values == [7.5, 3.0]:
        assert f"; best vpt 7.5, validation MSE {errors[10]:.3g} at step 10\n" in result.stderr
    else:
        assert f"; best validation MSE {errors[20]:.3g} at step 20\n" in result.stderr


@pytest.mark.slow
def test_more_steps_go_on_at_the_command_line_and_a_cosine_wants_its_option(workspace):
    arguments = ["train", QUICK, "--data", workspace / "dataset", "--out", workspace / "run", *SMALL]
    more = [*arguments, "--set", "training.steps=30"]
    ends_in_2(run(*more), "training.steps is 20 there, 30 here", "go on with --resume")
    ends_in_2(run(*more, "--restart-schedule"), "give --resume")
    ends_in_2(run(*more, "--resume"), "training.steps: was 20, is 30", "--restart-schedule")
    ends_in_2(run(*arguments, "--set", "training.steps=10", "--resume"), "got 10, but 20 are done")
    result = run(*more, "--resume", "--restart-schedule")
    assert result.exit_code == 0
    assert "30 steps in" in result.stderr
    assert "schedule restarted at step 20: not repeatable" in result.stderr
    assert "schedule restarted at step 20: not repeatable" in run("evaluate", workspace / "run").stdout
