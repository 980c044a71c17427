"""Real faults, met by the real command: one clear message, nothing that was good is lost, and it goes on later."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import forked
import pytest
import torch
from click.testing import CliRunner
from trajstore.data.base.files import LOCK
from trajstore.data.folder.names import CHECKSUMS, MANIFEST
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.runs.curve import read_curve

pytestmark = pytest.mark.slow

QUICK = Path(__file__).parents[3] / "configs/quick.toml"


def settings(**values: object) -> list[str]:
    return [part for key, value in values.items() for part in ("--set", f"{key.replace('__', '.')}={value}")]


SMALL = settings(
    dataset__train=300,
    dataset__validation=20,
    dataset__test=20,
    dataset__shard_rows=50,
    model__hidden=6,
    training__steps=20,
    training__batch=16,
    training__evaluate_every=10,
    evaluation__rollouts=3,
    evaluation__rollout_lengths=12,
)
REFINED = [*SMALL, *settings(refinement__steps=6, refinement__batch=32, refinement__samples=8)]
SCIPY = settings(engine__name="scipy", engine__method="RK45", engine__tolerance=1e-6)


def generate(out, *more, jobs: int = 2) -> list:
    return ["generate", QUICK, "--out", out, "--jobs", jobs, *SMALL, *more]


def train(data, out, *more) -> list:
    return ["train", QUICK, "--data", data, "--out", out, "--resume", *(more or SMALL)]


def as_command(arguments) -> list[str]:
    return [sys.executable, "-m", "trajstore.pipeline", *map(str, arguments)]


def run(arguments, *, file_limit: int | None = None, plain: bool = False):
    """The command in a process of its own; no file larger than `file_limit`; `plain` has no rights of root."""
    return forked.run(as_command(arguments), file_limit=file_limit, plain=plain)


def succeeds(arguments) -> str:
    """The same command, once the cause is gone; what it printed."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def refused(result, *messages) -> None:
    """One message, of one line, at the end of stderr; exit code 2."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    last = result.stderr.rstrip().splitlines()[-1]
    assert last.startswith("trajstore: ")
    for message in messages:
        assert str(message) in last


def temporary_files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.name == LOCK or path.suffix == ".part"]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def identities(folder: Path, kind: str = "*") -> dict[str, tuple[int, int]]:
    """Inode and time of change of each file; while a command is at work, files of other kinds come and go."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob(kind)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A dataset, and two runs that nothing disturbed; the second has both phases."""
    folder = tmp_path_factory.mktemp("faults")
    data = folder / "dataset"
    for arguments in (
        generate(data),
        train(data, folder / "run"),
        train(data, folder / "refined", *REFINED),
        ["evaluate", folder / "run"],
        ["plot", folder / "run"],
    ):
        succeeds(arguments)
    return folder


@pytest.fixture
def workspace(made, tmp_path):
    """A copy of them that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "work"))


@pytest.fixture
def disk(tmp_path):
    """`disk(size)` is the folder of a small disk of its own; `disk(size)` again changes its size."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def sized(size: str) -> Path:
        options = f"remount,size={size}" if folder.is_mount() else f"size={size}"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"mounting a small disk is not permitted here: {done.stderr.strip()}")
        return folder

    yield sized
    if folder.is_mount():
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def needs_no_privileges(tmp_path):
    """Skips where the rights of root cannot be given up, so that no mode forbids anything."""
    probe = tmp_path / "probe"
    probe.mkdir(mode=0o555)
    touched = subprocess.run(
        ["touch", probe / "file"], capture_output=True, preexec_fn=forked.drop_privileges
    )
    if touched.returncode == 0:
        pytest.skip("the rights of root cannot be given up here")


def same_weights(one: Path, other: Path) -> None:
    for name in ("last.pt", "best.pt"):
        left, right = (torch.load(run / name, weights_only=True)["model"] for run in (one, other))
        assert all(torch.equal(left[key], right[key]) for key in left)
    curves = [[{**row, "seconds": 0} for row in read_curve(run)] for run in (one, other)]
    assert curves[0] == curves[1]


def test_a_full_disk_stops_generate_which_goes_on_when_there_is_room(disk, made):
    folder = disk("100k") / "dataset"
    refused(run(generate(folder)), folder, "No space left on device", "run the same command again")
    assert not (folder / MANIFEST).exists()
    finished = identities(folder)
    assert 0 < len(finished) < 8
    assert all(name.endswith(".h5") for name in finished)
    disk("10m")
    succeeds(generate(folder))
    assert {name: identities(folder)[name] for name in finished} == finished
    assert bytes_of(folder) == bytes_of(made / "dataset")


def test_a_limit_on_file_sizes_stops_the_workers_of_generate_and_is_told(tmp_path):
    folder = tmp_path / "dataset"
    few = [*SCIPY, *settings(dataset__shard_rows=150)]
    refused(run(generate(folder, *few), file_limit=24_000), folder, "train-0000", "File too large", "again")
    assert not list(folder.glob("train-*.h5"))
    succeeds(generate(folder, *few, jobs=1))
    assert not temporary_files(folder)
    assert "sound" in succeeds(["verify", folder])


def test_a_disk_that_fills_up_just_before_the_manifest_costs_no_shard(tmp_path):
    folder = tmp_path / "dataset"
    many = settings(dataset__shard_rows=5)
    # The manifest of so many shards is larger than each of them.
    refused(run(generate(folder, *many), file_limit=36_000), folder, MANIFEST, "File too large")
    shards = identities(folder)
    assert len([name for name in shards if name.endswith(".h5")]) == 68
    assert not (folder / MANIFEST).exists()
    assert "0 shards written" in succeeds(generate(folder, *many))
    assert {name: identities(folder)[name] for name in shards if name.endswith(".h5")} == {
        name: identity for name, identity in shards.items() if name.endswith(".h5")
    }
    assert not temporary_files(folder)


def test_a_full_disk_in_a_checkpoint_leaves_the_one_before_it(disk, made):
    folder = disk("45k") / "run"
    refused(run(train(made / "dataset", folder)), folder, ".pt", "No space left on device", "--resume")
    assert not list(folder.glob("*.part"))
    disk("10m")
    succeeds(train(made / "dataset", folder))
    same_weights(folder, made / "run")
    assert not temporary_files(folder)


def test_a_checkpoint_that_grows_over_the_limit_leaves_the_one_before_it(tmp_path, made):
    # The curvature that the second phase keeps is many times what the first one does.
    folder = tmp_path / "run"
    result = run(train(made / "dataset", folder, *REFINED), file_limit=60_000)
    refused(result, folder, "last.pt", "File too large", "--resume")
    assert torch.load(folder / "last.pt", weights_only=True)["standing"]["step"] == 10
    succeeds(train(made / "dataset", folder, *REFINED))
    same_weights(folder, made / "refined")
    assert not temporary_files(folder)


@pytest.mark.parametrize(("stage", "file"), [("evaluate", "evaluation.npz"), ("plot", "flow.png")])
def test_a_limit_on_file_sizes_leaves_metrics_and_figures_as_they_were(stage, file, workspace):
    folder = workspace / "run"
    before = bytes_of(folder), bytes_of(folder / "figures")
    refused(run([stage, folder], file_limit=400), file, "File too large")
    assert (bytes_of(folder), bytes_of(folder / "figures")) == before
    if stage == "evaluate":
        succeeds([stage, folder])
    assert not temporary_files(folder)


# Command, and the folder that it would write into.
WRITERS = {
    "generate": (lambda work: generate(work / "dataset", *settings(dataset__train=400)), "dataset"),
    "train": (lambda work: train(work / "dataset", work / "run"), "run"),
    "evaluate": (lambda work: ["evaluate", work / "run"], "run"),
    "plot": (lambda work: ["plot", work / "run"], "run/figures"),
    "repair": (lambda work: ["verify", work / "dataset", "--repair"], "dataset"),
}


@pytest.mark.usefixtures("needs_no_privileges")
@pytest.mark.parametrize("stage", WRITERS)
def test_a_folder_that_must_not_be_written_stays_as_it_is(stage, workspace):
    arguments, name = WRITERS[stage]
    folder = workspace / name
    before = bytes_of(folder)
    folder.chmod(0o555)
    refused(run(arguments(workspace), plain=True), folder, "Permission denied")
    folder.chmod(0o755)
    assert bytes_of(folder) == before
    if stage in ("generate", "train", "repair"):
        succeeds(arguments(workspace))
    assert not temporary_files(folder)


def test_a_read_only_disk_is_named_and_a_dataset_on_it_still_serves(disk, made):
    root = disk("10m")
    shutil.copytree(made / "dataset", root / "dataset")
    subprocess.run(["mount", "-o", "remount,ro", root], check=True)
    larger = generate(root / "dataset", *settings(dataset__train=400))
    refused(run(larger), root / "dataset", "Read-only file system")
    assert "sound" in succeeds(["verify", root / "dataset"])
    subprocess.run(["mount", "-o", "remount,rw", root], check=True)
    succeeds(larger)
    assert not temporary_files(root)


@pytest.mark.usefixtures("needs_no_privileges")
def test_a_disk_that_becomes_read_only_under_training_is_told(disk, made):
    folder = disk("10m") / "run"
    longer = [*SMALL, *settings(training__steps=100_000)]
    process = start(train(made / "dataset", folder, *longer))
    waits_for((folder / "last.pt").exists, process)
    # A disk with files open for writing cannot be made read-only; its folder can be forbidden.
    folder.chmod(0o555)
    _, errors = process.communicate(timeout=60)
    folder.chmod(0o755)
    assert process.returncode == 2, errors
    assert "Permission denied" in errors
    assert "with the same command and --resume" in errors
    assert torch.load(folder / "last.pt", weights_only=True)["standing"]["step"] % 10 == 0


@pytest.mark.usefixtures("needs_no_privileges")
@pytest.mark.parametrize(
    ("file", "commands"),
    [
        ("train-00000.h5", ("train", "generate")),
        (MANIFEST, ("info",)),
        (CHECKSUMS, ("verify",)),
    ],
)
def test_a_file_of_a_dataset_that_must_not_be_read_is_named(file, commands, workspace):
    path = workspace / "dataset" / file
    before = bytes_of(workspace / "dataset")
    path.chmod(0)
    for command in commands:
        data = workspace / "dataset"
        arguments = {
            "verify": ["verify", data],
            "info": ["info", data],
            "train": train(data, workspace / "other"),
            "generate": generate(data),
        }[command]
        result = run(arguments, plain=True)
        refused(result, path)
        assert "permission denied" in result.stderr.lower()
        assert "truncated" not in result.stderr
    path.chmod(0o644)
    assert bytes_of(workspace / "dataset") == before
    assert not (workspace / "other").exists()


@pytest.mark.usefixtures("needs_no_privileges")
def test_verify_says_which_shard_it_must_not_read(workspace):
    (workspace / "dataset/train-00001.h5").chmod(0)
    result = run(["verify", workspace / "dataset"], plain=True)
    assert result.returncode == 1
    assert result.stdout.startswith("train-00001.h5: permission denied")


@pytest.mark.usefixtures("needs_no_privileges")
@pytest.mark.parametrize(("file", "stage"), [("best.pt", "evaluate"), ("last.pt", "train")])
def test_a_file_of_a_run_that_must_not_be_read_is_named(file, stage, workspace):
    before = bytes_of(workspace / "run")
    (workspace / "run" / file).chmod(0)
    arguments, _ = WRITERS[stage]
    result = run(arguments(workspace), plain=True)
    refused(result, workspace / "run" / file, "Permission denied")
    assert "again" not in result.stderr, "training again would not help"
    (workspace / "run" / file).chmod(0o644)
    after = bytes_of(workspace / "run")
    # It says where the dataset lies, which was moved.
    del before["config.json"], after["config.json"]
    assert after == before


def start(arguments) -> subprocess.Popen:
    return forked.Popen(
        as_command(arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, plain=True
    )


def waits_for(condition, process, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "it ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def workers_of(process: int) -> list[int]:
    """Its children that work for joblib."""
    children = Path(f"/proc/{process}/task/{process}/children")
    found = map(int, children.read_text().split())
    return [pid for pid in found if b"popen_loky" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def living(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


LONG = [*SCIPY, *settings(dataset__train=500, dataset__shard_rows=25)]
# Some tenths of a second of integration.
MANY = settings(dataset__train=250_000, dataset__shard_rows=10_000)


def test_a_killed_worker_is_told_and_what_was_finished_is_kept(tmp_path):
    folder = tmp_path / "dataset"
    process = start(generate(folder, *LONG))
    waits_for(lambda: list(folder.glob("*.h5")), process)
    finished = identities(folder, "*.h5")
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert f"trajstore: {folder}: a worker process was killed" in errors
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    shards = identities(folder, "*.h5")
    assert not (folder / MANIFEST).exists()
    assert all(shards[name] == finished[name] for name in finished)
    succeeds(generate(folder, *LONG, jobs=1))
    after = identities(folder)
    assert all(after[name] == shards[name] for name in shards)
    assert not temporary_files(folder)
    assert "sound" in succeeds(["verify", folder])


def test_workers_end_soon_after_their_parent_was_killed(tmp_path):
    folder = tmp_path / "dataset"
    process = start(generate(folder, *LONG))
    waits_for(lambda: list(folder.glob("*.h5")), process)
    workers = workers_of(process.pid)
    assert len(workers) == 2
    process.kill()
    process.wait()
    process.stderr.close()
    deadline = time.monotonic() + 10
    while any(map(living, workers)):
        assert time.monotonic() < deadline, "they outlive it"
        time.sleep(0.05)


def test_a_shard_that_goes_while_the_others_are_made_is_missed(tmp_path):
    folder = tmp_path / "dataset"
    process = start(generate(folder, *MANY))
    waits_for(lambda: len(list(folder.glob("*.h5"))) > 1, process)
    removed, shortened = sorted(folder.glob("*.h5"))[:2]
    removed.unlink()
    os.truncate(shortened, shortened.stat().st_size // 2)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert "was removed or changed while the dataset was made; run the same command again" in errors
    assert str(removed) in errors or str(shortened) in errors
    assert not (folder / MANIFEST).exists()
    assert "2 shards written" in succeeds(generate(folder, *MANY))
    assert "sound" in succeeds(["verify", folder])


@pytest.mark.parametrize("damage", ["deleted", "cut off", "emptied"])
def test_training_says_which_shard_is_damaged_and_goes_on_when_it_is_back(damage, workspace, made):
    shard = workspace / "dataset/train-00000.h5"
    whole = shard.read_bytes()
    run_folder = workspace / "again"
    if damage == "deleted":
        shard.unlink()
    else:
        shard.write_bytes(whole[:-5000] if damage == "cut off" else b"")
    result = CliRunner().invoke(main, [str(part) for part in train(workspace / "dataset", run_folder)])
    assert result.exit_code == 2
    assert f"trajstore: {shard}: " in result.stderr
    succeeds(generate(workspace / "dataset"))
    assert shard.read_bytes() == whole
    succeeds(train(workspace / "dataset", run_folder))
    same_weights(run_folder, made / "run")


def holder(process) -> str:
    return f"process {process.pid} on {socket.gethostname()} works in this folder; wait until it has ended"


def test_a_second_generate_is_told_who_works_in_the_folder_and_disturbs_nothing(tmp_path):
    folder = tmp_path / "dataset"
    process = start(generate(folder, *MANY))
    waits_for(lambda: list(folder.glob("*.h5")), process)
    for arguments in (generate(folder, *MANY), ["verify", folder, "--repair"]):
        second = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert second.exit_code == 2
        assert holder(process) in second.stderr
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert not temporary_files(folder)
    assert "sound" in succeeds(["verify", folder])


def test_a_second_training_is_told_who_trains_and_goes_on_when_that_one_was_killed(made, tmp_path):
    folder = tmp_path / "run"
    long = [*SMALL, *settings(training__steps=1000, training__evaluate_every=50)]
    process = start(train(made / "dataset", folder, *long))
    waits_for((folder / "last.pt").exists, process)
    arguments = [str(argument) for argument in train(made / "dataset", folder, *long)]
    second = CliRunner().invoke(main, arguments)
    assert second.exit_code == 2
    assert holder(process) in second.stderr
    process.kill()
    process.communicate()
    assert (folder / LOCK).exists(), "the lock of a dead process is left"
    succeeds(arguments)
    assert not temporary_files(folder)
    assert json.loads((folder / "training.json").read_text())["steps"] == 1000


def test_a_finished_training_says_that_there_is_nothing_to_do(workspace):
    before = torch.load(workspace / "run/last.pt", weights_only=True)["model"]
    assert "was trained to its end before; nothing to do" in succeeds(
        train(workspace / "dataset", workspace / "run")
    )
    after = torch.load(workspace / "run/last.pt", weights_only=True)["model"]
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("name", [MANIFEST, CHECKSUMS, LOCK, "train-00001.h5", "train-00001.h5.7.part"])
def test_a_folder_in_the_place_of_a_dataset_file_is_named_and_kept(name, workspace):
    path = workspace / "dataset" / name
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "mine").write_text("precious")
    for more in ([], ["--overwrite"]):
        result = CliRunner().invoke(main, [str(part) for part in (*generate(path.parent), *more)])
        assert result.exit_code == 2, result.output
        assert name in result.stderr
        assert result.stderr.count("\n") == 1 or "integrate" in result.stderr
        assert "Traceback" not in result.stderr
    assert (path / "mine").read_text() == "precious"
    shutil.rmtree(path)
    succeeds(generate(path.parent))
    assert not temporary_files(path.parent)


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", LOCK, "best.pt"])
def test_a_folder_in_the_place_of_a_runs_file_is_named(name, workspace):
    folder = workspace / "run"
    for file in ("training.json", "last.pt", name):
        (folder / file).unlink(missing_ok=True)
    (folder / name).mkdir()
    arguments = [str(part) for part in train(workspace / "dataset", folder)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    assert name in result.stderr
    assert "Traceback" not in result.stderr
