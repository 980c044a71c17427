"""Several processes train as one: the same curve, each row once, one voice, and they end together."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import forked
import pytest
import torch
from torch.distributed import TCPStore
from trajstore.data import TrajectoryDataset
from trajstore.pipeline import RunError, train
from trajstore.pipeline.config.file import load_learning
from trajstore.pipeline.learn.device import choose_device, place
from trajstore.pipeline.learn.first_order import FirstOrder
from trajstore.pipeline.learn.ranks import ALONE, Ranks
from trajstore.pipeline.runs.curve import read_curve
from trajstore.pipeline.runs.device import choose_threads
from trajstore.pipeline.runs.files import load_checkpoint
from trajstore.pipeline.runs.model import build_model

pytestmark = pytest.mark.slow

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
FORCED = {
    "task": {"name": "forecast", "normalize": True},
    "model": {"name": "shplrnn", "hidden": 6, "units": 3},
    "training": {
        "batch": 14,
        "steps": 20,
        "evaluate_every": 7,
        "optimizer": "radam",
        "schedule": "constant",
        "learner": {"name": "forced", "noise": 0.05, "penalty": 1e-4},
        "threads": 1,
    },
}
# Of the 70 rows, 5 a block and 15 a fill.
IN_BLOCKS = {"shuffle": "block", "block_bytes": 840, "buffer_bytes": 5_040}


def under_torchrun(*arguments):
    """torchrun; the two processes are its children."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return forked.Popen([*command, *arguments], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


@contextmanager
def two(*arguments):
    """Two processes, of ranks 0 and 1, that find one another as under torchrun; none outlives the block."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    shared = {
        **ENVIRONMENT,
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
    processes = [
        forked.Popen(
            [sys.executable, *arguments],
            env={**shared, "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def training(config, data, run, *options):
    return "-m", "trajstore.pipeline", "train", config, "--data", data, "--out", run, *options


def finish(process, seconds=60):
    """Stderr and exit code; where it hangs, it is ended, as are the processes that torchrun started."""
    try:
        return process.communicate(timeout=seconds)[1], process.returncode
    except subprocess.TimeoutExpired:
        process.terminate()
        raise AssertionError(process.communicate()[1]) from None


def finish_both(processes, seconds=60):
    """Stderr of both, and their exit codes."""
    ends = [finish(process, seconds) for process in processes]
    return "".join(said for said, _ in ends), [code for _, code in ends]


def ranks_of(process):
    """Process ids of the ranks that torchrun started, by rank."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    found = {}
    for child in children:
        for variable in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
            if variable.startswith(b"RANK="):
                found[int(variable[5:])] = int(child)
    return found


def wait_for_a_checkpoint(process, run):
    before = time.monotonic()
    while not (run / "last.pt").exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() - before < 60
        time.sleep(0.02)


def last_step(run):
    return load_checkpoint(run / "last.pt")["standing"]["step"]


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
from trajstore.pipeline.learn import levenberg_marquardt as second_order
from trajstore.pipeline import check_config
from trajstore.pipeline import RunError
from trajstore.pipeline import train

second_order.CHUNK = 13

data, out, configs = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
rank = os.environ["RANK"]
read = TrajectoryDataset.__getitem__
rows = []

def reading(self, index):
    # A slice is the look at one sample that comes before anything is learned.
    if self.store.split == "train" and not isinstance(index, slice):
        rows.extend(index.tolist())
    return read(self, index)

TrajectoryDataset.__getitem__ = reading
for name, config in configs.items():
    rows.clear()
    try:
        folder, more, _ = name.partition("+")
        train(check_config(config, "test"), data, out / folder, resume=bool(more))
    except RunError as error:
        (out / f"{name}.{rank}").write_text(str(error))
    except KeyboardInterrupt:
        (out / f"{name}.{rank}").write_text("interrupted")
    else:
        (out / f"{name}.{rank}").write_text(json.dumps(rows))
"""


def test_two_processes_train_as_one(experiment, small_dataset, tmp_path, monkeypatch):
    """SGD, in blocks, in parts, too; Adam, then Levenberg-Marquardt; forced; what cannot be done, raised by all;
    Ctrl-C.
    """
    monkeypatch.setattr("trajstore.pipeline.learn.levenberg_marquardt.CHUNK", 13)
    configs = {
        "sgd": SGD,
        "adam": LEARNING,
        "forced": FORCED,
        "block": {**SGD, "training": {**SGD["training"], **IN_BLOCKS}},
        "parts": {**SGD, "training": {**SGD["training"], "steps": 25}},
        "parts+more": SGD,
        "late": {**SGD, "training": {**SGD["training"], "minutes": 1e-9}},
        "one-epoch": {**SGD, "training": {**SGD["training"], "steps": 5}},
        "uneven": {**SGD, "training": {**SGD["training"], "batch": 15}},
        "wild": {**SGD, "training": {**SGD["training"], "learning_rate": 1e30, "clip": None}},
        "taken": SGD,
        "endless": {**SGD, "training": {**SGD["training"], "steps": 1_000_000}},
    }
    configs = {name: experiment(**sections) for name, sections in configs.items()}
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "config.json").write_text("{}")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    dumped = json.dumps({name: config.model_dump() for name, config in configs.items()})
    with two(script, small_dataset, tmp_path, dumped) as processes:
        wait_for_a_checkpoint(processes[0], tmp_path / "endless")
        for process in processes:
            process.send_signal(signal.SIGINT)
        said, codes = finish_both(processes)
    assert codes == [0, 0], said
    for name in ("sgd", "adam", "forced", "block"):
        train(configs[name], small_dataset, tmp_path / "alone" / name)
        assert_same_curve(tmp_path / "alone" / name, tmp_path / name)
        summaries = [
            json.loads((run / name / "training.json").read_text()) for run in (tmp_path, tmp_path / "alone")
        ]
        assert summaries[0]["best_step"] == summaries[1]["best_step"]
    alphas = [
        load_checkpoint(run / "forced/last.pt")["learner"]["alpha"] for run in (tmp_path, tmp_path / "alone")
    ]
    assert alphas[0] == pytest.approx(alphas[1], rel=1e-6)
    assert alphas[0] < 1
    for file in ("last.pt", "best.pt"):
        parts, whole = (load_checkpoint(tmp_path / name / file)["model"] for name in ("parts", "sgd"))
        assert all(torch.equal(parts[key], whole[key]) for key in whole)
    late = json.loads((tmp_path / "late/training.json").read_text())
    assert (late["steps"], late["stopped_by"], late["repeatable"]) == (7, "minutes", False)
    rows = [json.loads((tmp_path / f"one-epoch.{rank}").read_text()) for rank in (0, 1)]
    assert len(rows[0]) == len(rows[1]) == 35
    assert sorted(rows[0] + rows[1]) == list(range(70)), "every row once an epoch, by one process"
    for rank in (0, 1):
        uneven = (tmp_path / f"uneven.{rank}").read_text()
        assert uneven.startswith("training.batch: batches of 15 cannot be dealt evenly to 2 processes")
        assert "the loss is" in (tmp_path / f"wild.{rank}").read_text()
        taken = (tmp_path / f"taken.{rank}").read_text()
        assert "taken/config.json: cannot be read" in taken, "only the first process looks, all tell"
        assert (tmp_path / f"endless.{rank}").read_text() == "interrupted"
    # All that the curve tells was saved, and no step more.
    assert last_step(tmp_path / "endless") == list(read_curve(tmp_path / "endless"))[-1]["step"]
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
steps = 200
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
    """Two under torchrun, of which one gets a real SIGTERM; one, stopped; two again, to the end."""
    run = tmp_path / "run"
    process = under_torchrun(*training(config, small_dataset, run))
    wait_for_a_checkpoint(process, run)
    os.kill(ranks_of(process)[1], signal.SIGTERM)
    stderr, code = finish(process)
    assert code != 0
    assert stderr.count("trajstore: interrupted; the same command with --resume goes on") == 1
    assert stderr.count("exitcode  : 130 ") == 2, "torchrun's own report"
    assert 10 <= last_step(run) < 150
    learning = load_learning(config, ())
    plain = FirstOrder.step
    with pytest.MonkeyPatch.context() as patch:

        def interrupting(self, number, inputs, targets):
            if number == 150:
                os.kill(os.getpid(), signal.SIGINT)
            return plain(self, number, inputs, targets)

        patch.setattr(FirstOrder, "step", interrupting)
        with pytest.raises(KeyboardInterrupt):
            train(learning, small_dataset, run, resume=True)
    assert last_step(run) == 151
    with two(*training(config, small_dataset, run, "--resume")) as processes:
        stderr, codes = finish_both(processes)
    assert codes == [0, 0], stderr
    assert stderr.count("200/200 steps") == 1, "progress is shown once"
    assert stderr.count("200 steps in") == 1
    train(learning, small_dataset, tmp_path / "whole")
    assert_same_curve(tmp_path / "whole", run)


def test_when_one_process_is_killed_the_other_ends_and_the_checkpoint_is_kept(
    config, small_dataset, tmp_path
):
    run = tmp_path / "run"
    endless = training(config, small_dataset, run, "--set", "training.steps=1000000")
    with two(*endless) as (first, other):
        wait_for_a_checkpoint(first, run)
        other.kill()
        stderr, code = finish(first, seconds=20)
    assert code == 2
    assert stderr.count("trajstore: a process of this training is gone. The last checkpoint is kept") == 1
    assert last_step(run) >= 10
    assert not list(run.glob("*.part"))


def test_an_error_that_all_find_is_said_once(config, small_dataset, tmp_path):
    with two(*training(config, small_dataset, tmp_path / "run", "--set", "training.bogus=1")) as processes:
        stderr, codes = finish_both(processes)
    assert codes == [2, 2], stderr
    assert stderr.count("training.bogus: unknown key") == 1
    assert not (tmp_path / "run").exists()


def test_processes_of_a_machine_share_its_cores(experiment, monkeypatch):
    monkeypatch.setattr("trajstore.pipeline.runs.device.cpu_count", lambda: 8)

    def threads(hidden, batch, processes=1, here=1):
        model = build_model(experiment(model={"hidden": hidden}), 2, 2)
        return choose_threads(None, model.work(batch // processes), here)

    assert threads(200, 4096) == 8
    assert threads(200, 4096, 4, 4) == 2
    assert threads(200, 4096, 16, 16) == 1
    assert threads(200, 4096, 4, 2) == 4, "two machines"
    assert threads(140, 128) == 8
    assert threads(140, 128, 2, 2) == 1, "the share of each is small"
    assert choose_threads(3, 1e12) == 3


def test_one_named_gpu_is_not_for_several_processes():
    with pytest.raises(RunError, match=r"training.device: 'cuda:1' is one device for 2 processes"):
        choose_device("cuda:1", Ranks(0, 2, 0, 2))


def test_a_dataset_goes_to_a_gpu_only_if_it_fits(small_dataset, monkeypatch):
    dataset = TrajectoryDataset(small_dataset)
    assert place(dataset, torch.device("cpu")) is dataset
    bytes_needed = 70 * 21 * 2 * 4
    for free, fits in ((2 * bytes_needed - 2, False), (2 * bytes_needed, True)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, 10 * free))
        monkeypatch.setattr(
            "trajstore.pipeline.learn.device.ResidentDataset", lambda dataset, device: "resident"
        )
        assert (place(dataset, torch.device("cuda")) == "resident") == fits


def test_a_process_alone_agrees_with_itself():
    values = torch.arange(3.0)
    assert ALONE.first
    assert ALONE.sum(values) is values
    assert ALONE.mean(values) is values
    assert ALONE.from_first("x") == "x"
    assert ALONE.share("training.batch", 7) == 7
