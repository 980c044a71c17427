"""The manifest: what it says can be checked without trajstore, and nothing else passes for one."""

import json
import subprocess

import h5py
import pytest
from click.testing import CliRunner
from trajstore.data import FormatError, Manifest, TrajectoryDataset, load_manifest, verify
from trajstore.data.folder.manifest_reading import manifest_of_file
from trajstore.data.folder.names import CHECKSUMS, DOCUMENTS, MANIFEST
from trajstore.data.shard.shard import inspect_shard
from trajstore.pipeline.cli.main import main


def test_sha256sum_finds_every_file_as_it_should_be(small_dataset):
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", CHECKSUMS],
        cwd=small_dataset,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    files = {path.name for path in small_dataset.iterdir()} - {CHECKSUMS}
    assert {line.removesuffix(": OK") for line in done.stdout.splitlines()} == files


def test_the_checksums_are_what_sha256sum_prints(small_dataset):
    text = (small_dataset / CHECKSUMS).read_text()
    names = [line.split()[1] for line in text.splitlines()]
    printed = subprocess.run(
        ["sha256sum", *names], cwd=small_dataset, capture_output=True, text=True, timeout=60
    )
    assert printed.stdout == text


def test_sha256sum_finds_a_changed_shard(dataset_copy):
    path = dataset_copy / "train-00001.h5"
    raw = bytearray(path.read_bytes())
    raw[-100] ^= 1
    path.write_bytes(raw)
    done = subprocess.run(
        ["sha256sum", "-c", CHECKSUMS], cwd=dataset_copy, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "train-00001.h5: FAILED" in done.stdout


def test_the_manifest_counts_what_is_in_the_files(small_dataset, failing_dataset):
    for folder in (small_dataset, failing_dataset):
        manifest = json.loads((folder / MANIFEST).read_text())
        files = []
        for split, record in manifest["splits"].items():
            rows = failed = 0
            for shard in record["shards"]:
                files.append(shard["file"])
                path = folder / shard["file"]
                assert shard["bytes"] == path.stat().st_size
                with h5py.File(path) as file:
                    assert shard["first_row"] == rows == file["trajectory"][0]
                    assert shard["rows"] == len(file["state"])
                    assert shard["failed"] == (file["status"][()] != 0).sum()
                    assert file.attrs["split"] == split
                rows += shard["rows"]
                failed += shard["failed"]
            assert (record["trajectories"], record["failed"]) == (rows, failed)
        assert sorted(files) == sorted(path.name for path in folder.glob("*.h5"))


def test_the_manifest_can_be_rebuilt_from_the_shards_alone(small_dataset):
    kept = load_manifest(small_dataset)
    with h5py.File(small_dataset / "train-00000.h5") as file:
        recipe, system = json.loads(file.attrs["config"]), json.loads(file.attrs["system"])
        components = list(file["component"].asstr()[()])
    records = [inspect_shard(path)[0] for path in small_dataset.glob("*.h5")]
    splits = {
        split: sorted((one for one in records if one.file.startswith(split)), key=lambda one: one.first_row)
        for split in ("train", "validation", "test")
    }
    sizes = {split: sum(one.rows for one in found) for split, found in splits.items()}
    config = {**recipe, "dataset": {**recipe["dataset"], **sizes}}
    assert Manifest.of(config, system, components, splits) == kept


def test_the_id_follows_from_config_and_contents_and_from_nothing_else(small_dataset):
    kept = load_manifest(small_dataset)
    splits = {name: split.shards for name, split in kept.splits.items()}

    def make(config=kept.config, splits=splits):
        return Manifest.of(config, kept.system, kept.components, splits).id

    assert make() == kept.id
    assert make(config=dict(reversed(kept.config.items()))) == kept.id
    assert make(config={**kept.config, "grid": {**kept.config["grid"], "duration": 3.0}}) != kept.id
    other = [shard.model_copy(update={"content_hash": "0" * 64}) for shard in splits["train"]]
    assert make(splits={**splits, "train": other}) != kept.id
    assert make(splits={**splits, "train": splits["train"][::-1]}) != kept.id
    packed = [shard.model_copy(update={"sha256": "0" * 64, "bytes": 1}) for shard in splits["train"]]
    assert make(splits={**splits, "train": packed}) == kept.id


def test_a_manifest_reads_back_as_it_was_written(small_dataset, tmp_path):
    kept = load_manifest(small_dataset)
    kept.save(tmp_path, {name: (small_dataset / name).read_text() for name in DOCUMENTS})
    assert load_manifest(tmp_path) == kept
    for name in (MANIFEST, CHECKSUMS, *DOCUMENTS):
        assert (tmp_path / name).read_bytes() == (small_dataset / name).read_bytes()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("\udcff", "JSON"),
        ("[" * 100_000, "JSON"),
        ("[]", "format"),
        ("null", "format"),
        ('{"format": "minari"}', "format"),
        ('{"format": "trajstore", "format_version": 4}', "version 4.*upgrade"),
        ('{"format": "trajstore", "format_version": 1}', "id"),
        ('{"format": "trajstore", "format_version": "1"}', "version"),
    ],
    ids=["empty", "cut", "bytes", "deep", "list", "null", "other", "newer", "poor", "text version"],
)
def test_what_is_no_manifest_is_refused(tmp_path, text, expected):
    (tmp_path / MANIFEST).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(FormatError, match=expected):
        load_manifest(tmp_path)


def test_a_shard_outside_of_the_folder_is_refused(dataset_copy):
    path = dataset_copy / MANIFEST
    path.write_text(path.read_text().replace('"train-00000.h5"', '"../train-00000.h5"'))
    with pytest.raises(FormatError, match="file"):
        load_manifest(dataset_copy)


def test_a_missing_manifest_says_how_to_make_one(tmp_path):
    with pytest.raises(FormatError, match="trajstore generate"):
        load_manifest(tmp_path)
    with pytest.raises(FormatError, match="no such folder, so no dataset"):
        load_manifest(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(FormatError, match="no dataset"):
        load_manifest(tmp_path / "file")


def test_a_folder_of_shards_without_a_manifest_is_told_of_repair_and_a_run_of_evaluate(
    dataset_copy, tmp_path
):
    (dataset_copy / MANIFEST).unlink()
    with pytest.raises(FormatError, match=r"trajstore generate.*verify --repair"):
        load_manifest(dataset_copy)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.pt").touch()
    with pytest.raises(FormatError, match="is a run: see `trajstore evaluate`"):
        load_manifest(tmp_path / "run")


TWICE = "stands in the place of .*, or is there twice"
DISORDER = {
    "a shard twice in its split": (lambda splits: splits["train"].insert(1, splits["train"][0]), TWICE),
    "a shard in two splits": (lambda splits: splits["test"].__setitem__(0, splits["train"][0]), TWICE),
    "a shard of another split at the end": (
        lambda splits: splits["train"].append(splits["test"][0].model_copy(update={"first_row": 70})),
        TWICE,
    ),
    "the first shard left out": (lambda splits: splits["train"].pop(0), TWICE),
    "two shards exchanged": (lambda splits: splits["train"].reverse(), TWICE),
    "a gap between the rows": (
        lambda splits: splits["train"].__setitem__(
            1, splits["train"][1].model_copy(update={"first_row": 40})
        ),
        "train-00001.h5 begins at row 40, expected 32",
    ),
    "rows that begin later": (
        lambda splits: splits["test"].__setitem__(0, splits["test"][0].model_copy(update={"first_row": 5})),
        "test-00000.h5 begins at row 5, expected 0",
    ),
}


@pytest.mark.parametrize("case", DISORDER)
def test_a_manifest_whose_shards_are_not_all_rows_once_in_order_is_refused_by_all_readers(dataset_copy, case):
    change, expected = DISORDER[case]
    manifest = load_manifest(dataset_copy)
    splits = {name: list(kept.shards) for name, kept in manifest.splits.items()}
    change(splits)
    sizes = {name: sum(record.rows for record in records) for name, records in splits.items()}
    config = {**manifest.config, "dataset": {**manifest.config["dataset"], **sizes}}
    Manifest.of(config, manifest.system, manifest.components, splits).save(dataset_copy)
    for read in (load_manifest, verify, TrajectoryDataset):
        with pytest.raises(FormatError, match=expected):
            read(dataset_copy)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["colleague.h5", "test-00007.h5", "data"])
def test_a_shard_is_read_whatever_its_file_is_called(dataset_copy, tmp_path, name):
    path = (dataset_copy / "train-00001.h5").rename(tmp_path / name)
    manifest = manifest_of_file(path)
    assert [(record.file, record.first_row, record.rows) for record in manifest.shards] == [
        ("train-00000.h5", 32, 32)
    ]
    assert manifest.splits["train"].shards == manifest.shards
    assert verify(path) == []
    assert TrajectoryDataset(path).states(range(32)).shape == (32, 21, 2)
    info = CliRunner().invoke(main, ["info", str(path)])
    assert (info.exit_code, "van-der-pol" in info.output) == (0, True)
    select = CliRunner().invoke(main, ["select", str(path), "--out", str(tmp_path / "selected")])
    assert select.exit_code == 0, select.output
    assert verify(tmp_path / "selected") == []
