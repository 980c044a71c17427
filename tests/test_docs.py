"""What the documents say is what the code does."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import forked
import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from trajstore.data import TrajectoryDataset, load_manifest
from trajstore.data.shard.schema import markdown
from trajstore.pipeline import check_config, generate, load_trained
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.study.file import load_study
from trajstore.pipeline.study.plan import make_plan

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent


def test_the_tables_of_the_format_are_those_of_the_schema() -> None:
    assert markdown() in (ROOT / "docs/format.md").read_text(encoding="utf-8")


def blocks(language: str, name: str = "README.md") -> list[str]:
    """Texts of a document's code blocks in a language."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


def lay_out(folder: Path, name: str, less: int = 1) -> list[str]:
    """Put ours and a document's own configs into a folder, with less to train on and fewer steps of it.

    Then fewer rollouts are judged, too, where a config does not say how many.
    """

    def smaller(found: re.Match[str]) -> str:
        return f"{found[1]} = {int(found[2]) // less}"

    def shortened(text: str) -> str:
        return re.sub(r"(?m)^(train|steps) = ([\d_]+)$", smaller, text)

    (folder / "configs").mkdir()
    for path in (ROOT / "configs").iterdir():
        (folder / "configs" / path.name).write_text(shortened(path.read_text()))
    for text in [*blocks("toml", name), *blocks("python", name)]:
        if re.match(r"# \S+\.(toml|py)\n", text):
            config = shortened(text)
            if less > 1 and ".toml" in text.splitlines()[0] and "[evaluation]" not in text:
                config += "[evaluation]\nrollouts = 8\nrollout_lengths = 5\n"
            (folder / text.splitlines()[0].removeprefix("# ")).write_text(config)
    (console,) = blocks("console", name)
    return [line.removeprefix("$ ") for line in console.splitlines()]


def test_the_first_steps_run_as_they_stand(tmp_path: Path) -> None:
    """Each command a process; those of the README are the first ones of them."""
    first_steps = lay_out(tmp_path, "docs/start.md", less=5)
    (console,) = blocks("console")
    assert {line.removeprefix("$ ") for line in console.splitlines()} <= set(first_steps)
    for command in first_steps:
        program, *arguments = shlex.split(command)
        done = forked.run([Path(sys.executable).with_name(program), *arguments], cwd=tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    names = ("README.md", "docs/start.md", "docs/python.md")
    script = "\n".join(block for name in names for block in blocks("python", name))
    done = forked.run([sys.executable, "-c", script], cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_predictions_from_elsewhere_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    generate, *_ = lay_out(tmp_path, "docs/training.md")
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    (judge,) = re.findall(r"^    trajstore (evaluate --predictions .*)$", text, flags=re.M)
    run = CliRunner().invoke(main, shlex.split(generate)[1:])
    assert run.exit_code == 0, run.output
    exec(compile((tmp_path / "predict.py").read_text(), "predict.py", "exec"), {})
    run = CliRunner().invoke(main, shlex.split(judge))
    assert run.exit_code == 0, run.output
    assert (tmp_path / "straight/figures/rollout.png").is_file()


def test_a_learned_spring_keeps_what_energy_it_is_given_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = lay_out(tmp_path, "docs/fields.md")
    monkeypatch.chdir(tmp_path)
    for command in commands[:2]:
        assert CliRunner().invoke(main, shlex.split(command)[1:]).exit_code == 0
    found: dict[str, np.ndarray] = {}
    exec(compile((tmp_path / "kicked.py").read_text(), "kicked.py", "exec"), found)
    assert np.abs(found["back"][-1] - found["start"]).max() < 1e-9
    # On the way back it is where it was.
    np.testing.assert_allclose(found["back"], found["before"][::-1], atol=1e-9)
    for path, energy in ((found["before"], 0.25), (found["after"], 0.5)):
        np.testing.assert_allclose(np.square(path).sum(axis=1), energy, rtol=0.02)
    assert (tmp_path / "kicked.png").is_file()


def test_a_filmed_pendulum_is_learned_as_the_document_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a table like the one that is meant, made by our own pendulum."""
    lay_out(tmp_path, "docs/fields.md")
    monkeypatch.chdir(tmp_path)
    system = {
        "name": "filmed",
        "equations": {"q": "p", "p": "-2.4*sin(q)"},
        "initial_state": {"q": [0.5, 1.5], "p": [-0.1, 0.1]},
    }
    grid = {"duration": 10.0, "points": 301}
    made = check_config(
        {"system": system, "grid": grid, "dataset": {"train": 2, "validation": 0, "test": 0}}, "test"
    )
    generate(made, tmp_path / "made", 1)
    rows = TrajectoryDataset(tmp_path / "made", "train").states(slice(None)).double().numpy()
    times = np.linspace(0.0, 10.0, 301)
    lines = [
        f"{trial},{t:.6f},{q:.9f},{p:.9f}"
        for trial in range(2)
        for t, (q, p) in zip(times, rows[trial], strict=True)
    ]
    (tmp_path / "pendulum.csv").write_text("\n".join(["trial,t,angle,velocity", *lines]))
    exec(compile((tmp_path / "slopes.py").read_text(), "slopes.py", "exec"), {})
    text = (ROOT / "docs/fields.md").read_text(encoding="utf-8")
    for command in re.findall(r"^    trajstore (.*)$", text, flags=re.M):
        result = CliRunner().invoke(main, shlex.split(command))
        assert result.exit_code == 0, f"{command}\n{result.output}"
    _, model = load_trained(tmp_path / "filmed/run")
    states = torch.from_numpy(rows[:, ::40])
    true = torch.stack([states[..., 1], -2.4 * torch.sin(states[..., 0])], dim=-1)
    assert (model(states).detach() - true).square().mean() < 0.01 * true.square().mean()


SYSTEMS = ["oscillator", "anharmonic", "observed", "sprott", "delayed"]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("docs/sharing.md", ""),
        ("docs/training.md", ""),
        ("docs/extending.md", ""),
        ("docs/observe.md", ""),
        ("docs/fields.md", ""),
        *(("docs/systems.md", x) for x in SYSTEMS),
    ],
)
def test_the_commands_run_as_they_stand(
    name: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = lay_out(tmp_path, name, less=10)
    monkeypatch.chdir(tmp_path)
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "trajstore"
        if f" {folder}" in command:
            result = CliRunner().invoke(main, arguments)
            assert result.exit_code == 0, f"{command}\n{result.output}"


def test_a_loop_of_ones_own_and_lightnings_end_in_the_same_loss(tmp_path: Path) -> None:
    for command in lay_out(tmp_path, "docs/own-loop.md"):
        assert (
            CliRunner().invoke(main, shlex.split(command.replace("loop/", f"{tmp_path}/loop/"))[1:]).exit_code
            == 0
        )
    last = []
    for name in ("loop.py", "with_lightning.py"):
        done = forked.run([sys.executable, name], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        last.append(re.findall(r"validation loss ([\d.e-]+)", done.stdout)[-1])
    assert float(last[0]) == pytest.approx(float(last[1]), rel=0.02)
    assert float(last[0]) < 0.01
    done = forked.run([sys.executable, "own_network.py"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    words = ["--predictions", f"{tmp_path}/own.npz", "--data", f"{tmp_path}/loop/dataset", "--json"]
    judged = CliRunner().invoke(main, ["evaluate", *words, "--out", f"{tmp_path}/own"])
    assert judged.exit_code == 0, judged.output
    rollout = json.loads(judged.stdout)["rollout"]
    assert rollout["nrmse"] < 0.2 < rollout["baselines"]["persistence"]["nrmse"]


def test_nothing_of_these_documents_is_left_out(tmp_path: Path) -> None:
    for command in lay_out(tmp_path, "docs/systems.md"):
        assert sum(f" {folder}" in command for folder in SYSTEMS) == 1
    documents = ("docs/systems.md", "docs/sharing.md", "docs/training.md")
    left = [block for name in documents for block in blocks("python", name)]
    assert [block.splitlines()[0] for block in left] == ["# predict.py"], "run above"


def test_the_first_system_of_ones_own_goes_the_whole_way(tmp_path: Path) -> None:
    (text,) = blocks("toml", "docs/start.md")
    config = tmp_path / "damped.toml"
    config.write_text(text)
    fewer = ["--set", "training.steps=20", "--set", "dataset.train=300", "--set", "training.batch=32"]
    for arguments in (
        ["generate", config, "--out", tmp_path / "data", *fewer],
        ["verify", tmp_path / "data", "--reintegrate", "5"],
        ["train", config, "--data", tmp_path / "data", "--out", tmp_path / "run", *fewer],
        ["evaluate", tmp_path / "run"],
        ["plot", tmp_path / "run"],
    ):
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of configs/quick.toml."""
    folder = tmp_path_factory.mktemp("quick") / "dataset"
    arguments = ["generate", str(ROOT / "configs/quick.toml"), "--out", str(folder)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    return folder


@pytest.mark.skipif(shutil.which("ncdump") is None, reason="ncdump is not installed")
def test_the_header_in_the_docs_is_what_ncdump_shows(quick: Path) -> None:
    command = ["ncdump", "-h", str(quick / "train-00000.h5")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (header,) = blocks("text", "docs/reading.md")
    assert shown.split("\n// global attributes")[0].rstrip() == header.rstrip()


def test_the_python_for_readers_runs_and_agrees_with_itself(quick: Path) -> None:
    with_h5py, mapped, with_xarray = (
        block
        for block in blocks("python", "docs/reading.md")
        if re.search(r"time = file|np.memmap\(file|xarray.concat", block)
    )
    script = f"""
{with_h5py}
whole, names = state, components
assert whole.shape == (4000, 21, 2) and mu.shape == (4000,) and list(names) == ["x1", "x2"]
{mapped}
assert (batch == whole[[7, 1, 300]]).all()
{with_xarray}
assert (x1.values == whole[:, :, 0]).all()
assert (late.values == whole[:, time >= 1.0]).all()
"""
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, cwd=quick, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_id_is_what_the_format_says(quick: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    shutil.copytree(quick, folder)
    (script,) = (block for block in blocks("python", "docs/format.md") if "dataset_id" in block)
    known = load_manifest(folder).id

    def told() -> str:
        command = [sys.executable, "-W", "error", "-c", script]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout

    assert told() == f"True {known}\n"
    with h5py.File(folder / "test-00000.h5", "r+") as file:
        file["state"][0, 0, 0] += 1
    assert told().startswith("False ")


def test_no_reader_takes_more_than_twenty_lines() -> None:
    languages = ("python", "r", "julia", "matlab")
    found = [block for language in languages for block in blocks(language, "docs/reading.md")]
    assert len(found) == 11
    assert max(len(block.splitlines()) for block in found) <= 20


def test_the_study_in_the_docs_is_one(tmp_path: Path) -> None:
    (text,) = (block for block in blocks("toml", "docs/evaluation.md") if "[[model]]" in block)
    (tmp_path / "study.toml").write_text(text)
    plan = make_plan(load_study(tmp_path / "study.toml"), tmp_path / "study.toml", tmp_path, quick=False)
    labels = {(job.dataset.label, job.model, job.seed) for job in plan.runs if job.seed is not None}
    assert labels == {(a, b, c) for a in ("clean", "noisy") for b in ("lstm-32", "gru-32") for c in (0, 1)}
    for job in plan.runs:
        noise = job.dataset.config.observation.noise
        assert (noise is None) == (job.dataset.label == "clean")


def test_links_and_named_files_exist() -> None:
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
    ):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert ((ROOT / name).parent / target).exists(), f"{name}: {target}"
        for target in re.findall(
            r"`((?:configs|pipeline|data|models|benchmarks|tests|docs)/[\w./-]+\.\w+)`", text
        ):
            assert (ROOT / target).exists(), f"{name}: {target}"
