"""What makes, brings, mends and derives datasets does so with a manifest in parts, and reads no more than it must."""

import json
import os
import shutil
import time
import warnings

import pytest
from mlcroissant import Dataset
from trajstore.data import FormatError, TrajstoreError, load_manifest, verify
from trajstore.data.folder.names import CHECKSUMS, DOCUMENTS, MANIFEST
from trajstore.pipeline import Selection, fetch, generate, merge, repair, select
from trajstore.pipeline.exchange.fetch.transfer import WORK
from trajstore.pipeline.generation import kept as kept_module
from trajstore.pipeline.generation import present as present_module

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_parts")]
PART = "manifest-train-00001.json"


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


@pytest.fixture
def looks(monkeypatch):
    """Names of the shards that `generate` hashes, and of those that it opens."""
    hashed, opened = [], []
    digest, opening = kept_module.file_hash, present_module.open_shard
    monkeypatch.setattr(kept_module, "file_hash", lambda path: hashed.append(path.name) or digest(path))
    monkeypatch.setattr(present_module, "open_shard", lambda path: opened.append(path.name) or opening(path))
    return hashed, opened


def test_unchanged_shards_are_hashed_once_and_not_opened(parted, shards_of_one_row, looks):
    summary = generate(shards_of_one_row(22), parted)
    assert (summary.reused, summary.written) == (34, 0)
    assert (len(looks[0]), len(set(looks[0])), looks[1]) == (34, 34, [])
    generate(shards_of_one_row(23), parted)
    assert looks[1] == []
    assert verify(parted) == []


def flip(path):
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


def backdate(path):
    flip(path)
    os.utime(path, (0, 0))


def swap(path):
    (path.parent / "other").write_bytes(path.with_name("train-00004.h5").read_bytes())
    (path.parent / "other").replace(path)


@pytest.mark.parametrize(
    "damage", [flip, backdate, swap, lambda path: path.unlink(), lambda path: os.truncate(path, 99)]
)
def test_a_shard_that_changed_is_found_and_made_again(parted, parts_dataset, shards_of_one_row, damage):
    damage(parted / "train-00003.h5")
    summary = generate(shards_of_one_row(22), parted)
    assert (summary.reused, summary.written) == (33, 1)
    assert bytes_of(parted) == bytes_of(parts_dataset)


@pytest.mark.parametrize("name", [MANIFEST, CHECKSUMS, PART])
def test_an_edited_hash_is_not_believed(parted, parts_dataset, shards_of_one_row, looks, name):
    """In the manifest itself, in SHA256SUMS, or in a part: all shards are then hashed, or opened."""
    wrong = load_manifest(parted).shards[21 if name != PART else 15].sha256
    text = (parted / name).read_text()
    assert wrong in text
    (parted / name).write_text(text.replace(wrong, "0" * 64))
    generate(shards_of_one_row(22), parted)
    assert bytes_of(parted) == bytes_of(parts_dataset)
    assert max(map(len, looks)) >= 33


@pytest.mark.parametrize("how", ["copied", "touched"])
def test_a_damaged_shard_is_found_though_it_is_older_than_its_manifest(
    parted, parts_dataset, shards_of_one_row, tmp_path, how
):
    flip(parted / "train-00003.h5")
    last = (CHECKSUMS, MANIFEST)
    folder = parted
    if how == "copied":
        folder = tmp_path / "copy"
        folder.mkdir()
        for path in sorted(parted.iterdir(), key=lambda path: path.name in last):
            if path.name in last:
                time.sleep(0.02)
            shutil.copy2(path, folder)
    else:
        time.sleep(0.05)
        for name in last:
            (folder / name).touch()
    ages = [(folder / name).stat().st_ctime_ns for name in ("train-00003.h5", MANIFEST)]
    assert ages[0] < ages[1]
    summary = generate(shards_of_one_row(22), folder)
    assert (summary.reused, summary.written) == (33, 1)
    assert bytes_of(folder) == bytes_of(parts_dataset)


def test_splits_of_their_own_length_are_in_parts_too(experiment, tmp_path):
    def config(train):
        dataset = {"train": train, "validation": 11, "test": 1, "shard_rows": 1}
        splits = {"train": {"points": 5}}
        return experiment(grid={"duration": 0.2, "points": 3, "splits": splits}, dataset=dataset)

    folder = tmp_path / "dataset"
    few = generate(config(3), folder).manifest
    assert (few.format_version, few.all_parts) == (3, [])
    many = generate(config(22), folder).manifest
    assert (many.format_version, len(many.all_parts)) == (3, 3)
    assert verify(folder) == []
    assert load_manifest(folder) == many
    generate(config(22), tmp_path / "at once")
    assert bytes_of(tmp_path / "at once") == bytes_of(folder)
    done = fetch(str(folder), tmp_path / "here")
    assert (done.fetched, done.problems) == (34, [])
    (folder / MANIFEST).unlink()
    (folder / PART).unlink()
    repair(folder)
    assert bytes_of(tmp_path / "at once") == bytes_of(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert Dataset(folder / "croissant.json").metadata.distribution


def test_fetch_brings_the_parts(parts_dataset, tmp_path):
    done = fetch(str(parts_dataset), tmp_path / "here")
    assert (done.fetched, done.problems) == (34, [])
    assert bytes_of(tmp_path / "here") == bytes_of(parts_dataset)
    os.truncate(tmp_path / "here" / "train-00003.h5", 99)
    done = fetch(str(parts_dataset), tmp_path / "here")
    assert (done.fetched, done.kept) == (1, 33)
    (tmp_path / "here" / PART).unlink()
    assert fetch(str(parts_dataset), tmp_path / "here").kept == 34
    assert bytes_of(tmp_path / "here") == bytes_of(parts_dataset)


def test_a_damaged_or_missing_part_is_refused_before_a_shard_is_asked_for(parted, tmp_path):
    flip(parted / PART)
    with pytest.raises(FormatError, match=f"{PART}: is not the file that the manifest lists"):
        fetch(str(parted), tmp_path / "here")
    (parted / PART).write_bytes(bytes(1 << 20))
    with pytest.raises(TrajstoreError, match=f"{PART}: more than"):
        fetch(str(parted), tmp_path / "here")
    (parted / PART).unlink()
    with pytest.raises(TrajstoreError, match=f"{PART}: no such file"):
        fetch(str(parted), tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_an_interrupted_fetch_goes_on_with_the_parts_it_has(parts_dataset, parted, tmp_path, monkeypatch):
    shutil.move(parted / "train-00020.h5", tmp_path / "away.h5")
    with pytest.raises(TrajstoreError, match=r"train-00020\.h5"):
        fetch(str(parted), tmp_path / "here", jobs=1)
    assert load_manifest(tmp_path / "here" / WORK).id == load_manifest(parts_dataset).id
    shutil.move(tmp_path / "away.h5", parted / "train-00020.h5")
    for path in parted.glob("manifest-*.json"):
        path.unlink()
    done = fetch(str(parted), tmp_path / "here")
    assert (done.kept, done.problems) == (20, [])
    assert bytes_of(tmp_path / "here") == bytes_of(parts_dataset)


@pytest.mark.parametrize(
    "lost", [[PART], [MANIFEST], [CHECKSUMS], [MANIFEST, PART], [MANIFEST, CHECKSUMS, PART]]
)
@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_what_was_lost_or_damaged_comes_back_byte_for_byte(parted, parts_dataset, lost, how):
    for name in lost:
        if how == "lost":
            (parted / name).unlink()
        else:
            os.truncate(parted / name, (parted / name).stat().st_size - 50)
    assert sorted(repair(parted)) == sorted(lost)
    assert bytes_of(parted) == bytes_of(parts_dataset)


@pytest.mark.parametrize("left", [PART, MANIFEST, CHECKSUMS])
def test_a_changed_shard_is_never_passed_off_as_right(parted, shards_of_one_row, left):
    """Another sound shard lies in the place of one, and one file alone still knows the right hash."""
    index = 21 if left == MANIFEST else 15
    path = parted / f"train-{index:05d}.h5"
    swap_in = path.with_name("train-00000.h5").read_bytes()
    assert path.read_bytes() != swap_in
    # The same rows, but another attribute.
    path.write_bytes(path.read_bytes().replace(b"trajstore", b"trajstorE"))
    for name in {PART, MANIFEST, CHECKSUMS, "manifest-train-00000.json"} - {left}:
        (parted / name).unlink()
    with pytest.raises(FormatError, match=path.name):
        repair(parted)


def test_select_and_merge_read_and_write_parts(parts_dataset, tmp_path):
    chosen = select(parts_dataset, tmp_path / "half", Selection(rows=(0, 11)))
    assert chosen.format_version == 2
    select(parts_dataset, tmp_path / "rest", Selection(rows=(11, 22)))
    whole = merge([tmp_path / "half", tmp_path / "rest"], tmp_path / "whole")
    assert whole.splits["train"].trajectories == 22
    for name in ("half", "rest", "whole"):
        assert verify(tmp_path / name) == []


def test_croissant_names_parts_and_sets_of_shards(parts_dataset):
    value = json.loads((parts_dataset / "croissant.json").read_text())
    kinds = [(entry["@type"], entry["name"]) for entry in value["distribution"]]
    assert kinds[0] == ("cr:FileObject", MANIFEST)
    assert [name for kind, name in kinds if kind == "cr:FileSet"] == ["train", "validation", "test"]
    assert {name for kind, name in kinds[1:] if kind == "cr:FileObject"} == {
        path.name for path in parts_dataset.glob("manifest-*.json")
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = Dataset(jsonld={**value, "datePublished": "2026-11-22"}).metadata
    assert (found.ctx.issues.warnings, found.ctx.issues.errors) == (set(), set())


def test_documents_grow_by_an_entry_for_each_part_and_not_by_one_for_each_shard(
    parts_dataset, shards_of_one_row, tmp_path
):
    generate(shards_of_one_row(202), tmp_path / "more", jobs=1)
    sizes = [
        [(folder / name).stat().st_size for name in DOCUMENTS]
        for folder in (parts_dataset, tmp_path / "more")
    ]
    # 180 shards more are 18 parts more.
    for name, fewer, more in zip(DOCUMENTS, *sizes, strict=True):
        assert more - fewer < 18 * 400, name
