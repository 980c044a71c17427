"""Every damage to a dataset is found, and a sound one is not accused."""

import copy
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from trajstore.data import FormatError, Manifest, load_manifest, read_shard, verify, write_shard
from trajstore.data.base.errors import AGAIN
from trajstore.data.base.hashing import canonical_json, json_hash
from trajstore.data.base.memory_limit import address_space
from trajstore.data.folder.manifest_reading import REPAIR
from trajstore.data.folder.names import CHECKSUMS, MANIFEST
from trajstore.data.integrity.child_reader import MEMORY_BYTES
from trajstore.pipeline.cli.main import main

TRAJSTORE = Path(sys.executable).with_name("trajstore")


def problems(folder) -> list[str]:
    """What verify finds; a dataset that it cannot read at all is a finding too."""
    try:
        return verify(folder)
    except FormatError as error:
        return [str(error)]


def write_byte(path, offset: int, value: int) -> None:
    """In place, which is quicker than to write the file anew."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes([value]))


@contextmanager
def memory_of_the_command() -> Iterator[None]:
    """No more memory than the command grants a file: a text whose length is damaged takes gigabytes else."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + MEMORY_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.slow
def test_a_sound_dataset_has_no_problems(small_dataset, failing_dataset):
    assert verify(small_dataset) == []
    assert verify(str(small_dataset)) == []
    assert verify(failing_dataset) == []
    for path in small_dataset.glob("*.h5"):
        assert verify(path) == []


def test_verify_changes_nothing(dataset_copy, contents):
    before = contents(dataset_copy)
    verify(dataset_copy)
    assert contents(dataset_copy) == before


def test_progress_is_told_shard_by_shard(small_dataset):
    told = []
    verify(small_dataset, told.append)
    assert told == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_a_flipped_bit_anywhere_in_a_shard_is_found(tmp_path, make_shard, write_dataset):
    folder = write_dataset(tmp_path / "dataset", {"train": [make_shard(60), make_shard(60, first_row=60)]})
    path = folder / "train-00001.h5"
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    everywhere = generator.integers(0, len(whole), 80)
    # What HDF5 keeps for itself lies at the beginning, mostly, and its signature and its sizes first of all.
    structure = generator.integers(0, 4096, 80)
    for offset in sorted({*everywhere.tolist(), *structure.tolist(), *range(0, 96, 3)}):
        write_byte(path, offset, whole[offset] ^ 1 << int(generator.integers(8)))
        assert any("train-00001.h5" in line for line in problems(folder)), offset
        write_byte(path, offset, whole[offset])
    assert verify(folder) == []


@pytest.mark.slow
def test_each_of_a_thousand_flipped_bytes_is_found(tmp_path, make_shard, write_dataset):
    folder = write_dataset(tmp_path / "dataset", {"train": [make_shard(8, 5)]})
    path = folder / "train-00000.h5"
    whole = path.read_bytes()
    generator = np.random.default_rng(2)
    for _ in range(1000):
        offset, change = int(generator.integers(len(whole))), int(generator.integers(1, 256))
        write_byte(path, offset, whole[offset] ^ change)
        with memory_of_the_command():
            found = problems(folder)
        assert any(path.name in line for line in found), (offset, change)
        write_byte(path, offset, whole[offset])
    assert path.read_bytes() == whole


@pytest.mark.slow
def test_each_of_a_hundred_lengths_is_found(tmp_path, make_shard, write_dataset):
    folder = write_dataset(tmp_path / "dataset", {"train": [make_shard(8, 5), make_shard(8, 5, first_row=8)]})
    path = folder / "train-00001.h5"
    whole = path.read_bytes()
    for length in np.random.default_rng(3).integers(0, len(whole), 100):
        path.write_bytes(whole[:length])
        found = problems(folder)
        assert any(f"{length} bytes, expected {len(whole)}" in line for line in found), (length, found)


@pytest.mark.slow
def test_a_damaged_shard_alone_gives_problems_or_a_format_error_but_no_other_error(tmp_path, small_dataset):
    path = tmp_path / "train-00001.h5"
    whole = (small_dataset / path.name).read_bytes()
    generator = np.random.default_rng(1)
    with h5py.File(small_dataset / path.name) as file:
        state = file["state"].id.get_offset(), file["state"].id.get_storage_size()
    for _ in range(150):
        damaged = bytearray(whole)
        offset = int(generator.integers(len(whole)))
        damaged[offset : offset + 8] = generator.bytes(8)
        path.write_bytes(damaged)
        found = problems(path)
        if state[0] <= offset < sum(state):
            assert found, offset


@pytest.mark.parametrize("length", [0, 100, 4096, 0.5, -4096, -1])
def test_a_truncated_shard_is_found(dataset_copy, length):
    path = dataset_copy / "train-00001.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * length) if isinstance(length, float) else length])
    assert any("train-00001.h5: " in line and "bytes" in line for line in verify(dataset_copy))


def test_bytes_behind_the_end_are_found(dataset_copy):
    with (dataset_copy / "train-00001.h5").open("ab") as file:
        file.write(b"\0")
    assert any("train-00001.h5" in line for line in verify(dataset_copy))


def test_a_missing_shard_is_found(dataset_copy):
    (dataset_copy / "validation-00000.h5").unlink()
    assert verify(dataset_copy) == [f"validation-00000.h5: missing. {AGAIN}"]


@pytest.mark.parametrize("name", ["train-00003.h5", "notes.txt", "train-00000.h5.part", "folder"])
def test_whatever_is_no_part_of_the_dataset_is_found(dataset_copy, name):
    if name == "folder":
        (dataset_copy / name).mkdir()
    else:
        shutil.copy(dataset_copy / "train-00000.h5", dataset_copy / name)
    assert verify(dataset_copy) == [f"{name}: no part of this dataset"]


def test_a_renamed_shard_is_found_under_both_names(dataset_copy):
    (dataset_copy / "train-00002.h5").rename(dataset_copy / "train-00007.h5")
    found = "\n".join(verify(dataset_copy))
    assert f"train-00002.h5: missing. {AGAIN}" in found
    assert "train-00007.h5: no part" in found


@pytest.mark.parametrize(
    "pair", [("train-00000.h5", "train-00001.h5"), ("validation-00000.h5", "test-00000.h5")]
)
def test_swapped_shards_are_found(dataset_copy, pair):
    first, second = (dataset_copy / name for name in pair)
    first.rename(dataset_copy / "spare")
    second.rename(first)
    (dataset_copy / "spare").rename(second)
    found = "\n".join(verify(dataset_copy))
    for name in pair:
        assert name in found
    assert "expected rows of" in found


def write_raw(folder, raw) -> None:
    """An edited manifest whose own hash in SHA256SUMS is right: by someone who knows what they do."""
    text = json.dumps(raw, indent=1, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text)
    try:
        sums = Manifest.model_validate(raw).checksums()
    except (ValueError, RecursionError):
        return
    (folder / CHECKSUMS).write_text(sums)


def leaves(value, path=()):
    """Paths of all values inside nested lists and dictionaries, the containers included."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from leaves(child, (*path, key))


def edited(raw, path, change):
    raw = copy.deepcopy(raw)
    place = raw
    for key in path[:-1]:
        place = place[key]
    if change is None:
        del place[path[-1]]
    else:
        place[path[-1]] = change(place[path[-1]])
    return raw


def other(value):
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value[:-1] + ("0" if value[-1:] != "0" else "1")
        case list():
            return value + value if value else [0]
        case dict():
            return {**value, "spare": 1}
        case None:
            return 1


EDITS = {
    "another value": other,
    "removed": None,
    "null": lambda value: None if value is not None else 0,
    "NaN": lambda value: float("nan"),
    "text": lambda value: "\ud800" if value != "\ud800" else "",
    "a list": lambda value: [value],
    "a table": lambda value: {"value": value},
}


@pytest.mark.slow
@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_of_the_manifest_is_found_though_its_hash_is_right(
    tmp_path, make_shard, write_dataset, edit
):
    shards = {
        "train": [make_shard(4, 3), make_shard(2, 3, first_row=4)],
        "validation": [make_shard(3, 3, split="validation", failed=(1,))],
    }
    folder = write_dataset(tmp_path / "dataset", shards)
    assert verify(folder) == []
    raw = json.loads((folder / MANIFEST).read_text())
    missed = []
    for path in leaves(raw):
        changed = edited(raw, path, EDITS[edit])
        try:
            write_raw(folder, changed)
        except UnicodeEncodeError:  # no text file can hold it; as an escape it can
            (folder / MANIFEST).write_text(json.dumps(changed, indent=1))
        if not problems(folder):
            missed.append(".".join(map(str, path)))
    assert missed == []


def test_statistics_that_do_not_follow_from_the_states_are_found(dataset_copy):
    # Consistent in itself, hashes right: only the states can tell. Normalisation would follow it.
    manifest = load_manifest(dataset_copy)
    splits = {name: list(split.shards) for name, split in manifest.splits.items()}
    shard = splits["train"][1]
    wrong = shard.statistics.model_copy(update={"mean": [9.0, 9.0]})
    splits["train"][1] = shard.model_copy(update={"statistics": wrong})
    forged = Manifest.of(manifest.config, manifest.system, manifest.components, splits)
    assert forged.id == manifest.id
    forged.save(dataset_copy)
    assert any("train-00001.h5" in line for line in verify(dataset_copy))


def test_moments_summed_in_another_order_on_another_machine_are_no_damage(dataset_copy):
    # NumPy's sums depend on the width of the processor's vectors, in the last digits.
    manifest = load_manifest(dataset_copy)
    splits = {name: list(split.shards) for name, split in manifest.splits.items()}
    for shards in splits.values():
        for index, shard in enumerate(shards):
            mean, std = (np.array(getattr(shard.statistics, key)) for key in ("mean", "std"))
            moved = {"mean": (mean + 1e-15 * std).tolist(), "std": (std * (1 + 1e-15)).tolist()}
            statistics = shard.statistics.model_copy(update=moved)
            shards[index] = shard.model_copy(update={"statistics": statistics})
    elsewhere = Manifest.of(manifest.config, manifest.system, manifest.components, splits)
    assert elsewhere != manifest
    elsewhere.save(dataset_copy)
    assert verify(dataset_copy) == []


def test_an_edited_manifest_is_found_though_it_says_the_same(dataset_copy):
    raw = json.loads((dataset_copy / MANIFEST).read_text())
    (dataset_copy / MANIFEST).write_text(json.dumps(raw))
    assert any(MANIFEST in line for line in verify(dataset_copy))


@pytest.mark.slow
def test_a_missing_edited_or_binary_sha256sums_is_found(dataset_copy):
    path = dataset_copy / CHECKSUMS
    text = path.read_text()
    for edited_text in (text.replace("a", "b", 1), text[:-1], "", "".join(text.splitlines(True)[1:])):
        path.write_text(edited_text)
        assert any(CHECKSUMS in line for line in verify(dataset_copy))
    path.write_bytes(b"\xff\xfe")
    assert any(CHECKSUMS in line for line in verify(dataset_copy))
    path.unlink()
    assert verify(dataset_copy) == [f"{CHECKSUMS}: missing. {REPAIR}"]


def shard_of(folder):
    return read_shard(folder / "train-00001.h5")


def with_value(array, index, value):
    array = array.copy()
    array[index] = value
    return array


# Shards written by the shard writer, so that every hash is right and only the meaning is wrong.
FORGERIES = {
    "NaN in a sound row": (
        lambda shard: {"state": with_value(shard.state, (3, 7, 1), np.nan)},
        "not finite",
    ),
    "values in a failed row": (
        lambda shard: {"status": with_value(shard.status, 4, 1)},
        "expected NaN",
    ),
    "a status without a meaning": (
        lambda shard: {
            "status": with_value(shard.status, 4, 9),
            "state": with_value(shard.state, 4, np.nan),
        },
        "status",
    ),
    "another time grid": (lambda shard: {"time": shard.time * 2}, "time grid"),
    "a time grid off by one bit": (
        lambda shard: {"time": with_value(shard.time, 5, np.nextafter(shard.time[5], 9))},
        "time grid",
    ),
    "rows that count from elsewhere": (lambda shard: {"trajectory": shard.trajectory + 1}, "trajectory"),
    "rows in another order": (lambda shard: {"trajectory": shard.trajectory[::-1]}, "trajectory"),
    "states that begin elsewhere": (
        lambda shard: {"state": with_value(shard.state, (3, 0, 0), 0.123)},
        "initial states",
    ),
    "initial states of another row": (
        lambda shard: {"initial_state": np.roll(shard.initial_state, 1, axis=0)},
        "initial states",
    ),
    "another split": (lambda shard: {"attributes": {"split": "test"}}, "rows of test"),
    "another first row": (
        lambda shard: {"attributes": {"first_row": 0}, "trajectory": shard.trajectory - 32},
        "expected 32",
    ),
    "another config": (lambda shard: {"attributes": config_of(shard, engine={"name": "guess"})}, "config"),
    "no config": (lambda shard: {"attributes": {"config": "{"}}, "config"),
    "a config that is a number": (lambda shard: {"attributes": {"config": "1"}}, "config"),
    "a config whose grid is null": (lambda shard: {"attributes": config_of(shard, grid=None)}, "config"),
    "a config whose grid has too many points": (
        lambda shard: {"attributes": config_of(shard, grid={"duration": 2.0, "points": 10**15})},
        "config|time grid",
    ),
    "a config whose grid has a negative number of points": (
        lambda shard: {"attributes": config_of(shard, grid={"duration": 2.0, "points": -3})},
        "config|time grid",
    ),
    "a config_hash of nothing": (lambda shard: {"attributes": {"config_hash": "0" * 64}}, "config"),
    "other names of components": (lambda shard: {"components": ("x", "y")}, "components"),
    "other equations than the config's": (
        lambda shard: {
            "attributes": {"system": str(shard.attributes["system"]).replace("mu*(1", "mu*(2", 1)}
        },
        "system|equations",
    ),
    "another seed than the config's": (lambda shard: {"attributes": {"seed": 99}}, "seed"),
    "another dtype than the config's": (
        lambda shard: {"state": shard.state.astype("f8"), "initial_state": shard.initial_state},
        "states are float64, the config says float32",
    ),
    "a system that is a list": (
        lambda shard: {
            "attributes": {**config_of(shard, system=["a"]), "system": '["a"]'},
        },
        "holds no config or system",
    ),
    "another resampling than the config's": (
        lambda shard: {"attributes": {"resampling": "linear"}},
        "resampling",
    ),
}


def config_of(shard, **changes):
    config = {**json.loads(str(shard.attributes["config"])), **changes}
    return {"config": canonical_json(config), "config_hash": json_hash(config)}


@pytest.mark.slow
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_shard_that_contradicts_itself_or_the_dataset_is_found_though_its_hashes_are_right(
    dataset_copy, forge, forgery
):
    change, expected = FORGERIES[forgery]
    forge(dataset_copy, "train-00001.h5", **change(shard_of(dataset_copy)))
    found = [line for line in problems(dataset_copy) if "train-00001.h5" in line]
    assert found
    assert re.search(expected, "\n".join(found)), found


# Of a system with states x1 and x2; none of these is a config that trajstore writes.
GARBLED = {
    "observation.components: got {'x1': 1}": {"observation": {"components": {"x1": 1}}},
    "observation.components: got x1, x1; expected each once": {"observation": {"components": ["x1", "x1"]}},
    "observation.components: got x2, x1": {"observation": {"components": ["x2", "x1"]}},
    "observation.noise: got 'x'": {"observation": {"noise": "x"}},
    "observation.noise.relative: got -1": {"observation": {"noise": {"relative": -1}}},
    "observation.noise.relative: got True": {"observation": {"noise": {"relative": True}}},
    "observation.noise: expected one": {"observation": {"noise": {"relative": 1, "absolute": 1}}},
    "observation.noise: 'q' is not observed": {"observation": {"noise": {"absolute": {"q": 1}}}},
    "observation.blur: unknown key": {"observation": {"blur": 1}},
    "observation.derivative: got 0": {"observation": {"derivative": 0}},
    "observation: clean: without noise": {"observation": {"clean": True}},
    "dataset.diagnostics: got 'lyapunov_exponent'": {"dataset": {"diagnostics": "lyapunov_exponent"}},
    "dataset.diagnostics: got {'energy_drift": {"dataset": {"diagnostics": {"energy_drift": 1}}},
    "dataset.diagnostics: got ['energy_drift', 'en": {"dataset": {"diagnostics": ["energy_drift"] * 2}},
    "dataset.diagnostics: 'entropy'": {"dataset": {"diagnostics": ["entropy"]}},
    "system.states: got 'x1x2'": {"system": {"states": "x1x2"}},
    "holds no config or system": {"system": {"kind": ["delay"]}},
    "grid.initial_time: got '0'": {"grid": {"initial_time": "0"}},
    "the seed is -1": {"dataset": {"seed": -1}},
    "the seed is True": {"dataset": {"seed": True}},
    'the kind of the system is "delay"': {"system": {"kind": "delay"}},
    "no equation calls delayed, or the reverse": {"system": {"equations": {"x1": "-delayed (x1, 1)"}}},
    "grid.diagnosed: got None": {"grid": {"times_sha256": ""}, "dataset": {"diagnostics": ["energy_drift"]}},
    "grid.diagnosed: got {'duration': -1": {
        "grid": {"times_sha256": "", "diagnosed": {"duration": -1, "points": 2}},
        "dataset": {"diagnostics": ["energy_drift"]},
    },
}


@pytest.mark.parametrize("said", GARBLED)
def test_a_config_that_no_trajstore_writes_is_one_problem_though_its_hashes_are_right(
    small_dataset, tmp_path, said
):
    shard = shard_of(small_dataset)
    config = json.loads(str(shard.attributes["config"]))
    for section, changes in GARBLED[said].items():
        config[section] = {**config.get(section, {}), **changes}
    attributes = {
        **shard.attributes,
        "config": canonical_json(config),
        "config_hash": json_hash(config),
        "system": canonical_json(config["system"]),
        "seed": int(config["dataset"]["seed"]),
    }
    path = tmp_path / "train-00001.h5"
    write_shard(path, replace(shard, attributes=attributes))
    found = [line for line in verify(path) if said in line]
    assert len(found) == 1, verify(path)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("energy_drift", [0.0, 1.0, np.inf, np.nan], None),
        ("lyapunov_exponent", [0.0, -1.0, 1e9, np.nan], None),
        (
            "energy_drift",
            [0.0, np.nan, 0.0, np.nan],
            "row 1, whose status is ok, holds nan; expected numbers of 0",
        ),
        (
            "energy_drift",
            [0.0, 0.0, -1e-9, np.nan],
            "row 2, whose status is ok, holds -1e-09; expected numbers of 0",
        ),
        (
            "lyapunov_exponent",
            [0.0, 0.0, np.nan, np.nan],
            "row 2, whose status is ok, holds nan; expected finite",
        ),
        (
            "lyapunov_exponent",
            [-np.inf, 0.0, 0.0, np.nan],
            "row 0, whose status is ok, holds -inf; expected finite",
        ),
        ("energy_drift", [0.0, 0.0, 0.0, 0.0], "rows whose status is not ok hold values"),
        ("lyapunov_exponent", [0.0, 0.0, 0.0, np.inf], "rows whose status is not ok hold values"),
    ],
)
def test_diagnostics_are_numbers_in_sound_rows_and_nan_in_others(tmp_path, make_shard, name, values, said):
    shard = make_shard(4, failed=(3,))
    config = json.loads(str(shard.attributes["config"]))
    config["dataset"]["diagnostics"] = [name]
    attributes = {**shard.attributes, "config": canonical_json(config), "config_hash": json_hash(config)}
    changed = replace(shard, attributes=attributes, optional={name: np.array(values)})
    write_shard(tmp_path / "train-00000.h5", changed)
    found = verify(tmp_path / "train-00000.h5")
    assert [line.startswith(f"train-00000.h5: {name}: {said}") for line in found] == [True] * (
        said is not None
    )


def test_infinity_in_a_sound_row_of_a_single_file_is_found(tmp_path, make_shard):
    shard = make_shard()
    with np.errstate(all="ignore"):  # moments of infinity
        write_shard(
            tmp_path / "train-00000.h5", replace(shard, state=with_value(shard.state, (3, 7, 1), np.inf))
        )
    assert any("not finite" in line for line in verify(tmp_path / "train-00000.h5"))


def test_a_row_more_or_less_than_the_manifest_says_is_found(dataset_copy):
    shard = read_shard(dataset_copy / "train-00002.h5")
    shorter = replace(
        shard,
        **{name: getattr(shard, name)[:-1] for name in ("state", "trajectory", "initial_state", "status")},
        parameters={"mu": shard.parameters["mu"][:-1]},
    )
    write_shard(dataset_copy / "train-00002.h5", shorter)
    assert any("number of rows" in line for line in verify(dataset_copy))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_without_its_last_shard_is_found_though_the_manifest_agrees(dataset_copy, split):
    manifest = load_manifest(dataset_copy)
    splits = {name: list(kept.shards) for name, kept in manifest.splits.items()}
    (dataset_copy / splits[split].pop().file).unlink()
    Manifest.of(manifest.config, manifest.system, manifest.components, splits).save(dataset_copy)
    found = verify(dataset_copy)
    assert any(split in line and "config says" in line for line in found)


def test_a_dataset_without_its_first_shard_is_found_though_the_manifest_agrees(dataset_copy):
    manifest = load_manifest(dataset_copy)
    splits = {name: list(kept.shards) for name, kept in manifest.splits.items()}
    (dataset_copy / splits["train"].pop(0).file).unlink()
    Manifest.of(manifest.config, manifest.system, manifest.components, splits).save(dataset_copy)
    assert any("train-00001.h5 stands in the place of" in line for line in problems(dataset_copy))


def test_a_path_that_is_no_dataset_is_a_format_error(tmp_path):
    with pytest.raises(FormatError, match="no dataset"):
        verify(tmp_path)
    with pytest.raises(FormatError, match="nowhere"):
        verify(tmp_path / "nowhere")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(FormatError, match="HDF5"):
        verify(tmp_path / "text")


@pytest.mark.slow
def test_names_that_command_a_terminal_or_that_nothing_encodes_are_printable_lines(dataset_copy):
    (dataset_copy / "\x1b[31mred\nsound").touch()
    (dataset_copy / os.fsdecode(b"\xff\xfe")).touch()
    assert verify(dataset_copy) == [
        "\\x1b[31mred\\nsound: no part of this dataset",
        "\\udcff\\udcfe: no part of this dataset",
    ]
    moved = dataset_copy.rename(dataset_copy.parent / os.fsdecode(b"\xff"))
    for isolated in (False, True):
        assert len(verify(moved, isolated=isolated)) == 2
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([TRAJSTORE, "verify", moved], capture_output=True, env=environment, timeout=60)
    assert done.returncode == 1, done.stderr
    assert done.stdout.decode().count("no part of this dataset") == 2
    assert b"\\udcff: 2 problems" in done.stderr


@pytest.mark.parametrize(
    ("case", "expected"),
    [("gone", "no dataset: manifest.json is missing"), ("damaged", "cannot be read as JSON")],
)
def test_what_cannot_be_checked_ends_with_2(dataset_copy, case, expected):
    if case == "gone":
        (dataset_copy / MANIFEST).unlink()
    else:
        (dataset_copy / MANIFEST).write_text("{")
    result = CliRunner().invoke(main, ["verify", str(dataset_copy)])
    assert result.exit_code == 2
    assert expected in result.output


@pytest.mark.parametrize("case", ["pipe", "link", "too large"])
def test_a_document_that_may_not_be_read_is_one_problem_and_not_read(dataset_copy, time_limit, case):
    path = dataset_copy / "README.md"
    path.unlink()
    if case == "too large":
        path.touch()
        os.truncate(path, 1 << 40)
    else:
        os.mkfifo(path) if case == "pipe" else path.symlink_to("/dev/zero")
    expected = {"pipe": "no regular file", "link": "is a link", "too large": "at most 67108864 are read"}[
        case
    ]
    with time_limit(10):
        (found,) = verify(dataset_copy)
    assert found.startswith("README.md: ")
    assert expected in found
