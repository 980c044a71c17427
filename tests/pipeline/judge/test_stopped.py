"""An evaluation that is stopped leaves results of one evaluation, or says that there are none yet."""

import json
from pathlib import Path

import numpy as np
import pytest
from trajstore.pipeline import RunError, evaluate, evaluate_predictions, plot, train
from trajstore.pipeline.judge import evaluate_predictions as module
from trajstore.pipeline.judge import results
from trajstore.pipeline.study.compare import rows_of_runs

pytestmark = pytest.mark.slow

NAMES = ("config.json", "evaluation.npz", "metrics.json")
SHORT = ["evaluation.rollouts=3", "evaluation.rollout_lengths=2", "evaluation.baselines=[]"]


@pytest.fixture
def judge(experiment, small_dataset, tmp_path, request):
    """Judges into a folder that it gives, each time by other settings."""
    run, out = tmp_path / "run", tmp_path / "out"
    if request.param == "predictions":
        states = np.random.default_rng(0).standard_normal((10, 21, 2))
        return out, lambda *more: evaluate_predictions(states, small_dataset, out, overrides=[*SHORT, *more])
    train(experiment(training={"steps": 2, "batch": 8}), small_dataset, run)
    folder = out if request.param == "elsewhere" else None
    return folder or run, lambda *more: evaluate(run, out=folder, overrides=[*SHORT, *more])


def stop(*_, **__):
    raise KeyboardInterrupt


def stop_at_metrics(file, target, real=Path.replace):
    if target.name == "metrics.json":
        raise KeyboardInterrupt
    return real(file, target)


@pytest.mark.parametrize("judge", ["run", "elsewhere", "predictions"], indirect=True)
@pytest.mark.parametrize("at", ["judging", "arrays", "metrics", "names"])
def test_no_file_is_of_another_evaluation_than_those_beside_it(at, judge, monkeypatch):
    folder, go = judge
    go()
    before = {name: (folder / name).read_bytes() for name in NAMES}
    with monkeypatch.context() as patch:
        if at == "judging":
            patch.setattr(module, "judge", stop)
            patch.setattr("trajstore.pipeline.judge.evaluate.judge", stop)
        elif at == "arrays":
            patch.setattr(np, "savez_compressed", stop)
        elif at == "metrics":
            patch.setattr(results, "write_json", stop)
        else:
            patch.setattr(Path, "replace", stop_at_metrics)
        with pytest.raises(KeyboardInterrupt):
            go("evaluation.rollouts=4")
    if at == "names":
        for look in (plot, lambda run: rows_of_runs([run])):
            with pytest.raises(RunError, match=r"metrics.json is missing; run `trajstore evaluate"):
                look(folder)
    else:
        assert {name: (folder / name).read_bytes() for name in NAMES} == before
    found = go("evaluation.rollouts=4")
    assert json.loads((folder / "metrics.json").read_text()) == found
    with np.load(folder / "evaluation.npz") as arrays:
        assert len(arrays["rollout_row"]) == found["rollout"]["trajectories"]
