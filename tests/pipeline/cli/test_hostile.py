"""Equations and checkpoints from strangers: refused with a message, in little time and memory, and never run."""

import io
import json
import os
import pickle
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from trajstore.data import TrajstoreError, read_shard
from trajstore.data.base.hashing import canonical_json
from trajstore.models import make_model
from trajstore.pipeline import RunError, load_trained, reintegrate
from trajstore.pipeline.runs import files as run_files
from trajstore.pipeline.runs.files import load_arrays, load_checkpoint, save_checkpoint
from trajstore.pipeline.runs.folder import RunConfig

FILE = "train-00001.h5"
SECONDS = 20.0

EQUATIONS = {
    "import": "__import__('os').system('touch {}')",
    "attribute": "x1.__class__.__mro__",
    "long number": "9" * 9000,
    "tower": "9**9**9**9",
    "huge power": "x1**1000000",
    "deep": "(" * 4000 + "x1" + ")" * 4000,
    "a million terms": "+".join(["x1"] * 1_000_000),
    "null byte": "x1\0",
    "lambda": "(lambda: 1)()",
}


def forged_and_integrated(dataset: Path, forge, system: dict) -> None:
    forge(dataset, FILE, attributes={"system": canonical_json(system)})
    reintegrate(dataset, 10)


@pytest.mark.slow
@pytest.mark.parametrize("case", EQUATIONS)
def test_equations_that_are_none_are_refused_by_reintegration_and_never_run(
    dataset_copy, forge, tmp_path, time_limit, case
):
    system = json.loads(str(read_shard(dataset_copy / FILE).attributes["system"]))
    system["equations"]["x2"] = EQUATIONS[case].replace("{}", f"{tmp_path}/owned")
    with time_limit(SECONDS), pytest.raises(TrajstoreError):
        forged_and_integrated(dataset_copy, forge, system)
    assert not (tmp_path / "owned").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("states", "text"), [(100_000, "1"), (500, "x0"), (20, "+".join(["sin(x0*x1)"] * 900))]
)
def test_a_system_that_only_wants_our_time_is_refused(dataset_copy, forge, time_limit, states, text):
    system = json.loads(str(read_shard(dataset_copy / FILE).attributes["system"]))
    names = [f"x{number}" for number in range(states)]
    system |= {"states": names, "equations": dict.fromkeys(names, text), "parameters": {}}
    system["initial_state"] = {name: [0.0, 1.0] for name in names}
    with time_limit(SECONDS), pytest.raises(TrajstoreError):
        forged_and_integrated(dataset_copy, forge, system)


def described(**model) -> dict:
    return asdict(
        RunConfig(
            config={"model": {"name": "lstm", "hidden": 2, **model}},
            dataset={"id": "0", "path": ".", "relative": "."},
            identity="0",
            normalizer=None,
            components=["x1", "x2"],
        )
    )


WEIGHTS = make_model("lstm", 2, 2, hidden=2).state_dict()


class Touch:
    """A pickle that runs code where it may."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def packed(path: Path, compression: int, name: str, content: bytes) -> None:
    """The members of a checkpoint, one of them replaced."""
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for member, old in members.items():
            archive.writestr(member, content if member.endswith(name) else old)


@pytest.mark.parametrize("kind", ["pickle", "legacy", "within"])
def test_a_checkpoint_that_would_run_code_does_not(tmp_path, kind):
    path, owned = tmp_path / "best.pt", tmp_path / "owned"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Touch(owned)))
    else:
        torch.save(
            {"run": described(), "model": WEIGHTS, "spare": Touch(owned)},
            path,
            _use_new_zipfile_serialization=kind == "within",
        )
    with pytest.raises(RunError, match=r"best\.pt: cannot be read as a checkpoint"):
        load_trained(path)
    assert not owned.exists()


@pytest.mark.slow
def test_a_checkpoint_that_is_packed_is_refused_unread(tmp_path, time_limit):
    path = tmp_path / "best.pt"
    save_checkpoint(path, {"run": described(), "model": WEIGHTS})
    assert load_trained(path)[1] is not None
    packed(path, zipfile.ZIP_DEFLATED, "data/0", bytes(64 << 20))
    assert path.stat().st_size < 1 << 20
    with time_limit(SECONDS), pytest.raises(RunError, match=r"unpacks to|compressed"):
        load_checkpoint(path)
    packed_little = tmp_path / "last.pt"
    save_checkpoint(packed_little, {"run": described(), "model": WEIGHTS, "text": "a" * 100_000})
    with zipfile.ZipFile(packed_little) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(packed_little, "w", zipfile.ZIP_STORED) as archive:
        for index, (member, old) in enumerate(members.items()):
            archive.writestr(
                member, old, compress_type=zipfile.ZIP_DEFLATED if index == 1 else zipfile.ZIP_STORED
            )
    with pytest.raises(RunError, match="compressed"):
        load_checkpoint(packed_little)


MODELS = {
    "hidden": {"hidden": 2_000_000},
    "hidden beyond integers": {"hidden": 10**30},
    "layers": {"layers": 10**9},
    "encoder": {"encoder": [10**6, 10**6]},
    "layers of an encoder": {"encoder": [1] * 10_000},
}


@pytest.mark.parametrize("case", MODELS)
def test_a_gigantic_model_in_a_checkpoint_is_not_built(tmp_path, time_limit, case):
    path = tmp_path / "best.pt"
    save_checkpoint(path, {"run": described(**MODELS[case]), "model": WEIGHTS})
    with time_limit(SECONDS), pytest.raises(RunError, match=r"best\.pt: "):
        load_trained(path)


def test_weights_that_pretend_to_be_gigantic_are_refused(tmp_path, time_limit):
    # One number, seen as sixty-four terabytes.
    path = tmp_path / "best.pt"
    with torch.device("meta"):
        shapes = {
            name: one.shape for name, one in make_model("lstm", 2, 2, hidden=2_000_000).state_dict().items()
        }
    weights = {name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}
    save_checkpoint(path, {"run": described(hidden=2_000_000), "model": weights})
    with time_limit(SECONDS), pytest.raises(RunError, match="do not fit"):
        load_trained(path)


@pytest.mark.parametrize("content", [[1], 3, {"model": 3}, {"run": 3, "model": WEIGHTS}, {"run": {"a": 1}}])
def test_a_checkpoint_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "best.pt"
    torch.save(content, path)
    with pytest.raises(RunError, match=r"best\.pt"):
        load_trained(path)


def test_a_checkpoint_that_is_no_file_is_refused_unopened(tmp_path, time_limit):
    os.mkfifo(tmp_path / "best.pt")
    with time_limit(SECONDS), pytest.raises(RunError, match="no regular file"):
        load_checkpoint(tmp_path / "best.pt")


def test_arrays_that_unpack_without_bound_or_run_code_are_refused(tmp_path, time_limit, monkeypatch):
    monkeypatch.setattr(run_files, "MAX_ARRAYS_BYTES", 16 << 20)
    path = tmp_path / "evaluation.npz"
    np.savez_compressed(path, true=np.ones(3))
    assert load_arrays(path)["true"].tolist() == [1.0] * 3
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**28,)})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("true.npy", "w") as member:
        member.write(header.getvalue())
        for _ in range(17):
            member.write(bytes(1 << 20))
    with time_limit(SECONDS), pytest.raises(ValueError, match="unpacks to"):
        load_arrays(path)
    with zipfile.ZipFile(path, "w") as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f8", "fortran_order": False, "shape": (2**50,)}
        )
        archive.writestr("true.npy", header.getvalue())
    with time_limit(SECONDS), pytest.raises(ValueError, match=r"memory|allocate|read"):
        load_arrays(path)
    np.savez(path, true=np.array([Touch(tmp_path / "owned")], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        load_arrays(path)
    assert not (tmp_path / "owned").exists()


def test_a_runs_config_that_is_deep_or_endless_is_refused(tmp_path, time_limit):
    for text in ("[" * 100_000, '{"config": ' * 5000, "7", '{"a": 1}'):
        (tmp_path / "config.json").write_text(text)
        with time_limit(SECONDS), pytest.raises(RunError, match=r"config\.json"):
            RunConfig.load(tmp_path)
    os.truncate(tmp_path / "config.json", 65 << 20)
    with time_limit(SECONDS), pytest.raises(RunError, match="more than"):
        RunConfig.load(tmp_path)
