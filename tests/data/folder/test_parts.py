"""A manifest in parts says the same as one of one file, grows without its parts being written, and stays guarded."""

import json
import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256

import forked
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data import DataError, FormatError, Manifest, TrajectoryDataset, load_manifest, verify
from trajstore.data.batches import split as store_module
from trajstore.data.folder import manifest as manifest_module
from trajstore.data.folder import manifest_parts as parts_module
from trajstore.data.folder import manifest_reading as reading_module
from trajstore.data.folder.manifest_parts import PART_NAME, full_parts, needs_parts, part_size, part_text
from trajstore.data.folder.names import CHECKSUMS, DOCUMENTS, MANIFEST
from trajstore.data.shard.schema import SPLITS, shard_name
from trajstore.data.shard.shard import ShardRecord
from trajstore.data.shard.statistics import Moments
from trajstore.pipeline import generate
from trajstore.pipeline.cli.main import main

PARTS = ["manifest-train-00000.json", "manifest-train-00001.json", "manifest-validation-00000.json"]


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_parts")]


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def states_of(folder):
    """What tells a file that was written again, though with the same bytes."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def record(split, index, generator):
    low, high = sorted(generator.normal(size=2).tolist())
    numbers = {"mean": [low / 3], "std": [high - low], "minimum": [low], "maximum": [high]}
    return ShardRecord(
        file=shard_name(split, index),
        first_row=3 * index,
        rows=3,
        failed=0,
        bytes=12_345,
        sha256=sha256(f"{split} {index}".encode()).hexdigest(),
        content_hash=sha256(f"content {split} {index}".encode()).hexdigest(),
        statistics=Moments(count=30, **numbers),
    )


def synthetic(train):
    """A manifest of so many shards that are nowhere."""
    generator = np.random.default_rng(0)
    records = {
        "train": [record("train", index, generator) for index in range(train)],
        "validation": [],
        "test": [],
    }
    config = {
        "system": {"name": "none"},
        "grid": {"duration": 1.0, "points": 10, "resample": "dense"},
        "dataset": {"dtype": "float32", "seed": 0, "train": 3 * train, "validation": 0, "test": 0},
        "engine": {"name": "heyoka"},
    }
    return Manifest.of(config, {"name": "none"}, ["x"], records)


@given(st.integers(0, 200), st.integers(1, 50))
def test_parts_and_the_rest_are_all_records_and_grow_at_the_end_only(count, more):
    def cut(total):
        return full_parts(range(total), 1)  # pyright: ignore[reportArgumentType]

    before, after = cut(count), cut(count + more)
    held = [number for part in before for number in part]
    assert held == list(range(len(held)))
    assert all(len(part) == part_size(1) for part in before)
    assert min(count, 1) <= count - len(held) <= part_size(1)
    assert after[: len(before)] == before


def test_the_layout_follows_from_shards_and_components_alone(monkeypatch):
    monkeypatch.setattr(parts_module, "MOST", 1000)
    assert [part_size(components) for components in (0, 1, 10, 11, 1024, 20_000)] == [
        1000,
        1000,
        1000,
        909,
        9,
        1,
    ]
    assert not needs_parts(10_000, 2)
    assert needs_parts(10_001, 2)
    assert needs_parts(91, 1024)


def test_thousands_of_records_come_back_and_the_id_is_that_of_one_file(tmp_path, monkeypatch):
    kept = synthetic(5000)
    kept.save(tmp_path)
    assert load_manifest(tmp_path) == kept
    assert len(kept.all_parts) == 499
    # As docs/format.md says it.
    contents = {name: [one.content_hash for one in split.shards] for name, split in kept.splits.items()}
    text = json.dumps(
        {"config": kept.config_hash, "contents": contents}, sort_keys=True, separators=(",", ":")
    )
    assert kept.id == sha256(text.encode()).hexdigest()
    raw = json.loads((tmp_path / MANIFEST).read_text())
    listed = [json.loads((tmp_path / entry["file"]).read_text()) for entry in raw["splits"]["train"]["parts"]]
    records = [one for part in listed for one in part] + raw["splits"]["train"]["shards"]
    monkeypatch.setattr(manifest_module, "needs_parts", lambda shards, components: False)
    whole = json.loads(synthetic(5000).to_json())
    assert records == whole["splits"]["train"]["shards"]
    assert (whole["format_version"], raw["format_version"]) == (1, 2)
    assert {**whole, "format_version": 2, "splits": 0} == {**raw, "splits": 0}


def test_one_record_more_writes_manifest_and_checksums_only(tmp_path):
    kept = synthetic(5001)
    synthetic(5000).save(tmp_path)
    before = states_of(tmp_path)
    kept.save(tmp_path)
    after = states_of(tmp_path)
    changed = {name for name in after if after[name] != before.get(name)}
    # 499 full parts and 10 records; one more fills another part.
    assert changed == {MANIFEST, CHECKSUMS, "manifest-train-00499.json"}
    before = states_of(tmp_path)
    synthetic(5002).save(tmp_path)
    after = states_of(tmp_path)
    assert {name for name in after if after[name] != before.get(name)} == {MANIFEST, CHECKSUMS}
    synthetic(15).save(tmp_path)
    assert set(bytes_of(tmp_path)) == {MANIFEST, CHECKSUMS}


@pytest.mark.parametrize("step", range(5))
def test_killed_while_it_is_saved_the_old_or_the_new_is_there(tmp_path, step):
    """SIGKILL before each of the renames: of two new parts, SHA256SUMS and the manifest; and not at all."""
    old, new = synthetic(30), synthetic(45)
    old.save(tmp_path)
    (tmp_path / "new.py").write_text(
        "import json, os, signal, sys\n"
        "from pathlib import Path\n"
        "from trajstore.data.folder import manifest, manifest_parts\n"
        "manifest_parts.MOST = 10\n"
        f"new = manifest.Manifest.model_validate_json(Path({str(tmp_path / 'new.json')!r}).read_text())\n"
        "replace, left = Path.replace, [int(sys.argv[1])]\n"
        "def counted(path, target):\n"
        "    if not left[0]:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    left[0] -= 1\n"
        "    return replace(path, target)\n"
        "Path.replace = counted\n"
        f"new.save(Path({str(tmp_path)!r}))\n"
    )
    (tmp_path / "new.json").write_text(new.model_dump_json())
    command = [sys.executable, str(tmp_path / "new.py"), str(step)]
    done = forked.run(command)
    assert done.returncode == (-9 if step < 4 else 0), done.stderr
    assert load_manifest(tmp_path).id == (old.id if step < 4 else new.id)
    new.save(tmp_path)
    assert load_manifest(tmp_path) == new


def test_sha256sum_and_verify_find_every_file_as_it_should_be(parts_dataset):
    command = ["sha256sum", "-c", "--strict", CHECKSUMS]
    done = subprocess.run(command, cwd=parts_dataset, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    files = {line.removesuffix(": OK") for line in done.stdout.splitlines()}
    assert files == set(bytes_of(parts_dataset)) - {CHECKSUMS}
    assert {name for name in files if re.fullmatch(PART_NAME, name)} == set(PARTS)
    assert verify(parts_dataset) == verify(parts_dataset, isolated=True) == []


def test_readers_and_info_take_it_as_any_other(parts_dataset, shards_of_one_row, tmp_path, monkeypatch):
    monkeypatch.setattr(manifest_module, "needs_parts", lambda shards, components: False)
    generate(shards_of_one_row(22), tmp_path / "one")
    assert load_manifest(tmp_path / "one").id == load_manifest(parts_dataset).id
    for split in SPLITS:
        one, other = (TrajectoryDataset(folder, split)[:] for folder in (tmp_path / "one", parts_dataset))
        assert all((a == b).all() for a, b in zip(one, other, strict=True))
    shown = [
        json.loads(CliRunner().invoke(main, ["info", str(folder), "--json"]).stdout)
        for folder in (tmp_path / "one", parts_dataset)
    ]
    assert {**shown[0], "format_version": 2} == shown[1]


def test_a_manifest_of_one_file_stays_right_however_many_shards_it_has(shards_of_one_row, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_module, "needs_parts", lambda shards, components: False)
        generate(shards_of_one_row(22), tmp_path / "one")
    kept = load_manifest(tmp_path / "one")
    assert kept.format_version == 1
    assert verify(tmp_path / "one") == []
    before = states_of(tmp_path / "one")
    kept.save(tmp_path / "one")
    assert states_of(tmp_path / "one") == before


def test_datasets_grow_into_parts_and_back(parts_dataset, shards_of_one_row, tmp_path):
    folder = tmp_path / "grown"
    generate(shards_of_one_row(7), folder)
    assert json.loads((folder / MANIFEST).read_text())["format_version"] == 1
    generate(shards_of_one_row(21), folder)
    kept = states_of(folder)
    summary = generate(shards_of_one_row(22), folder)
    assert (summary.written, summary.reused) == (1, 33)
    assert bytes_of(folder) == bytes_of(parts_dataset)
    after = states_of(folder)
    changed = {name for name in after if after[name] != kept.get(name)} - {".lock"}
    assert changed == {"train-00021.h5", MANIFEST, CHECKSUMS, *DOCUMENTS}
    generate(shards_of_one_row(7), folder, overwrite=True)
    assert not [name for name in bytes_of(folder) if re.fullmatch(PART_NAME, name)]
    assert verify(folder) == []


def rewrite(folder, change):
    """Change the JSON of the manifest."""
    raw = json.loads((folder / MANIFEST).read_text())
    change(raw)
    (folder / MANIFEST).write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n")


def relist(folder, name, content):
    """Put other bytes into a part, and their hash into the manifest."""
    (folder / name).write_bytes(content)

    def change(raw):
        for split in raw["splits"].values():
            for entry in split["parts"]:
                if entry["file"] == name:
                    entry.update(bytes=len(content), sha256=sha256(content).hexdigest())

    rewrite(folder, change)


def edit(folder, old, new):
    text = (folder / PARTS[0]).read_bytes()
    assert old in text
    relist(folder, PARTS[0], text.replace(old, new, 1))


def trade(raw):
    entries = raw["splits"]["train"]["parts"]
    entries[:] = entries[::-1]


def fill(folder):
    os.mkfifo(folder / "pipe")
    (folder / "pipe").replace(folder / PARTS[0])


HOSTILE = {
    "missing": (lambda folder: (folder / PARTS[0]).unlink(), "manifest-train-00000.json: missing.*--repair"),
    "cut": (lambda folder: os.truncate(folder / PARTS[0], 1000), "train-00000.json: has not the"),
    "changed": (
        lambda folder: (folder / PARTS[0]).write_bytes((folder / PARTS[0]).read_bytes().replace(b"1", b"2")),
        "train-00000.json: is not the file that the manifest lists",
    ),
    "of another": (
        lambda folder: shutil.copy(folder / PARTS[1], folder / PARTS[0]),
        "train-00000.json: (has not|is not)",
    ),
    "a link": (
        lambda folder: (
            (folder / PARTS[0]).rename(folder.parent / "away")
            and (folder / PARTS[0]).symlink_to(folder.parent / "away")
        ),
        "train-00000.json: is a link",
    ),
    "a pipe": (fill, "train-00000.json: is no regular file"),
    "out of order": (lambda folder: rewrite(folder, trade), "train-00001.json stands in the place of"),
    "doubled": (
        lambda folder: rewrite(
            folder, lambda raw: raw["splits"]["train"]["parts"].append(raw["splits"]["train"]["parts"][0])
        ),
        "train-00000.json stands in the place of .*or is there twice",
    ),
    "left out": (
        lambda folder: rewrite(folder, lambda raw: raw["splits"]["train"]["parts"].pop()),
        "train-00020.h5 stands in the place of train-00010.h5",
    ),
    "of another split": (
        lambda folder: rewrite(
            folder,
            lambda raw: raw["splits"]["train"].update(parts=raw["splits"]["validation"]["parts"]),
        ),
        "manifest-validation-00000.json stands in the place of",
    ),
    "elsewhere": (
        lambda folder: rewrite(
            folder, lambda raw: raw["splits"]["train"]["parts"][0].update(file="../manifest-train-00000.json")
        ),
        "expected a text like",
    ),
    "no parts": (lambda folder: rewrite(folder, lambda raw: raw["splits"]["train"].pop("parts")), "list"),
    "no entry": (
        lambda folder: rewrite(folder, lambda raw: raw["splits"]["train"]["parts"].insert(0, 7)),
        "0: got 7, expected a table",
    ),
    "no splits": (lambda folder: rewrite(folder, lambda raw: raw.update(splits=[])), "splits"),
    "no split": (lambda folder: rewrite(folder, lambda raw: raw["splits"].update(train=3)), "train"),
    "another number": (
        lambda folder: rewrite(folder, lambda raw: raw["splits"]["train"]["parts"][0].update(shards=9)),
        "holds 10 records, the manifest says 9",
    ),
    "too many": (
        lambda folder: rewrite(folder, lambda raw: raw["splits"]["train"]["parts"][0].update(shards=1001)),
        "less than or equal to 1000",
    ),
    "too large": (
        lambda folder: rewrite(folder, lambda raw: raw["splits"]["train"]["parts"][0].update(bytes=1 << 30)),
        "less than or equal to",
    ),
    "of version 1": (
        lambda folder: rewrite(folder, lambda raw: raw.update(format_version=1)),
        "parts: unknown key",
    ),
    "no JSON": (lambda folder: relist(folder, PARTS[0], b"[\xff"), "invalid JSON"),
    "deep": (lambda folder: relist(folder, PARTS[0], b"[" * 100_000), "invalid JSON"),
    "empty records": (
        lambda folder: relist(folder, PARTS[0], b"[" + b"{}," * 999 + b"{}]"),
        "0.file: missing",
    ),
    "a million": (
        lambda folder: relist(folder, PARTS[0], b"[" + b"0," * 999_999 + b"0]"),
        "0: got 0, expected a table",
    ),
    "a key more": (lambda folder: edit(folder, b'"rows"', b'"more": 1, "rows"'), "more: unknown key"),
    "not a number": (lambda folder: edit(folder, b'"mean": [', b'"mean": [NaN, '), "finite"),
    "infinite": (lambda folder: edit(folder, b'"mean": [', b'"mean": [1e999, '), "finite"),
    "a gap": (
        lambda folder: edit(folder, b'"first_row": 5,', b'"first_row": 6,'),
        "begins at row 6, expected 5",
    ),
    "a name": (lambda folder: edit(folder, b"train-00003", b"train-00004"), "in the place of train-00003.h5"),
    "other components": (
        lambda folder: edit(folder, b'"mean": [', b'"mean": [0.0, '),
        "one entry a component",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_or_damaged_part_is_refused_by_every_reader(parted, time_limit, kind):
    damage, said = HOSTILE[kind]
    damage(parted)
    with time_limit(10):
        for read in (load_manifest, verify, TrajectoryDataset):
            with pytest.raises(FormatError, match=said):
                read(parted)


def test_parts_are_refused_by_their_size_before_any_is_read(parted, monkeypatch):
    monkeypatch.setattr(reading_module, "MAX_MANIFEST_BYTES", 10_000)
    for name in PARTS:
        (parted / name).unlink()
    with pytest.raises(FormatError, match=r"lists parts of .* bytes; at most 10000 are read"):
        load_manifest(parted)


def test_more_shards_than_may_be_listed_are_refused_before_any_work(shards_of_one_row, tmp_path, monkeypatch):
    monkeypatch.setattr(parts_module, "MAX_SHARDS", 30)
    with pytest.raises(FormatError, match=r"34 shards .*shard_rows"):
        generate(shards_of_one_row(22), tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()
    with pytest.raises(FormatError, match="60 shards"):
        synthetic(60).save(tmp_path)


def test_records_are_no_longer_than_their_bound():
    """What `check_size` counts with, of the longest names, counts and numbers."""
    numbers = dict.fromkeys(("mean", "std", "minimum", "maximum"), [-2.2250738585072014e-308] * 7)
    widest = ShardRecord(
        file="validation-999999999.h5",
        first_row=1 << 42,
        rows=1 << 42,
        failed=1 << 42,
        bytes=1 << 42,
        sha256="0" * 64,
        content_hash="0" * 64,
        statistics=Moments(count=1 << 62, **numbers),
    )
    assert len(part_text([widest])) <= 512 + 4 * 26 * 7


def test_an_edited_part_with_right_hashes_is_a_problem(parted):
    """Of the same records: only the order of the keys is another."""
    records = json.loads((parted / PARTS[0]).read_text())
    relist(parted, PARTS[0], json.dumps(records).encode())
    assert any(problem.startswith(f"{MANIFEST}: is not as trajstore wrote it") for problem in verify(parted))


def test_a_part_that_is_not_listed_is_a_problem_and_goes(parted):
    shutil.copy(parted / PARTS[0], parted / "manifest-test-00000.json")
    assert verify(parted) == ["manifest-test-00000.json: no part of this dataset"]
    load_manifest(parted).save(parted)
    assert verify(parted) == []


BOUND = st.none() | st.integers(-80, 80)


@pytest.fixture(scope="module")
def broken(parts_dataset, tmp_path_factory):
    """All its shards are cut off."""
    folder = shutil.copytree(parts_dataset, tmp_path_factory.mktemp("broken") / "dataset")
    for path in folder.glob("*.h5"):
        os.truncate(path, 100)
    return folder


@given(BOUND, BOUND)
def test_only_the_shards_of_the_slice_are_read(broken, first, last):
    names = [one.file for one in load_manifest(broken).shards]
    expected = names[first:last]
    if not expected:
        with pytest.raises(DataError, match="no shards"):
            verify(broken, shards=slice(first, last))
        return
    done = []
    problems = verify(broken, done.append, shards=slice(first, last))
    assert list(dict.fromkeys(problem.partition(":")[0] for problem in problems)) == expected
    assert done == list(range(1, len(expected) + 1))


def run_verify(folder, *options):
    return CliRunner().invoke(main, ["verify", str(folder), *options])


def test_the_command_says_what_it_did_not_check(parted):
    os.truncate(parted / "train-00007.h5", 100)
    result = run_verify(parted, "--shards", "8:30")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{parted}: sound; of 34 shards, 8 to 29 checked, the other 12 not\n"
    result = run_verify(parted, "--shards", ":8")
    assert result.exit_code == 1
    assert result.stdout.startswith("train-00007.h5: 100 bytes")
    assert "; of 34 shards, 0 to 7 checked, the other 26 not" in result.stderr
    again = run_verify(parted, "--shards=-2:", "--reintegrate", "5")
    assert again.exit_code == 0
    assert "32 to 33 checked, the other 32 not; 2 rows integrated again" in again.stdout


def test_the_manifest_is_checked_with_any_shards(parted):
    rewrite(parted, lambda raw: raw.update(id="0" * 64))
    result = run_verify(parted, "--shards", "0:1")
    assert result.exit_code == 1
    assert "id does not follow" in result.stdout


@pytest.mark.parametrize("text", ["", "7", "a:b", "1:2:3", "1 : 2", "1.5:2", "1e3:", "²:", ":" + "9" * 30])
def test_what_is_no_slice_is_refused(parted, text):
    result = run_verify(parted, "--shards", text)
    assert result.exit_code == 2
    assert "expected A:B" in result.stderr


def test_shards_that_are_not_there_are_refused(parted):
    for text in ("34:", "5:5", "9:3", "-3:-5"):
        result = run_verify(parted, f"--shards={text}")
        assert result.exit_code == 2
        assert f"no shards {text}; it has 34" in result.stderr
    assert "is one shard" in run_verify(parted / "train-00000.h5", "--shards", ":1").stderr
    assert "--repair reads all" in run_verify(parted, "--repair", "--shards", ":1").stderr


def test_a_store_keeps_only_so_many_shards_open(parts_dataset, monkeypatch):
    dataset = TrajectoryDataset(parts_dataset)
    order = np.random.default_rng(0).permutation(len(dataset))
    expected = dataset[order][1]
    monkeypatch.setattr(store_module, "MAX_OPEN", 3)
    dataset = TrajectoryDataset(parts_dataset)
    assert (dataset[order][1] == expected).all()
    assert len(dataset.store._states) == 3


def test_only_shards_with_failed_rows_are_opened_for_them(experiment, tmp_path, monkeypatch):
    system = {
        "name": "some-diverge",
        "equations": {"x": "x**2"},
        "initial_state": {"x": [0.0, 1.1]},
    }
    grid = {"duration": 1.0, "points": 3}
    generate(experiment(system=system, grid=grid, dataset={"train": 40, "shard_rows": 2}), tmp_path / "d")
    kept = [one.failed for one in load_manifest(tmp_path / "d").splits["train"].shards]
    assert 0 < sum(map(bool, kept)) < len(kept) / 2
    opened = []
    real = store_module.open_shard
    monkeypatch.setattr(store_module, "open_shard", lambda path: opened.append(path.name) or real(path))
    dataset = TrajectoryDataset(tmp_path / "d")
    assert opened == ["train-00000.h5", *(shard_name("train", i) for i, failed in enumerate(kept) if failed)]
    monkeypatch.undo()
    status = dataset.store.column("status")
    assert dataset.store.sound_rows().tolist() == np.flatnonzero(status == 0).tolist()
