"""croissant.json: MLCommons' own reader finds nothing wrong with it, and each file is the one it names."""

import hashlib
import json
import subprocess
import sys
import warnings
from pathlib import Path

import h5py
import pytest
from mlcroissant import Dataset, FileObject, FileSet
from trajstore.data import load_manifest
from trajstore.data.folder.names import CHECKSUMS, DOCUMENTS
from trajstore.data.shard.schema import KNOWN_VARIABLES
from trajstore.data.shard.structure import open_shard, row_variables
from trajstore.pipeline import generate
from trajstore.pipeline.describe.croissant import TYPES, croissant
from trajstore.pipeline.describe.documents import save_dataset

pytestmark = pytest.mark.slow

UNDATED = '"https://schema.org/datePublished" is recommended, but does not exist.'
EVIL = 'a "quoted" \\ | <b>title</b>\n\x00\u202e {"@id": "x"}'


def metadata(value):
    """What mlcroissant makes of it; raises if it finds an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return Dataset(jsonld=value).metadata


def variables_of(folder):
    with open_shard(folder / "train-00000.h5") as file:
        return row_variables(file)


def file_objects(found):
    return [each for each in found.distribution if isinstance(each, FileObject)]


def read(folder: Path):
    return json.loads((folder / "croissant.json").read_text(encoding="utf-8"))


def dated(manifest):
    config = {**manifest.config, "dataset": {**manifest.config["dataset"], "date": "2026-11-22"}}
    return manifest.model_copy(update={"config": config})


def test_the_validators_command_accepts_it(small_dataset):
    command = Path(sys.executable).with_name("mlcroissant")
    path = str(small_dataset / "croissant.json")
    done = subprocess.run(
        [command, "validate", "--jsonld", path], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = [text for text in done.stderr.splitlines() if text.startswith("  -  ")]
    # No clock enters a dataset, so it has a date only if its config gives one.
    assert len(found) == 1, done.stderr
    assert found[0].endswith(UNDATED)


@pytest.mark.parametrize("kind", ["planar", "failing", "measured"])
def test_with_a_date_it_has_neither_errors_nor_warnings(
    small_dataset, failing_dataset, make_shard, write_dataset, tmp_path, kind
):
    if kind == "measured":
        folder = write_dataset(tmp_path / "measured", {"train": [make_shard(5)]})
    else:
        folder = {"planar": small_dataset, "failing": failing_dataset}[kind]
    found = metadata(json.loads(croissant(dated(load_manifest(folder)), {}, variables_of(folder))))
    assert (found.ctx.issues.warnings, found.ctx.issues.errors) == (set(), set())
    assert str(found.date_published).startswith("2026-11-22")


def test_without_a_date_that_is_the_only_warning(small_dataset):
    found = metadata(read(small_dataset))
    assert found.ctx.issues.errors == set()
    (warning,) = found.ctx.issues.warnings
    assert warning.endswith(UNDATED)


def test_each_file_is_the_one_it_names(small_dataset):
    files = file_objects(metadata(read(small_dataset)))
    for file in files:
        raw = (small_dataset / file.content_url).read_bytes()
        assert hashlib.sha256(raw).hexdigest() == file.sha256
        assert file.content_size == f"{len(raw)} B"
        expected = "application/x-hdf5" if file.content_url.endswith(".h5") else "application/json"
        assert file.encoding_formats == [expected]
    names = {path.name for path in small_dataset.iterdir()} - {CHECKSUMS, *DOCUMENTS}
    assert {file.content_url for file in files} == names
    assert len(files) == len(names)


def test_every_type_of_a_row_variable_has_a_word():
    of_rows = [each for each in KNOWN_VARIABLES.values() if each.dimensions[0] == "trajectory"]
    assert {dtype for each in of_rows for dtype in each.dtypes} <= TYPES.keys()


def test_records_have_the_variables_of_the_files(experiment, tmp_path):
    drawn = {"name": "van-der-pol", "parameters": {"mu": {"uniform": [0.1, 2.0]}}}
    generate(experiment(system=drawn, observation={"derivative": True}), tmp_path / "dataset", jobs=1)
    found = metadata(read(tmp_path / "dataset"))
    assert found.ctx.issues.errors == set()
    files = {each.uuid: each for each in found.distribution if isinstance(each, FileSet)}
    assert [each.uuid for each in found.record_sets] == [f"{split}-rows" for split in files]
    for records in found.record_sets:
        split = records.uuid.removesuffix("-rows")
        (pattern,) = files[split].includes
        shards = sorted((tmp_path / "dataset").glob(pattern))
        assert {path.name for path in shards} == {
            record.file for record in load_manifest(tmp_path / "dataset").splits[split].shards
        }
        with h5py.File(shards[0]) as file:
            rows = {name for name, item in file.items() if item.shape[:1] == file["trajectory"].shape}
            assert {field.name for field in records.fields} == rows >= {"state", "derivative", "mu", "status"}
            for field in records.fields:
                stored = file[field.source.extract.column]
                assert field.data_type == stored.dtype
                assert (field.array_shape_tuple or ()) == stored.shape[1:]
                assert field.source.uuid == split


def test_it_says_what_the_config_says(experiment, tmp_path):
    about = {
        "title": "My oscillator",
        "license": "CC-BY-4.0",
        "creator": "A. Person",
        "date": "2026-11-22",
    }
    generate(experiment(dataset=about), tmp_path / "dataset", jobs=1)
    found = metadata(read(tmp_path / "dataset"))
    identity = load_manifest(tmp_path / "dataset").id
    assert (found.ctx.issues.warnings, found.ctx.issues.errors) == (set(), set())
    assert found.name == "My oscillator"
    assert found.license == ["https://spdx.org/licenses/CC-BY-4.0.html"]
    assert [person.name for person in found.creators] == ["A. Person"]
    assert found.version == f"1.0.0+{identity[:16]}"
    assert "A. Person: My oscillator" in found.cite_as
    assert identity in found.cite_as
    assert "70 train, 20 validation, 10 test" in found.description
    assert read(tmp_path / "dataset")["identifier"] == f"trajstore:{identity}"


def test_a_licence_that_is_no_spdx_identifier_stays_as_it_is(experiment, tmp_path):
    generate(experiment(dataset={"license": "ask me"}), tmp_path / "dataset", jobs=1)
    assert metadata(read(tmp_path / "dataset")).license == ["ask me"]


def test_any_text_of_a_config_is_text(small_dataset):
    kept = dated(load_manifest(small_dataset))
    dataset = {**kept.config["dataset"], "title": EVIL, "license": EVIL, "creator": EVIL}
    config, system = {**kept.config, "dataset": dataset}, {**kept.system, "name": EVIL, "description": EVIL}
    text = croissant(
        kept.model_copy(update={"config": config, "system": system}),
        {"trajstore": EVIL},
        variables_of(small_dataset),
    )
    found = metadata(json.loads(text))
    assert found.name == 'a "quoted" \\ | <b>title</b> {"@id": "x"}'
    assert (found.ctx.issues.warnings, found.ctx.issues.errors) == (set(), set())
    assert "\u202e" not in text


def test_many_shards_are_listed_each(make_shard, write_dataset, tmp_path):
    shards = [make_shard(1, 2, first_row=row) for row in range(60)]
    folder = write_dataset(tmp_path / "dataset", {"train": shards})
    save_dataset(folder, load_manifest(folder))
    assert len(file_objects(metadata(read(folder)))) == 61
    assert (folder / "croissant.json").stat().st_size < 60 * 400 + 4000
