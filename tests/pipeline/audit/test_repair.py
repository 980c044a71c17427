"""Repair brings manifest and SHA256SUMS back byte for byte, and never passes a changed or lost shard off as right."""

import json
import shutil
import sys
from dataclasses import replace

import forked
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st
from trajstore.data import FormatError, TrajstoreError, load_manifest, read_shard, verify, write_shard
from trajstore.data.base.files import LOCK
from trajstore.data.base.hashing import canonical_json, json_hash, text_hash
from trajstore.data.folder.names import CHECKSUMS, MANIFEST
from trajstore.pipeline import generate, repair
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.runtime.lock import locked

pytestmark = pytest.mark.slow

SHARD = "train-00001.h5"


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(folder, *messages):
    """A FormatError that says this, and nothing touched."""
    before = bytes_of(folder)
    with pytest.raises(FormatError) as caught:
        repair(folder)
    for message in messages:
        assert message in str(caught.value)
    assert bytes_of(folder) == before


@pytest.mark.parametrize("lost", [(MANIFEST,), (CHECKSUMS,), (MANIFEST, CHECKSUMS)], ids=" and ".join)
@pytest.mark.parametrize("kind", ["small_dataset", "failing_dataset"])
def test_what_was_lost_comes_back_byte_for_byte(kind, lost, tmp_path, request, contents):
    folder = shutil.copytree(request.getfixturevalue(kind), tmp_path / "dataset")
    before = contents(folder)
    for name in lost:
        (folder / name).unlink()
    assert sorted(repair(folder)) == sorted(lost)
    after = contents(folder)
    assert {name: raw for name, (raw, _) in after.items()} == {name: raw for name, (raw, _) in before.items()}
    assert {name for name in before if before[name] != after[name]} == set(lost), "nothing else is touched"
    assert verify(folder) == []
    assert repair(folder) == []


@pytest.mark.parametrize("name", ["README.md", "croissant.json"])
def test_a_changed_document_is_refused_while_sha256sums_knows_the_right_one(dataset_copy, name):
    (dataset_copy / MANIFEST).unlink()
    with (dataset_copy / name).open("a") as file:
        file.write("and more")
    refused(dataset_copy, name, CHECKSUMS)
    (dataset_copy / CHECKSUMS).unlink()
    kept = (dataset_copy / name).read_bytes()
    assert sorted(repair(dataset_copy)) == [CHECKSUMS, MANIFEST]
    assert (dataset_copy / name).read_bytes() == kept
    assert verify(dataset_copy) == []


@pytest.mark.parametrize("name", [MANIFEST, CHECKSUMS])
def test_a_link_or_a_folder_in_their_place_is_named(dataset_copy, tmp_path, name):
    (dataset_copy / name).rename(tmp_path / "elsewhere")
    (dataset_copy / name).symlink_to(tmp_path / "elsewhere")
    refused(dataset_copy, name, "is a link")
    (dataset_copy / name).unlink()
    (dataset_copy / name).mkdir()
    with pytest.raises(FormatError, match=f"{name}: is no regular file"):
        repair(dataset_copy)


def test_a_sound_dataset_is_left_alone(dataset_copy, contents):
    before = contents(dataset_copy)
    assert repair(dataset_copy) == []
    assert contents(dataset_copy) == before


DAMAGE = st.one_of(
    st.tuples(st.just("flip"), st.floats(0, 1, exclude_max=True), st.integers(1, 255)),
    st.tuples(st.just("cut"), st.floats(0, 1, exclude_max=True), st.just(0)),
    st.tuples(st.just("overwrite"), st.floats(0, 1, exclude_max=True), st.integers(0, 255)),
    st.tuples(st.just("insert"), st.floats(0, 1, exclude_max=True), st.integers(0, 255)),
)


def damaged(whole: bytes, kind: str, where: float, value: int) -> bytes:
    at = int(where * len(whole))
    match kind:
        case "flip":
            return whole[:at] + bytes([whole[at] ^ value]) + whole[at + 1 :]
        case "cut":
            return whole[:at]
        case "overwrite":
            return whole[:at] + bytes([value]) * 64 + whole[at + 64 :]
        case _:
            return whole[:at] + bytes([value]) * 3 + whole[at:]


@given(name=st.sampled_from([MANIFEST, CHECKSUMS]), damage=DAMAGE)
@example(name=MANIFEST, damage=("cut", 0.0, 0))
@example(name=CHECKSUMS, damage=("cut", 0.0, 0))
def test_however_one_of_the_two_is_damaged_the_other_brings_it_back(small_dataset, tmp_path, name, damage):
    folder = shutil.copytree(small_dataset, tmp_path / "dataset", dirs_exist_ok=True)
    whole = bytes_of(folder)
    (folder / name).write_bytes(damaged(whole[name], *damage))
    assert repair(folder) == ([name] if damaged(whole[name], *damage) != whole[name] else [])
    assert bytes_of(folder) == whole


@pytest.mark.parametrize("edited", ["sha256", "content_hash", "trajectories", "train", "first_row", "file"])
def test_an_edited_manifest_is_written_again_where_sha256sums_knows_the_right_one(dataset_copy, edited):
    whole = bytes_of(dataset_copy)
    text = whole[MANIFEST].decode()
    at = text.index(f'"{edited}": ') + len(f'"{edited}": ')
    at += next(index for index, letter in enumerate(text[at:]) if letter.isdigit())
    (dataset_copy / MANIFEST).write_text(f"{text[:at]}{(int(text[at]) + 1) % 10}{text[at + 1 :]}")
    assert verify_alone(dataset_copy) != []
    assert repair(dataset_copy) == [MANIFEST]
    assert bytes_of(dataset_copy) == whole


@given(manifest=DAMAGE, sums=DAMAGE)
def test_with_both_damaged_all_comes_back_or_nothing_is_touched(small_dataset, tmp_path, manifest, sums):
    folder = shutil.copytree(small_dataset, tmp_path / "dataset", dirs_exist_ok=True)
    whole = bytes_of(folder)
    for name, damage in ((MANIFEST, manifest), (CHECKSUMS, sums)):
        (folder / name).write_bytes(damaged(whole[name], *damage))
    before = bytes_of(folder)
    try:
        repair(folder)
    except FormatError:
        assert bytes_of(folder) == before
    else:
        assert bytes_of(folder) == whole


def cut_after(path, text):
    """What is left of a file that was cut off behind a text."""
    whole = path.read_text()
    path.write_text(whole[: whole.index(text) + len(text)])


# What may have become of the two when somebody changes a shard, such that one of them still knows it.
KNOWING = {
    "both whole": lambda folder, sha: None,
    "manifest lost": lambda folder, sha: (folder / MANIFEST).unlink(),
    "SHA256SUMS lost": lambda folder, sha: (folder / CHECKSUMS).unlink(),
    "manifest cut off, SHA256SUMS lost": lambda folder, sha: (
        (folder / CHECKSUMS).unlink(),
        cut_after(folder / MANIFEST, f'{sha}"'),
    ),
    "manifest lost, SHA256SUMS cut off": lambda folder, sha: (
        (folder / MANIFEST).unlink(),
        cut_after(folder / CHECKSUMS, SHARD),
    ),
    "manifest edited, SHA256SUMS lost": lambda folder, sha: (
        (folder / CHECKSUMS).unlink(),
        (folder / MANIFEST).write_text((folder / MANIFEST).read_text().replace('"mean"', '"maen"')),
    ),
}


@pytest.mark.parametrize("known", KNOWING)
def test_a_changed_shard_is_not_passed_off_as_right_while_anything_tells(dataset_copy, known):
    shard = read_shard(dataset_copy / SHARD)
    sha = next(one.sha256 for one in load_manifest(dataset_copy).shards if one.file == SHARD)
    # Sound in itself, its own content hash right.
    moved = shard.state * np.where(shard.time > 0, 1.001, 1.0).astype(np.float32)[:, None]
    write_shard(dataset_copy / SHARD, replace(shard, state=moved))
    assert verify(dataset_copy / SHARD) == []
    KNOWING[known](dataset_copy, sha)
    refused(dataset_copy, str(dataset_copy / SHARD), "SHA-256")


@pytest.mark.parametrize("known", [name for name in KNOWING if "cut off" not in name])
@pytest.mark.parametrize("file", ["train-00002.h5", SHARD, "test-00000.h5"])
def test_a_lost_shard_is_missed_while_anything_tells(dataset_copy, known, file):
    (dataset_copy / file).unlink()
    KNOWING[known](dataset_copy, "")
    refused(dataset_copy, "missing")


def test_lost_rows_are_missed_where_only_the_manifests_config_tells(dataset_copy):
    (dataset_copy / CHECKSUMS).unlink()
    (dataset_copy / "train-00002.h5").unlink()
    cut_after(dataset_copy / MANIFEST, '"splits": {')
    refused(dataset_copy, "train has 70 rows, but its shards hold 64")


def test_first_rows_of_a_file_of_starts_are_no_sizes_of_splits(experiment, tmp_path):
    np.save(tmp_path / "starts.npy", np.random.default_rng(0).standard_normal((9, 2)))
    starts = {"kind": "file", "path": str(tmp_path / "starts.npy")}
    folder, dataset = tmp_path / "dataset", {"train": 4, "validation": 3, "test": 2}
    generate(experiment(initial_states=starts, dataset=dataset), folder, jobs=1)
    before, text = bytes_of(folder), (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text[:-3])
    (folder / CHECKSUMS).unlink()
    repair(folder)
    assert bytes_of(folder) == before
    size = '"train": 4,\n   "validation": 3'
    assert text.count(size) == 1
    (folder / MANIFEST).write_text(text[:-3].replace(size, size.replace("3", "4")))
    (folder / CHECKSUMS).unlink()
    refused(folder, "validation has 4 rows, but its shards hold 3")


def test_a_shard_that_no_list_knows_is_not_taken_in(dataset_copy, tmp_path, experiment):
    generate(experiment(dataset={"train": 96, "validation": 0, "test": 0}), tmp_path / "more", jobs=1)
    (dataset_copy / "train-00002.h5").unlink()
    (dataset_copy / MANIFEST).unlink()
    sums = dataset_copy / CHECKSUMS
    lines = [line for line in sums.read_text().splitlines(True) if "train-00002" not in line]
    sums.write_text("".join(lines))
    shutil.copy(tmp_path / "more/train-00002.h5", dataset_copy)
    refused(dataset_copy, "train-00002.h5", "does not list it")


def without_witnesses(folder):
    for name in (MANIFEST, CHECKSUMS):
        (folder / name).unlink()


@pytest.mark.parametrize("flip", [100, 3000, -2000, -1], ids=str)
def test_a_damaged_shard_is_named(dataset_copy, flip):
    without_witnesses(dataset_copy)
    raw = bytearray((dataset_copy / SHARD).read_bytes())
    raw[flip] ^= 0xFF
    (dataset_copy / SHARD).write_bytes(raw)
    if verify_alone(dataset_copy / SHARD):
        refused(dataset_copy, SHARD)


def verify_alone(path):
    try:
        return verify(path)
    except FormatError as error:
        return [str(error)]


@pytest.mark.parametrize("file", ["train-00000.h5", SHARD])
def test_a_gap_between_the_rows_is_named(dataset_copy, file):
    without_witnesses(dataset_copy)
    (dataset_copy / file).unlink()
    refused(dataset_copy, file, "missing")


def test_swapped_and_renamed_shards_are_named(dataset_copy):
    without_witnesses(dataset_copy)
    (dataset_copy / "train-00002.h5").rename(dataset_copy / "train-00007.h5")
    refused(dataset_copy, "train-00002.h5", "missing")
    (dataset_copy / SHARD).rename(dataset_copy / "train-00002.h5")
    (dataset_copy / "train-00007.h5").rename(dataset_copy / SHARD)
    refused(dataset_copy, SHARD, "expected rows of train from 32")


def test_a_shard_of_another_config_is_named(dataset_copy, tmp_path, experiment):
    without_witnesses(dataset_copy)
    generate(experiment(dataset={"seed": 1}), tmp_path / "other", jobs=1)
    shutil.copy(tmp_path / "other" / SHARD, dataset_copy)
    refused(dataset_copy, SHARD, "another config")


def test_a_folder_without_shards_or_no_folder_is_refused_and_not_made(tmp_path, dataset_copy):
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no shard")
    for path in (tmp_path / "nowhere", dataset_copy / SHARD):
        with pytest.raises(FormatError, match="no folder"):
            repair(path)
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_in_which_another_works_is_left_alone(dataset_copy):
    (dataset_copy / MANIFEST).unlink()
    with locked(dataset_copy), pytest.raises(TrajstoreError, match="works in this folder"):
        repair(dataset_copy)
    assert not (dataset_copy / MANIFEST).exists()


DYING = """
import os, signal, sys
from pathlib import Path
from trajstore.pipeline import repair
plain, left = os.fsync, int(sys.argv[2])
def dying(descriptor):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    plain(descriptor)
os.fsync = dying
repair(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("moment", [1, 2, 3, 4])
def test_killed_in_the_middle_it_is_done_again(dataset_copy, moment):
    """Before and after each of the two files takes its name."""
    whole = bytes_of(dataset_copy)
    without_witnesses(dataset_copy)
    died = forked.run([sys.executable, "-c", DYING, dataset_copy, moment])
    assert died.returncode == -9
    assert LOCK in bytes_of(dataset_copy)
    repair(dataset_copy)
    assert bytes_of(dataset_copy) == whole


def test_moments_from_another_machine_are_no_obstacle(dataset_copy):
    # Its sums differ in the last digits, so the rebuilt manifest is not the lost one byte for byte.
    sums = dataset_copy / CHECKSUMS
    lines = sums.read_text().splitlines(True)
    sums.write_text("".join([f"{text_hash('from elsewhere')}  {MANIFEST}\n", *lines[1:]]))
    kept = load_manifest(dataset_copy)
    (dataset_copy / MANIFEST).unlink()
    assert sorted(repair(dataset_copy)) == [CHECKSUMS, MANIFEST]
    assert load_manifest(dataset_copy) == kept


def test_a_manifest_whose_keys_are_in_another_order_is_sound_and_generate_takes_it(experiment, dataset_copy):
    # As it was written before config and system were kept in the order of the shards.
    whole = bytes_of(dataset_copy)
    raw = json.loads(whole[MANIFEST])
    for key in ("config", "system"):
        raw[key] = dict(reversed(raw[key].items()))
    text = json.dumps(raw, indent=1, ensure_ascii=False) + "\n"
    assert text.encode() != whole[MANIFEST]
    (dataset_copy / MANIFEST).write_text(text)
    sums = dataset_copy / CHECKSUMS
    sums.write_text(sums.read_text().replace(text_hash(whole[MANIFEST].decode()), text_hash(text)))
    assert verify(dataset_copy) == []
    assert repair(dataset_copy) == []
    assert generate(experiment(), dataset_copy).written == 0
    assert bytes_of(dataset_copy) == whole


def test_shards_without_what_a_manifest_needs_are_refused(tmp_path, make_shard):
    shard = make_shard(5)
    config = json.loads(str(shard.attributes["config"]))
    del config["engine"]
    own = {"config": canonical_json(config), "config_hash": json_hash(config)}
    write_shard(tmp_path / "train-00000.h5", replace(shard, attributes={**shard.attributes, **own}))
    refused(tmp_path, "engine")


def test_the_command_says_what_it_did_and_verifies(dataset_copy):
    (dataset_copy / CHECKSUMS).unlink()
    (dataset_copy / f"{MANIFEST}.99.part").write_text("half")

    def run():
        return CliRunner().invoke(main, ["verify", str(dataset_copy), "--repair"])

    result = run()
    assert result.exit_code == 0, result.output
    assert f"{CHECKSUMS} written from the shards" in result.output
    assert "sound" in result.output
    assert "nothing to repair" in run().output
    (dataset_copy / "notes.txt").write_text("mine")
    result = run()
    assert result.exit_code == 1
    assert "notes.txt: no part of this dataset" in result.output
    (dataset_copy / "notes.txt").unlink()
    (dataset_copy / SHARD).unlink()
    result = run()
    assert result.exit_code == 2
    assert SHARD in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "text", ['"file":"x",', '{"file": "x", ', '"file": "', "{", '"train": 9', '"sha256": "0']
)
def test_whatever_the_manifest_holds_repair_takes_time_in_proportion(dataset_copy, time_limit, text):
    whole = bytes_of(dataset_copy)
    (dataset_copy / MANIFEST).write_text(text * (2_000_000 // len(text)))
    with time_limit(10):
        assert repair(dataset_copy) == [MANIFEST]
    (dataset_copy / CHECKSUMS).unlink()
    (dataset_copy / MANIFEST).write_text(text * (2_000_000 // len(text)))
    with time_limit(10):
        if "train" in text:
            refused(dataset_copy, "says that train has 9 rows")
        else:
            repair(dataset_copy)
            assert bytes_of(dataset_copy)[MANIFEST] == whole[MANIFEST]


def test_a_size_of_thousands_of_digits_is_a_contradiction_and_no_crash(dataset_copy):
    (dataset_copy / CHECKSUMS).unlink()
    (dataset_copy / MANIFEST).write_text('"train": ' + "9" * 5000)
    refused(dataset_copy, f"says that train has {'9' * 18} rows")


def test_a_component_with_a_slash_in_a_damaged_shard_is_a_message(tmp_path, make_shard):
    shard = make_shard(5, components=("a/b", "c"))
    system = {"name": "noise", "states": ["d", "e"]}
    config = {**json.loads(str(shard.attributes["config"])), "system": system}
    own = {
        "config": canonical_json(config),
        "config_hash": json_hash(config),
        "system": canonical_json(system),
    }
    write_shard(tmp_path / "train-00000.h5", replace(shard, attributes={**shard.attributes, **own}))
    refused(tmp_path, "train-00000.h5: components are a/b, c")
