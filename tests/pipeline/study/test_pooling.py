"""What is pooled: medians over its values in one line, a row for each in the results, and none stops the others."""

import json

import numpy as np
import pytest
from trajstore.pipeline import check_config, generate, run_study
from trajstore.pipeline.config.plain_values import ConfigError
from trajstore.pipeline.study.file import load_study
from trajstore.pipeline.study.plan import make_plan
from trajstore.pipeline.study.results import Row, summary
from trajstore.pipeline.study.table import make_table, markdown

# x' = p x^2 - x from x = 1: for p = 100 it is infinite before t = 0.02.
STUDY = """
columns = ["smape", "finite_share"]

[defaults.system]
name = "grows"
equations = { x = "p*x**2 - x" }
initial_state = { x = [0.9, 1.1] }
parameters = { p = 0.0 }

[defaults]
grid = { duration = 1.0, step = 0.1 }
dataset = { train = 8, test = 4 }
model = { hidden = 3 }
training = { steps = 2, batch = 4, evaluate_every = 2 }
evaluation = { rollouts = 3, rollout_lengths = 2, baselines = ["persistence", "linear"] }

[[dataset]]
label = "each"
config = {}

[[model]]
label = "small"

[[vary]]
key = "system.parameters.p"
values = [0.0, 0.2, 0.4, 100.0]
pooled = true
"""


def row(model, flow, kind="baseline", error=None, **metrics):
    nothing = {"train": None, "evaluate": None}
    return Row("d", model, kind, None, {"system.name": flow}, metrics, {}, nothing, error)


def test_medians_are_over_the_values_and_a_line_of_fewer_is_not_the_best():
    rows = [
        *(row("whole", flow, smape=value) for flow, value in zip("abc", (1.0, 5.0, 30.0), strict=True)),
        *(row("easy", flow, smape=value) for flow, value in zip("ab", (0.1, 0.2), strict=True)),
        *(row("poor", flow, smape=value) for flow, value in zip("abc", (7.0, 8.0, 9.0), strict=True)),
    ]
    found = summary(rows, {"system.name"})
    assert [(each["model"], each["values"], each["varied"]) for each in found] == [
        ("whole", 3, {}),
        ("easy", 2, {}),
        ("poor", 3, {}),
    ]
    assert found[0]["median"] == {"smape": 5.0}
    assert found[0]["mean"] == {"smape": 12.0}
    table = markdown(make_table(rows, found, columns=["smape"]))
    assert "| | values | smape |" in table
    assert "| whole | 3 | **5** |" in table
    assert "| easy | 2 | 0.15 |" in table
    apart = summary(rows)
    assert len(apart) == len(rows)
    assert all("values" not in each for each in apart)


def test_a_value_of_which_one_seed_failed_does_not_count():
    nothing = {"train": None, "evaluate": None}

    def run(seed, flow, smape):
        metrics, error = ({}, "lost") if smape is None else ({"smape": smape}, None)
        return Row("d", "net", "model", seed, {"system.name": flow}, metrics, {}, nothing, error)

    rows = [run(0, "a", 1.0), run(1, "a", 3.0), run(0, "b", 0.1), run(1, "b", None)]
    others = [row("whole", "a", smape=4.0), row("whole", "b", smape=6.0)]
    found = {each["model"]: each for each in summary([*rows, *others], {"system.name"})}
    assert (found["net"]["values"], found["net"]["runs"]) == (1, 2)
    assert found["net"]["median"] == {"smape": 2.0}
    assert found["whole"]["median"] == {"smape": 5.0}
    # Of fewer values, it is not the best.
    table = markdown(make_table([*rows, *others], list(found.values()), columns=["smape"]))
    assert "| net | 1 | 2 |" in table
    # Where nothing is pooled, a line says over how many seeds it is.
    apart = {each["varied"]["system.name"]: each["runs"] for each in summary(rows)}
    assert apart == {"a": 2, "b": 1}


@pytest.mark.slow
def test_one_value_that_fails_stops_none_and_is_counted(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    study = run_study(path, tmp_path / "out", 1)
    rows = study.results["rows"]
    models = {each["varied"]["system.parameters.p"]: each for each in rows if each["kind"] == "model"}
    assert list(models) == [0.0, 0.2, 0.4, 100.0]
    assert [each["error"] is None for each in models.values()] == [True, True, True, False]
    lines = {each["model"]: each for each in study.results["summary"]}
    assert set(lines) == {"small", "persistence", "linear"}
    for name, line in lines.items():
        own = [each["metrics"]["smape"] for each in rows if each["model"] == name and each["error"] is None]
        assert len(own) == line["values"] == 3
        assert line["median"]["smape"] == np.median(own)
    table = (tmp_path / "out/table.md").read_text()
    assert table.count("## ") == 1
    assert "each: medians over values of system.parameters.p, 4 in all; runs of 1 of them failed." in table
    assert "each, small system.parameters.p=100.0, seed 0 failed:" in table
    assert (tmp_path / "out/figure.png").is_file()


def test_quick_takes_the_first_values_of_what_is_pooled(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY + "\n[quick]\nvalues = 2\n")
    for quick, values in ((False, [0.0, 0.2, 0.4, 100.0]), (True, [0.0, 0.2])):
        plan = make_plan(load_study(path), path, tmp_path / "out", quick=quick)
        models = [job for job in plan.runs if job.model == "small"]
        assert [job.varied["system.parameters.p"] for job in models] == values


@pytest.mark.slow
def test_several_folders_are_one_dataset_and_what_is_not_there_is_said(tmp_path):
    for number, name in enumerate(("one", "two")):
        raw = {
            "system": {"name": "van-der-pol"},
            "grid": {"duration": 1.0, "step": 0.1},
            "dataset": {"train": 6, "test": 3, "seed": number},
        }
        generate(check_config(raw, name), tmp_path / name, 1)
    begin, end = STUDY.index("[defaults.system]"), STUDY.index("model = { hidden")
    text = STUDY[:begin] + "[defaults]\n" + STUDY[end : STUDY.index("[[vary]]")]
    path = tmp_path / "study.toml"
    path.write_text(text.replace("config = {}", 'folder = ["one", "nowhere", "two"]'))
    found = run_study(path, tmp_path / "out", 1).results
    assert [each["varied"] for each in found["rows"] if each["kind"] == "model"] == [
        {"folder": "one"},
        {"folder": "two"},
    ]
    assert {each["model"]: each["values"] for each in found["summary"]} == dict.fromkeys(
        ("small", "persistence", "linear"), 2
    )
    assert found["left_out"] == {"each folder=nowhere": "nowhere is not there"}
    assert json.loads((tmp_path / "out/results.json").read_text()) == found
    path.write_text(text.replace("config = {}", "folder = []"))
    with pytest.raises(ConfigError, match="folder"):
        run_study(path, tmp_path / "out", 1)
