"""What Python is given in the wrong form is told by its name, and never taken letter by letter."""

from pathlib import Path

import pytest
from trajstore.data import TrajstoreError
from trajstore.pipeline import (
    Experiment,
    Selection,
    export,
    generate,
    import_files,
    load_config,
    merge,
    select,
    train,
)
from trajstore.pipeline.config.file import override_evaluation
from trajstore.pipeline.config.learning import EvaluationSection

QUICK = Path(__file__).parents[3] / "configs/quick.toml"
SMALL = ["dataset.train=20", "dataset.validation=4", "dataset.test=4", "training.steps=2"]


def test_a_config_for_measured_data_is_one_to_learn_and_makes_no_dataset(small_dataset, tmp_path):
    path = tmp_path / "learning.toml"
    path.write_text("[training]\nsteps = 2\n")
    config = load_config(path, ["training.batch=4"])
    assert not isinstance(config, Experiment)
    assert (config.training.steps, config.training.batch) == (2, 4)
    train(config, small_dataset, tmp_path / "run")
    for made_of in (config, path, str(path)):
        with pytest.raises(TrajstoreError, match=r"system|\[system\]"):
            generate(made_of, tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()


@pytest.mark.slow
def test_a_path_does_where_a_config_does(tmp_path):
    config = load_config(QUICK, SMALL)
    assert isinstance(config, Experiment)
    path = tmp_path / "config.toml"
    text = QUICK.read_text().replace("4_000", "20").replace("= 500", "= 4").replace("1_000", "2")
    path.write_text(text.replace("evaluate_every = 100", "evaluate_every = 1"))
    made = generate(path, tmp_path / "dataset", jobs=1)
    assert made.manifest.id == generate(config, tmp_path / "other", jobs=1).manifest.id
    assert train(str(path), tmp_path / "dataset", tmp_path / "run").step == 2


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda data, out: load_config(QUICK, "training.steps=3"), "overrides is 'training.steps=3'"),
        (lambda data, out: load_config(QUICK, [3]), r"overrides is \[3\]"),
        (lambda data, out: override_evaluation(EvaluationSection(), "evaluation.rollouts=3"), "overrides is"),
        (lambda data, out: load_config(None), "config is None"),
        (lambda data, out: generate({"system": {}}, out), "config is .*expected an Experiment"),
        (lambda data, out: train(3, data, out), "config is 3"),
        (lambda data, out: merge("data", out), "paths is the text 'data'"),
        (lambda data, out: select(data, out, Selection(splits="train")), "splits is the text 'train'"),
        (lambda data, out: select(data, out, Selection(status="ok")), "status is the text 'ok'"),
        (lambda data, out: export(data, out, "csv", "train"), "splits is the text 'train'"),
        (lambda data, out: import_files("file.csv", out, None), "settings are None; expected an Import"),
    ],
)
def test_what_is_of_another_kind_is_refused_by_its_name(call, said, small_dataset, tmp_path):
    with pytest.raises(TrajstoreError, match=said):
        call(small_dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()
