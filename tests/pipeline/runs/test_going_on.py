"""Going on with a run that was asked for less, and runs that the clock or anything else stops."""

import json
import os
import shutil
import signal

import pytest
import torch
from trajstore.pipeline import RunError, evaluate, load_trained, plot, train
from trajstore.pipeline.learn import clock as clock_module
from trajstore.pipeline.learn import validation as validation_module
from trajstore.pipeline.learn.first_order import FirstOrder, learning_rate
from trajstore.pipeline.runs.curve import read_curve
from trajstore.pipeline.runs.files import load_checkpoint
from trajstore.pipeline.runs.folder import RunConfig

pytestmark = pytest.mark.slow

SECTIONS = {
    "model": {"hidden": 5, "encoder": [4]},
    "task": {"normalize": True},
    "training": {"batch": 8, "learning_rate": 0.02, "evaluate_every": 4, "schedule": "constant", "warmup": 3},
    "evaluation": {"rollouts": 2, "rollout_lengths": 2},
}


@pytest.fixture(scope="module")
def learn(experiment, small_dataset):
    """`learn(run, steps=..., ...)` trains with these keys of [training], or of other sections."""

    def go(run, refine=0, resume=True, restart=False, overwrite=False, model=None, refinement=None, **keys):
        training = {**SECTIONS["training"], **keys}
        refinement = {"steps": refine, "samples": 8, "batch": 16, "evaluate_every": 2, **(refinement or {})}
        sections = {**SECTIONS, "training": training, "refinement": refinement}
        if model is not None:
            sections["model"] = model
        config = experiment(**sections)
        return train(config, small_dataset, run, resume=resume, restart_schedule=restart, overwrite=overwrite)

    return go


@pytest.fixture(scope="module")
def whole(learn, tmp_path_factory):
    """`whole(steps=..., ...)` is a run of these keys that nothing disturbed; not to be changed."""
    made = {}

    def run(**keys):
        key = json.dumps(keys, sort_keys=True)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("whole") / "run"
            learn(made[key], **keys)
        return made[key]

    return run


def weights(run, file="last.pt"):
    return load_checkpoint(run / file)["model"]


def assert_same_run(left, right):
    """Both checkpoints bit for bit, and what they say of the run."""
    for file in ("last.pt", "best.pt"):
        one, other = (load_checkpoint(run / file) for run in (left, right))
        for name in one["model"]:
            assert torch.equal(one["model"][name], other["model"][name]), f"{file}: {name}"
        assert one["run"]["identity"] == other["run"]["identity"]
        assert one.get("step") == other.get("step")
    assert RunConfig.load(left).identity == RunConfig.load(right).identity
    summaries = [json.loads((run / "training.json").read_text()) for run in (left, right)]
    for summary in summaries:
        del summary["seconds"], summary["waiting_share"]
    assert summaries[0] == summaries[1]


@pytest.mark.parametrize(
    ("first", "optimizer"), [([12], "adam"), ([10], "adam"), ([5, 11], "adamw"), ([8, 18], "sgd")], ids=str
)
def test_steps_in_parts_are_the_steps_at_once(first, optimizer, learn, whole, tmp_path):
    """Ending on and off the grid of evaluations: one that a longer run would not have made leaves no trace."""
    for steps in [*first, 20]:
        learn(tmp_path / "parts", steps=steps, optimizer=optimizer)
    assert_same_run(tmp_path / "parts", whole(steps=20, optimizer=optimizer))
    assert [row["step"] for row in read_curve(tmp_path / "parts")][-1] == 20


def test_the_best_of_a_longer_run_is_none_that_it_did_not_look_at(learn, tmp_path, monkeypatch):
    """The shorter run ends between two evaluations, where the error is smaller than it ever is again."""
    errors = {4: 0.5, 8: 0.4, 10: 0.1, 12: 0.3, 16: 0.35, 20: 0.36}
    plain, done = FirstOrder.step, []

    def stepping(self, number, inputs, targets):
        done.append(number + 1)
        return plain(self, number, inputs, targets)

    monkeypatch.setattr(FirstOrder, "step", stepping)
    monkeypatch.setattr(validation_module, "mean_squared_error", lambda *_: errors[done[-1]])
    learn(tmp_path / "parts", steps=10)
    assert load_checkpoint(tmp_path / "parts/best.pt")["step"] == 10
    for run in ("parts", "whole"):
        learn(tmp_path / run, steps=20)
        assert load_checkpoint(tmp_path / run / "best.pt")["step"] == 12
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_patience_counts_as_in_a_run_that_was_never_stopped(learn, tmp_path):
    keys = {"optimizer": "sgd", "learning_rate": 1e-30, "patience": 3}
    for steps in (6, 10, 40):
        learn(tmp_path / "parts", steps=steps, **keys)
    now = learn(tmp_path / "whole", steps=40, **keys)
    assert (now.step, now.stopped_by) == (16, "patience")
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    # It gains no more however many steps it is given.
    assert learn(tmp_path / "parts", steps=80, **keys).step == 16
    learn(tmp_path / "long", steps=80, **keys)
    assert_same_run(tmp_path / "parts", tmp_path / "long")


@pytest.mark.parametrize("refine", [[3, 5], [0, 5], [0, 4, 5]], ids=str)
def test_a_refinement_goes_on_and_may_follow_later(refine, learn, whole, tmp_path):
    for steps in refine:
        learn(tmp_path / "parts", steps=10, refine=steps, schedule="cosine")
    assert_same_run(tmp_path / "parts", whole(steps=10, refine=refine[-1], schedule="cosine"))


REFINED = {"evaluate_every": 3, "damping": 1e-3, "batch": 24}


@pytest.mark.parametrize("steps", [10, 16])
def test_a_refinement_that_follows_later_has_keys_of_its_own(steps, learn, whole, tmp_path):
    learn(tmp_path / "parts", steps=10)
    learn(tmp_path / "parts", steps=steps, refine=4, refinement=REFINED)
    assert_same_run(tmp_path / "parts", whole(steps=steps, refine=4, refinement=REFINED))
    with pytest.raises(RunError, match=r"refinement.damping is 0.001 there, 0.0001 here"):
        learn(tmp_path / "parts", steps=steps, refine=6)


def test_keys_of_a_refinement_that_is_none_make_no_other_run(learn, whole, tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_at(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            learn(run, steps=10, refine=4, refinement=REFINED)
    learn(run, steps=10)
    learn(run, steps=10, refinement=REFINED)
    assert learn(run, steps=10, resume=False).step == 10
    assert_same_run(run, whole(steps=10))


def test_an_unfinished_run_may_be_asked_for_more_or_for_less(learn, tmp_path, monkeypatch):
    for steps in (30, 14):
        run = tmp_path / str(steps)
        with monkeypatch.context() as patch:
            stop_at(patch, 9)
            with pytest.raises(KeyboardInterrupt):
                learn(run, steps=20)
        learn(run, steps=steps)
        learn(tmp_path / f"whole{steps}", steps=steps)
        assert_same_run(run, tmp_path / f"whole{steps}")


def stop_at(patch, step):
    """Ctrl-C in this step."""
    plain = FirstOrder.step

    def stepping(self, number, inputs, targets):
        if number + 1 == step:
            os.kill(os.getpid(), signal.SIGINT)
        return plain(self, number, inputs, targets)

    patch.setattr(FirstOrder, "step", stepping)


@pytest.mark.parametrize(
    ("done", "more", "said"),
    [
        ({"schedule": "cosine"}, {"schedule": "cosine", "steps": 20}, "the learning rate falls to zero"),
        ({"refine": 2}, {"refine": 2, "steps": 20}, "the refinement, which comes after them, has begun"),
    ],
    ids=["cosine", "refinement"],
)
def test_a_schedule_that_depends_on_the_end_is_restarted_only_if_asked(done, more, said, learn, tmp_path):
    run = tmp_path / "run"
    learn(run, **{"steps": 10, **done})
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.name != "metrics.jsonl"}
    with pytest.raises(RunError, match=rf"training.steps: was 10, is 20.*{said}.*--restart-schedule"):
        learn(run, **more)
    assert {name: (run / name).read_bytes() for name in before} == before
    now = learn(run, restart=True, **more)
    refined = done.get("refine", 0)
    assert (now.step, now.restarts, now.schedule_start) == (20 + 2 * refined, [10 + refined], 10)
    summary = json.loads((run / "training.json").read_text())
    assert (summary["repeatable"], summary["schedule_restarts"]) == (False, [10 + refined])
    # The same command goes on, and does not restart once more.
    assert learn(run, restart=True, **more).restarts == [10 + refined]
    assert f"schedule restarted at step {10 + refined}: not repeatable" in _ending(summary)


def _ending(summary):
    from trajstore.pipeline.runs.standing import ending

    return ending(summary)


def test_a_restarted_schedule_is_a_whole_one_over_the_steps_that_are_left(experiment, learn, tmp_path):
    settings = experiment(training={"steps": 20, "warmup": 3, "learning_rate": 1.0}).training
    short = experiment(training={"steps": 8, "warmup": 3, "learning_rate": 1.0}).training
    rates = [learning_rate(settings, step, 12) for step in range(12, 20)]
    assert rates == [learning_rate(short, step) for step in range(8)]
    # Adam's moments go along: with its own it would not take the same step from the same weights.
    learn(tmp_path / "run", steps=10, schedule="cosine")
    kept = load_checkpoint(tmp_path / "run/last.pt")["learner"]["state"][0]["step"]
    learn(tmp_path / "run", steps=12, schedule="cosine", restart=True)
    assert load_checkpoint(tmp_path / "run/last.pt")["learner"]["state"][0]["step"] == kept + 2


@pytest.mark.parametrize(
    ("steps", "keys"), [(20, {"schedule": "cosine"}), (6, {}), (12, {})], ids=["cosine", "fewer", "more"]
)
def test_with_overwrite_what_cannot_be_gone_on_with_is_begun_anew(steps, keys, learn, whole, tmp_path):
    """As `make` does after the config was edited."""
    learn(tmp_path / "run", steps=10, **keys)
    evaluate(tmp_path / "run")
    learn(tmp_path / "run", steps=steps, overwrite=True, **keys)
    assert not (tmp_path / "run/metrics.json").exists()
    assert_same_run(tmp_path / "run", whole(steps=steps, **keys))


def test_less_than_was_done_is_refused_in_words(learn, tmp_path):
    learn(tmp_path / "run", steps=12, refine=3)
    for keys, said in (
        ({"steps": 8, "refine": 3}, "training.steps: got 8, but 12 are done"),
        ({"steps": 12, "refine": 2}, "refinement.steps: got 2, but 3 are done"),
        ({"steps": 12, "refine": 0}, "refinement.steps: got 0, but 3 are done"),
        ({"steps": 12, "refine": 3, "minutes": 1e-9}, "training.minutes: got 1e-09, but the run has trained"),
    ):
        for restart in (False, True):
            with pytest.raises(RunError, match=said):
                learn(tmp_path / "run", restart=restart, **keys)


def test_other_keys_that_differ_are_listed_with_both_values(learn, tmp_path):
    learn(tmp_path / "run", steps=4)
    with pytest.raises(RunError) as found:
        learn(tmp_path / "run", steps=8, batch=4, clip=0.5, model={"hidden": 3})
    for part in (
        "another config", "model.hidden is 5 there, 3 here", "training.batch is 8 there, 4 here",
        "training.clip is not given there, 0.5 here", "--overwrite",
    ):  # fmt: skip
        assert part in str(found.value)
    with pytest.raises(RunError, match=r"training.steps is 4 there, 8 here\); go on with --resume, or"):
        learn(tmp_path / "run", steps=8, resume=False)
    learn(tmp_path / "cosine", steps=4, schedule="cosine")
    with pytest.raises(RunError, match="go on with --resume --restart-schedule"):
        learn(tmp_path / "cosine", steps=8, schedule="cosine", resume=False)
    with pytest.raises(RunError, match=r"training.minutes.*go on with --resume, or"):
        learn(tmp_path / "run", steps=4, minutes=3.0, resume=False)
    with pytest.raises(RunError, match="give --resume"):
        learn(tmp_path / "run", steps=8, resume=False, restart=True)


@pytest.mark.parametrize("when", ["best", "last", "config"])
def test_a_kill_while_a_run_takes_another_identity_is_gone_on_from(when, learn, whole, tmp_path, monkeypatch):
    """What is written before the kill is the best weights, the last checkpoint, the config."""
    run = tmp_path / "run"
    learn(run, steps=10)
    evaluate(run)
    with monkeypatch.context() as patch:
        from trajstore.pipeline.learn import checkpoints as module

        plain, written = module.save_checkpoint, []

        def save(path, content):
            if when == "best" and written:
                raise KeyboardInterrupt
            plain(path, content)
            written.append(path.name)
            if when == "last" and path.name == "last.pt":
                raise KeyboardInterrupt

        patch.setattr(module, "save_checkpoint", save)
        if when == "config":
            patch.setattr(module, "cut_curve", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            learn(run, steps=20)
    assert not (run / "metrics.json").exists()
    assert evaluate(run)["test"]["trajectories"] == 10
    learn(run, steps=20)
    assert_same_run(run, whole(steps=20))


def _interrupt(*_):
    raise KeyboardInterrupt


def test_results_of_the_shorter_run_are_not_taken_for_those_of_the_longer_one(learn, tmp_path):
    run = tmp_path / "run"
    learn(run, steps=8)
    evaluate(run)
    learn(run, steps=12)
    assert not (run / "metrics.json").exists()
    with pytest.raises(RunError, match="run `trajstore evaluate"):
        plot(run)
    assert evaluate(run)["training"]["steps"] == 12


def test_what_was_judged_while_a_run_still_learned_is_not_taken_for_what_it_came_to(
    learn, tmp_path, monkeypatch
):
    run, plain, judged = tmp_path / "run", validation_module.mean_squared_error, []

    def looking(*arguments):
        if (run / "last.pt").is_file() and not judged:
            judged.append(evaluate(run)["training"]["steps"])
        return plain(*arguments)

    monkeypatch.setattr(validation_module, "mean_squared_error", looking)
    learn(run, steps=12)
    assert judged == [4]
    assert not (run / "metrics.json").exists()
    assert evaluate(run)["training"]["steps"] == 12


class Clock:
    """A second for each step, so that a minute has 60."""

    def __init__(self, patch):
        self.now, plain = 0.0, FirstOrder.step

        def stepping(learner, number, inputs, targets):
            self.now += 1.0
            return plain(learner, number, inputs, targets)

        patch.setattr(FirstOrder, "step", stepping)
        patch.setattr(clock_module, "perf_counter", lambda: self.now)


def test_minutes_stop_in_time_and_say_that_the_run_is_not_repeatable(learn, whole, tmp_path, monkeypatch):
    run = tmp_path / "run"
    Clock(monkeypatch)
    now = learn(run, steps=40, refine=2, minutes=0.25)
    assert (now.step, now.stopped_by, now.phase) == (15, "minutes", 0)
    summary = json.loads((run / "training.json").read_text())
    assert (summary["stopped_by"], summary["repeatable"]) == ("minutes", False)
    metrics = evaluate(run)
    assert metrics["training"]["repeatable"] is False
    assert "stopped by the clock after 0.25 minutes: not repeatable" in _ending(metrics["training"])
    assert plot(run)
    # The same command finds it ended; more time goes on, as if it had never been stopped.
    assert learn(run, steps=40, refine=2, minutes=0.25).step == 15
    assert learn(run, steps=40, refine=2, minutes=0.5).step == 30
    now = learn(run, steps=40, refine=2)
    assert (now.step, now.stopped_by, now.repeatable) == (42, "steps", True)
    assert_same_run(run, whole(steps=40, refine=2))


def test_time_is_counted_over_all_sittings_of_a_run(learn, tmp_path, monkeypatch):
    run = tmp_path / "run"
    clock = Clock(monkeypatch)
    with monkeypatch.context() as patch:
        stop_at(patch, 9)
        Clock(patch)
        with pytest.raises(KeyboardInterrupt):
            learn(run, steps=40, minutes=0.25)
    clock.now = 1e6
    assert learn(run, steps=40, minutes=0.25).step == 15


def test_a_run_whose_steps_end_before_its_minutes_is_repeatable(learn, tmp_path):
    now = learn(tmp_path / "run", steps=8, minutes=60)
    assert (now.step, now.stopped_by, now.repeatable) == (8, "steps", True)
    learn(tmp_path / "plain", steps=8)
    for file in ("last.pt", "best.pt"):
        one, other = weights(tmp_path / "run", file), weights(tmp_path / "plain", file)
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("step", [1, 3, 9])
def test_whatever_stops_a_run_it_can_be_judged_and_drawn(step, learn, whole, tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_at(patch, step)
        with pytest.raises(KeyboardInterrupt):
            learn(run, steps=20)
    best = load_checkpoint(run / "best.pt")
    assert best["step"] == (8 if step == 9 else step)
    metrics = evaluate(run)
    assert (metrics["training"]["steps"], metrics["training"]["stopped_by"]) == (step, None)
    assert f"training has not ended, {step} steps are done" in _ending(metrics["training"])
    assert plot(run)
    learn(run, steps=20)
    assert_same_run(run, whole(steps=20))


def test_a_kill_before_the_first_evaluation_leaves_weights_too(learn, whole, tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(FirstOrder, "step", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            learn(run, steps=20)
    assert not (run / "last.pt").exists()
    assert load_trained(run)[0].identity == RunConfig.load(run).identity
    assert evaluate(run)["training"]["steps"] == 0
    names = {path.stem for path in plot(run)}
    assert "loss" not in names, "nothing was trained, so that there is no curve"
    assert "error" in names
    learn(run, steps=20)
    assert_same_run(run, whole(steps=20))


def test_checkpoints_of_before_these_keys_are_gone_on_from(learn, tmp_path):
    """As versions wrote them that knew neither how a phase ended nor what a longer run goes on from."""
    new = {"ended", "stopped_by", "schedule_start", "restarts"}
    for refine in (0, 3):
        run, whole = tmp_path / f"old{refine}", tmp_path / f"whole{refine}"
        learn(run, steps=12, refine=refine)
        saved = load_checkpoint(run / "last.pt")
        saved["standing"] = {key: value for key, value in saved["standing"].items() if key not in new}
        saved.pop("going_on", None)
        torch.save(saved, run / "last.pt")
        longer = {"steps": 12, "refine": 5} if refine else {"steps": 20}
        learn(run, **longer)
        learn(whole, **longer)
        for name, value in weights(whole).items():
            assert torch.equal(weights(run)[name], value)


def test_minutes_that_are_left_out_leave_the_identity_as_it_was(experiment, learn, tmp_path):
    assert "minutes" not in experiment().learning()["training"]
    assert experiment(training={"minutes": 5.0}).learning()["training"]["minutes"] == 5.0
    learn(tmp_path / "run", steps=4)
    assert "minutes" not in json.loads((tmp_path / "run/config.json").read_text())["config"]["training"]


def test_a_run_that_is_copied_goes_on_in_both_places(learn, tmp_path):
    learn(tmp_path / "run", steps=8)
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    for name in ("run", "copy"):
        learn(tmp_path / name, steps=12)
    assert_same_run(tmp_path / "run", tmp_path / "copy")
