"""Documents: written with the dataset, vouched for by SHA256SUMS, never over what somebody else wrote."""

import subprocess

import pytest
from trajstore.data import TrajstoreError, load_manifest, verify
from trajstore.data.base.errors import AGAIN
from trajstore.data.folder.names import CHECKSUMS, DOCUMENTS, MANIFEST
from trajstore.pipeline import generate
from trajstore.pipeline.describe import documents
from trajstore.pipeline.describe.documents import save_dataset


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("damage", ["edited", "emptied", "deleted", "linked"])
def test_a_document_that_is_not_the_one_listed_is_found(dataset_copy, tmp_path, name, damage):
    path = dataset_copy / name
    text = path.read_text()
    if damage == "edited":
        path.write_text(text.replace("van-der-pol", "van-der-pot"))
    elif damage == "emptied":
        path.write_text("")
    else:
        path.unlink()
    if damage == "linked":
        (tmp_path / "elsewhere").write_text(text)
        path.symlink_to(tmp_path / "elsewhere")
    problems = verify(dataset_copy)
    assert problems
    assert all(problem.startswith(f"{name}: ") for problem in problems)
    if damage != "linked":
        assert problems[0].text.endswith(AGAIN)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_not_listed_is_no_part_of_the_dataset(dataset_copy, name):
    path = dataset_copy / CHECKSUMS
    path.write_text("".join(line for line in path.read_text().splitlines(True) if name not in line))
    assert verify(dataset_copy) == [f"{name}: no part of this dataset: {CHECKSUMS} does not list it"]


@pytest.mark.parametrize("edit", ["swapped", "twice", "foreign", "hash"])
def test_edited_lines_of_documents_in_the_checksums_are_found(dataset_copy, edit):
    path = dataset_copy / CHECKSUMS
    *lines, readme, croissant = path.read_text().splitlines(True)
    path.write_text(
        "".join(
            {
                "swapped": [*lines, croissant, readme],
                "twice": [*lines, readme, croissant, croissant],
                "foreign": [*lines, readme, croissant, croissant.replace("croissant.json", "/etc/passwd")],
                "hash": [*lines, "0" * 64 + readme[64:], croissant],
            }[edit]
        )
    )
    assert verify(dataset_copy) != []


def test_a_dataset_without_documents_is_sound(dataset_copy):
    # As they were written before there were any.
    for name in DOCUMENTS:
        (dataset_copy / name).unlink()
    load_manifest(dataset_copy).save(dataset_copy)
    assert verify(dataset_copy) == []
    assert "README" not in (dataset_copy / CHECKSUMS).read_text()


def test_documents_have_no_part_in_the_id(dataset_copy, monkeypatch):
    before = (dataset_copy / MANIFEST).read_bytes()
    monkeypatch.setattr(documents.card, "data_card", lambda *_: f"{documents.card.MARKER}\nother\n")
    save_dataset(dataset_copy, load_manifest(dataset_copy))
    assert (dataset_copy / "README.md").read_text().endswith("other\n")
    assert (dataset_copy / MANIFEST).read_bytes() == before
    assert verify(dataset_copy) == []


@pytest.mark.parametrize("remade", [False, True])
def test_a_card_of_before_it_began_with_yaml_is_sound_and_ours(experiment, dataset_copy, monkeypatch, remade):
    old = "<!-- Written by trajstore. SHA256SUMS lists this file. -->\n\n# Trajectories\n"
    with monkeypatch.context() as patched:
        patched.setattr(documents.card, "data_card", lambda *_: old)
        save_dataset(dataset_copy, load_manifest(dataset_copy))
    assert (dataset_copy / "README.md").read_text() == old
    assert verify(dataset_copy) == []
    if remade:
        generate(experiment(dataset={"train": 71}), dataset_copy)
        assert (dataset_copy / "README.md").read_text().startswith("---\n# Written by trajstore.")
        assert verify(dataset_copy) == []


@pytest.mark.parametrize(
    "text", ["---\ntitle: mine\n---\n# Written by trajstore.\n", "# Written by trajstore.\n"]
)
def test_what_only_speaks_of_trajstore_is_not_ours(tmp_path, text):
    (tmp_path / "README.md").write_text(text)
    assert not documents.is_ours(tmp_path / "README.md")


def test_what_is_right_is_not_touched(dataset_copy, contents):
    before = contents(dataset_copy)
    save_dataset(dataset_copy, load_manifest(dataset_copy))
    assert contents(dataset_copy) == before


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("kind", ["text", "empty", "link to ours", "folder"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_document_that_somebody_else_wrote_is_never_replaced(
    experiment, small_dataset, tmp_path, name, kind, overwrite
):
    folder = tmp_path / "project"
    folder.mkdir()
    path = folder / name
    if kind == "folder":
        path.mkdir()
    elif kind == "link to ours":
        path.symlink_to(small_dataset / name)
    else:
        path.write_text("# My thesis\n" if kind == "text" else "")
    with pytest.raises(TrajstoreError, match=f"{folder}.*{name}.*did not write"):
        generate(experiment(), folder, overwrite=overwrite)
    assert [entry.name for entry in folder.iterdir()] == [name]
    assert path.is_symlink() == (kind == "link to ours")
    assert path.is_dir() == (kind == "folder")
    if kind == "text":
        assert path.read_text() == "# My thesis\n"


@pytest.mark.slow
@pytest.mark.parametrize("last", ["README.md", "croissant.json", CHECKSUMS])
def test_a_run_killed_between_its_documents_is_gone_on_with(experiment, dataset_copy, contents, last):
    """Documents, checksums, manifest: whatever prefix of these was written, the same command completes it."""
    whole = contents(dataset_copy)
    order = [*DOCUMENTS, CHECKSUMS, MANIFEST]
    for name in order[order.index(last) + 1 :]:
        (dataset_copy / name).unlink()
    (dataset_copy / f"{last}.123.part").write_bytes(b"half")
    assert generate(experiment(), dataset_copy).written == 0
    after = contents(dataset_copy)
    assert {name: raw for name, (raw, _) in after.items()} == {name: raw for name, (raw, _) in whole.items()}
    assert verify(dataset_copy) == []


def test_a_dataset_that_grew_has_the_documents_of_a_fresh_one(experiment, dataset_copy, tmp_path):
    larger = experiment(dataset={"train": 140})
    generate(larger, dataset_copy)
    generate(larger, tmp_path / "fresh")
    for name in (*DOCUMENTS, CHECKSUMS):
        assert (dataset_copy / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()


def test_sha256sum_finds_an_edited_document(dataset_copy):
    (dataset_copy / "README.md").write_text("?")
    command = ["sha256sum", "-c", CHECKSUMS]
    done = subprocess.run(command, cwd=dataset_copy, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "README.md: FAILED" in done.stdout
