"""Several processes under torchrun train as one: the same curve, each row once, one voice, and they end together."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from trajstore.data import TrajectoryDataset, make_loader
from trajstore.pipeline.config import RefinementSection
from trajstore.pipeline.device import choose_device, choose_threads
from trajstore.pipeline.ranks import ALONE, Ranks
from trajstore.pipeline.run import RunError, load_checkpoint, read_curve
from trajstore.pipeline.train import train

# No warning in any process; and the ranks find one another over loopback, whatever the host is called.
ENVIRONMENT = {
    **os.environ,
    "PYTHONWARNINGS": "error",
    "OMP_NUM_THREADS": "1",
    "GLOO_SOCKET_IFNAME": "lo",
}
LEARNING = {
    "model": {"hidden": 6, "encoder": [5]},
    "task": {"normalize": True},
    "training": {
        "batch": 10,
        "steps": 60,
        "evaluate_every": 7,
        "learning_rate": 0.02,
        "clip": 0.5,
        "warmup": 5,
        "threads": 1,
    },
    # Neither the samples nor the chunks that they are taken in are dealt evenly.
    "refinement": {"steps": 9, "samples": 31, "batch": 64, "evaluate_every": 4},
}
SGD = {
    **LEARNING,
    "training": {**LEARNING["training"], "optimizer": "sgd", "batch": 14, "schedule": "constant"},
    "refinement": {},
}


def start(*arguments, stderr=subprocess.PIPE):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.Popen(
        [*command, *map(str, arguments)], env=ENVIRONMENT, stdout=stderr, stderr=stderr, text=True
    )


def start_training(config, data, run, *options):
    return start("-m", "trajstore.pipeline", "train", config, "--data", data, "--out", run, *options)


def finish(process, seconds=60):
    """Exit code and stderr; the processes never outlive a test."""
    try:
        return process.communicate(timeout=seconds)[1], process.returncode
    finally:
        process.kill()


def ranks_of(process):
    """Process ids of the ranks that torchrun started, by rank."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    found = {}
    for child in children:
        for variable in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
            if variable.startswith(b"RANK="):
                found[int(variable[5:])] = int(child)
    return found


def wait_for_a_checkpoint(process, run, beyond=0):
    before = time.monotonic()
    while not any(row["step"] > beyond for row in read_curve(run)):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() - before < 60
        time.sleep(0.02)


def assert_same_curve(left, right):
    one, other = list(read_curve(left)), list(read_curve(right))
    assert [(row["step"], row["phase"]) for row in one] == [(row["step"], row["phase"]) for row in other]
    for row, same in zip(one, other, strict=True):
        for key in ("loss", "smoothed_loss", "validation_mse"):
            assert row.get(key) == pytest.approx(same.get(key), abs=1e-5), (key, row["step"])


SCRIPT = """
import json, os, sys
from pathlib import Path
from trajstore.data import TrajectoryDataset
from trajstore.pipeline.config_file import check_config
from trajstore.pipeline.run import RunError
from trajstore.pipeline.train import train

data, out, configs = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
rank = os.environ["RANK"]
read = TrajectoryDataset.__getitem__
rows = []

def reading(self, index):
    if self.store.split == "train":
        rows.extend(index.tolist())
    return read(self, index)

TrajectoryDataset.__getitem__ = reading
for name, config in configs.items():
    rows.clear()
    try:
        train(check_config(config, "test"), data, out / name)
    except RunError as error:
        (out / f"{name}.{rank}").write_text(str(error))
    else:
        (out / f"{name}.{rank}").write_text(json.dumps(rows))
"""


def test_two_processes_train_as_one(experiment, small_dataset, tmp_path):
    """SGD, then Adam with clipping and warm-up, then Levenberg-Marquardt; and what cannot be done, said by all."""
    configs = {
        "sgd": SGD,
        "adam": LEARNING,
        "one-epoch": {**SGD, "training": {**SGD["training"], "steps": 5}},
        "uneven": {**SGD, "training": {**SGD["training"], "batch": 15}},
        "wild": {**SGD, "training": {**SGD["training"], "learning_rate": 1e30, "clip": None}},
    }
    configs = {name: experiment(**sections) for name, sections in configs.items()}
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    dumped = json.dumps({name: config.model_dump() for name, config in configs.items()})
    stderr, code = finish(start(script, small_dataset, tmp_path, dumped))
    assert code == 0, stderr
    for name in ("sgd", "adam"):
        train(configs[name], small_dataset, tmp_path / "alone" / name)
        assert_same_curve(tmp_path / "alone" / name, tmp_path / name)
        summaries = [
            json.loads((run / name / "training.json").read_text()) for run in (tmp_path, tmp_path / "alone")
        ]
        assert summaries[0]["best_step"] == summaries[1]["best_step"]
    rows = [json.loads((tmp_path / f"one-epoch.{rank}").read_text()) for rank in (0, 1)]
    assert len(rows[0]) == len(rows[1]) == 35
    assert sorted(rows[0] + rows[1]) == list(range(70)), "every row once an epoch, by one process"
    for rank in (0, 1):
        uneven = (tmp_path / f"uneven.{rank}").read_text()
        assert uneven.startswith("training.batch: batches of 15 cannot be dealt evenly to 2 processes")
        assert "the loss is" in (tmp_path / f"wild.{rank}").read_text()
    assert not (tmp_path / "uneven").exists(), "nothing was begun"


CONFIG = """
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
shard_rows = 32
[task]
normalize = true
[model]
hidden = 6
[training]
learning_rate = 2e-3
batch = 14
steps = 400
evaluate_every = 10
threads = 1
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


def test_stopped_and_resumed_with_other_numbers_of_processes_is_the_same(
    experiment, config, small_dataset, tmp_path
):
    """Two, stopped by a real SIGINT; one, stopped; two again, to the end."""
    run = tmp_path / "run"
    process = start_training(config, small_dataset, run)
    wait_for_a_checkpoint(process, run)
    process.send_signal(signal.SIGINT)
    stderr, code = finish(process)
    assert code != 0
    assert stderr.count("trajstore: interrupted; the same command with --resume goes on") == 1
    first = load_checkpoint(run / "last.pt")["standing"]["step"]
    assert 10 <= first < 300
    from trajstore.pipeline.config_file import load_learning

    learning = load_learning(config, ())
    from trajstore.pipeline import train as module

    plain = module.FirstOrder.step
    with pytest.MonkeyPatch.context() as patch:

        def interrupting(self, number, inputs, targets):
            if number == 330:
                os.kill(os.getpid(), signal.SIGINT)
            return plain(self, number, inputs, targets)

        patch.setattr(module.FirstOrder, "step", interrupting)
        with pytest.raises(KeyboardInterrupt):
            train(learning, small_dataset, run, resume=True)
    assert load_checkpoint(run / "last.pt")["standing"]["step"] == 331
    stderr, code = finish(start_training(config, small_dataset, run, "--resume"))
    assert code == 0, stderr
    assert stderr.count("400/400 steps") == 1, "progress is shown once"
    assert stderr.count("400 steps in") == 1
    train(learning, small_dataset, tmp_path / "whole")
    assert_same_curve(tmp_path / "whole", run)


def test_when_one_process_is_killed_the_other_ends_and_the_checkpoint_is_kept(
    config, small_dataset, tmp_path
):
    run = tmp_path / "run"
    process = start_training(config, small_dataset, run, "--set", "training.steps=1000000")
    wait_for_a_checkpoint(process, run)
    ranks = ranks_of(process)
    os.kill(ranks[1], signal.SIGKILL)
    stderr, code = finish(process, seconds=20)
    assert code != 0
    assert stderr.count("trajstore: a process of this training is gone. The last checkpoint is kept") == 1
    assert not Path(f"/proc/{ranks[0]}").exists()
    assert load_checkpoint(run / "last.pt")["standing"]["step"] >= 10
    assert not list(run.glob("*.part"))


def test_an_error_is_said_once_and_by_all_exit_codes(config, small_dataset, tmp_path):
    stderr, code = finish(
        start_training(config, small_dataset, tmp_path / "run", "--set", "training.bogus=1")
    )
    assert code != 0
    assert stderr.count("training.bogus: unknown key") == 1
    assert stderr.count("exitcode  : 2 ") == 2, "torchrun's own report: both ended so"
    assert not (tmp_path / "run").exists()


def test_a_failure_of_the_first_process_is_that_of_all(config, small_dataset, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text("{}")
    stderr, code = finish(start_training(config, small_dataset, run))
    assert code != 0
    assert stderr.count("trajstore: ") == 1
    assert stderr.count("exitcode  : 2 ") == 2
