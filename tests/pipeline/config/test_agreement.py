"""What a config says of a dataset and what the dataset is do not disagree without a word."""

import shutil

import pytest
from click.testing import CliRunner
from trajstore.data import load_manifest
from trajstore.pipeline import ConfigError, Selection, generate, merge, select
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.config.agreement import disagreement
from trajstore.pipeline.config.file import check_learning

SHORT = "[training]\nsteps = 2\nbatch = 4\n[model]\nhidden = 2\nencoder = []\n"
MADE = """
[system]
name = "van-der-pol"
parameters = { mu = 0.1 }
[grid]
duration = 2.0
step = 0.1
[dataset]
train = 70
validation = 20
test = 10
"""


def trained(text, data, folder, *more):
    config = folder / "config.toml"
    config.write_text(text + SHORT)
    arguments = ["train", config, "--data", data, "--out", folder / "run", *more]
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("system.parameters.mu=0.5", "parameters.mu.value"),
        ("system.parameters.mu={values=[0.1, 0.5]}", "parameters.mu"),
        ("system={name='duffing'}", "equations.x"),
        (
            "system={name='mine', equations={x1='x2', x2='-x1'}, initial_state={x1=[0,1], x2=[0,1]}}",
            "equations",
        ),
    ],
)
def test_another_system_is_refused_before_a_run_is_begun(override, key, small_dataset, tmp_path):
    result = trained(MADE, small_dataset, tmp_path, "--set", override)
    assert result.exit_code == 2, result.output
    for part in (str(small_dataset), "another system", key, "there", "here", "trajstore generate"):
        assert part in result.output
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("grid.step=0.05", "grid.points is 21 there, 41 here"),
        ("dataset.train=71", "dataset.train is 70 there, 71 here"),
        ("dataset.seed=3", "dataset.seed is 0 there, 3 here"),
        (
            "system.initial_state={x1=[-1.0, 1.0]}",
            "system.initial_state.x1 is [-5.0, 5.0] there, [-1.0, 1.0] here",
        ),
        ("observation.noise={absolute=0.1}", "observation.noise.absolute is not given there, 0.1 here"),
    ],
)
def test_whatever_else_differs_is_told_and_trained_on(override, told, small_dataset, tmp_path):
    result = trained(MADE, small_dataset, tmp_path, "--set", override)
    assert result.exit_code == 0, result.output
    assert "note: " in result.stderr
    assert told in result.stderr
    assert (tmp_path / "run" / "training.json").is_file()


@pytest.mark.slow
def test_the_config_that_made_it_and_one_that_says_nothing_of_it_are_silent(small_dataset, tmp_path):
    words = MADE + 'title = "Other words"\nshard_rows = 7\n'
    for text in (MADE, words, ""):
        result = trained(text, small_dataset, tmp_path)
        assert result.exit_code == 0, result.output
        assert "note: " not in result.stderr
        shutil.rmtree(tmp_path / "run")


def test_what_is_learned_by_a_config_that_says_nothing_of_it_is_told(small_dataset, tmp_path):
    config = tmp_path / "config.toml"
    arguments = ["train", str(config), "--data", str(small_dataset), "--out", str(tmp_path / "run")]
    config.write_text("# nothing\n")
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "config.toml: is empty; expected what is to be learned, [task] and [model]" in result.stderr
    assert not (tmp_path / "run").exists()
    config.write_text("[training]\nsteps = 2\nbatch = 4\n")
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert 'neither [task] nor [model]; what is learned is "initial-value", by "lstm"' in result.stderr


def test_rows_and_times_that_were_chosen_of_it_are_told(experiment, small_dataset, tmp_path):
    select(small_dataset, tmp_path / "part", Selection(splits=("train",), stride=2, rows=(None, 30)))
    said = disagreement(experiment(), load_manifest(tmp_path / "part"), "part")
    for told in ("grid.points is 11 there, 21 here", "dataset.train is 30 there", "dataset.test is 0 there"):
        assert told in said


@pytest.mark.slow
def test_what_was_merged_goes_with_a_config_of_either_value(experiment, tmp_path):
    configs = [
        experiment(system={"parameters": {"mu": mu}}, dataset={"train": 5, "seed": seed})
        for seed, mu in enumerate([0.1, 0.2])
    ]
    for number, config in enumerate(configs):
        generate(config, tmp_path / str(number), jobs=1)
    merge([tmp_path / "0", tmp_path / "1"], tmp_path / "both")
    manifest = load_manifest(tmp_path / "both")
    assert "dataset.train is 10 there, 5 here" in disagreement(configs[1], manifest, "both")


def test_equations_do_not_go_with_measured_trajectories(experiment, tmp_path):
    (tmp_path / "data.csv").write_text(
        "t,x1,x2\n" + "".join(f"{i / 10},{i % 3},{i % 4}\n" for i in range(21))
    )
    arguments = [
        "import",
        tmp_path / "data.csv",
        "--out",
        tmp_path / "measured",
        "--validation",
        0,
        "--test",
        0,
    ]
    made = CliRunner().invoke(main, list(map(str, arguments)))
    assert made.exit_code == 0, made.output
    manifest = load_manifest(tmp_path / "measured")
    with pytest.raises(ConfigError, match=r"measured trajectories.*leave out"):
        disagreement(experiment(), manifest, "measured")
    assert disagreement(check_learning({}, "test"), manifest, "measured") == ""
