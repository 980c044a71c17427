"""Published on the Hub and on Zenodo, and fetched from there: whole, once, and without a token in any message."""

import os
import pickle
import shutil
import traceback
from urllib.parse import quote

import huggingface_hub
import numpy as np
import pytest
from archive_server import TOKEN, archives
from click.testing import CliRunner
from fetch_server import SHARD, bytes_of
from huggingface_hub import constants
from huggingface_hub.utils import _http
from trajstore.data import TrajectoryDataset, TrajstoreError, load_manifest, make_loader
from trajstore.data.remote import mirrors, places
from trajstore.data.remote.hub import address_of_page
from trajstore.pipeline import fetch, generate, publish
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.exchange.archives.zenodo import doi_of_page

REPO = "hf://lab/van-der-pol"
ZENODO = ("zenodo:", "--license", "CC-BY-4.0", "--creator", "Pol, Balthasar van der")

pytestmark = [
    pytest.mark.usefixtures("checks"),
    # Of huggingface_hub, where it sends files by Git LFS.
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


@pytest.fixture
def server(small_dataset, tmp_path, monkeypatch):
    with archives(tmp_path) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.root)
        monkeypatch.setenv("ZENODO_URL", server.root)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("ZENODO_TOKEN", TOKEN)
        monkeypatch.setenv("TRAJSTORE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(places, "BACKOFF", 0.01)
        monkeypatch.setattr(mirrors, "_mirrors", {})
        # Xet has a protocol of its own, which no server here plays; without it, files go by Git LFS.
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(_http.time, "sleep", lambda _: None)
        yield server
        huggingface_hub.close_session()


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def assert_silent(server, result):
    """No token in what is shown, nor in the traceback of what went wrong, nor sent to another host."""
    shown = [result.output]
    if result.exception is not None:
        shown += traceback.format_exception(result.exception)
    assert not any(TOKEN in text for text in shown)
    assert not any(token for method, path, token in server.calls if token and elsewhere(method, path))


def elsewhere(method, path):
    """Does a request go to another server than the Hub's own?"""
    return path.startswith("/cdn/") or (method == "PUT" and path.startswith("/lfs/"))


def assert_refused(server, result, *said):
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    for text in said:
        assert text in result.stderr, result.stderr
    assert_silent(server, result)


@pytest.mark.slow
@pytest.mark.parametrize("target", [(REPO,), ZENODO], ids=["hub", "zenodo"])
def test_what_is_published_is_fetched_byte_for_byte_by_what_is_printed(
    server, dataset_copy, tmp_path, target
):
    (dataset_copy / ".DS_Store").write_text("of a file manager")
    result = run("publish", dataset_copy, *target)
    assert result.exit_code == 0, result.output
    assert_silent(server, result)
    cite = result.stdout.strip()
    assert cite.startswith((f"{REPO}@", "doi:10.5281/zenodo."))
    fetched = run("fetch", cite, tmp_path / "here")
    assert fetched.exit_code == 0, fetched.output
    assert_silent(server, fetched)
    (dataset_copy / ".DS_Store").unlink()
    assert bytes_of(tmp_path / "here") == bytes_of(dataset_copy)
    # Again: nothing is sent that is there.
    server.uploads.clear()
    again = run("publish", dataset_copy, *target)
    assert again.exit_code == 0, again.output
    assert again.stdout.strip() == cite
    assert not server.uploads


@pytest.mark.slow
def test_a_dataset_on_the_hub_is_read_where_it_lies(server, small_dataset):
    cite = publish(small_dataset, REPO).cite
    for address in (cite, REPO, "hf://datasets/lab/van-der-pol@main"):
        there, here = TrajectoryDataset(address), TrajectoryDataset(small_dataset)
        assert TOKEN.encode() not in pickle.dumps(there), "whoever gets the copy has a token of their own"
        for one, other in zip(make_loader(there, 32), make_loader(here, 32), strict=True):
            assert all((mine == theirs).all() for mine, theirs in zip(one, other, strict=True))
    assert run("verify", cite).exit_code == 0
    assert not any(token for _, path, token in server.calls if path.startswith("/cdn/"))


@pytest.mark.slow
def test_the_address_of_a_page_leads_to_its_dataset(server, small_dataset, tmp_path):
    site = os.environ["HF_ENDPOINT"]
    cite = publish(small_dataset, REPO).cite
    page, commit = f"{site}/datasets/lab/van-der-pol", cite.partition("@")[2]
    pages = [
        page,
        f"{page}/",
        f"{page}/tree/main",
        f"{page}/tree/{commit}/?x=1#y",
        f"{page}/blob/main/manifest.json",
    ]
    doi = publish(small_dataset, "zenodo:", license="CC0-1.0", creator="A, B").cite
    number = doi.rpartition(".")[2]
    record = f"{os.environ['ZENODO_URL']}/records/{number}"
    pages += [record, f"{record}?preview=1#files", f"https://doi.org/{doi.removeprefix('doi:')}"]
    for place, address in enumerate(pages):
        fetch(address, tmp_path / str(place))
        assert bytes_of(tmp_path / str(place)) == bytes_of(small_dataset)
    for address in pages[:5]:
        assert load_manifest(address) == load_manifest(small_dataset)


@pytest.mark.parametrize(
    ("page", "address"),
    [
        ("https://huggingface.co/datasets/a/b", "hf://a/b"),
        (
            "https://huggingface.co/datasets/a/b/tree/refs%2Fpr%2F1/some/folder",
            "hf://a/b@refs%2Fpr%2F1/some/folder",
        ),
        ("https://huggingface.co/datasets/a/b/resolve/main", None),
        ("https://huggingface.co/a/b", None),
        ("https://huggingface.co.evil.org/datasets/a/b", None),
        ("/datasets/a/b", None),
        ("data/records/1", None),
        ("https://zenodo.org/records/12", "doi:10.5281/zenodo.12"),
        ("https://zenodo.org/record/12/files/x.h5?download=1", "doi:10.5281/zenodo.12"),
        ("https://zenodo.org/api/records/12", None),
        ("https://doi.org/10.5281/zenodo.12", "doi:10.5281/zenodo.12"),
        ("https://doi.org/10.1000/182", None),
    ],
)
def test_pages_of_archives_and_addresses_that_are_none(page, address, monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.delenv("ZENODO_URL", raising=False)
    assert doi_of_page(address_of_page(page)) == (address or page)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("revision", "typed"),
    [
        ("v1.0", ["v1.0"]),
        ("1.0+build", ["1.0+build", "1.0%2Bbuild"]),
        ("refs/pr/1", ["refs/pr/1", "refs%2Fpr%2F1"]),
        ("refs/convert/parquet", ["refs/convert/parquet"]),
        ("feature/new", ["feature%2Fnew", "feature%2fnew"]),
        ("two words", ["two%20words"]),
        ("a#b?c@d", ["a%23b%3Fc%40d"]),
        ("100%", ["100%", "100%25"]),
        ("größer", ["größer", "gr%C3%B6%C3%9Fer"]),
    ],
)
def test_revisions_have_names_of_any_signs(server, small_dataset, revision, typed):
    cite = publish(small_dataset, REPO).cite
    repo = server.repos["lab/van-der-pol"]
    repo.names[revision] = cite.partition("@")[2]
    repo.commits[repo.head] |= {f"sub/{path}": file for path, file in repo.commits[repo.head].items()}
    page = f"{server.root}/datasets/lab/van-der-pol/tree/{quote(revision, safe='')}"
    for address in (*(f"{REPO}@{name}" for name in typed), page):
        for folder in ("", "/sub"):
            assert load_manifest(f"{address}{folder}") == load_manifest(small_dataset)


@pytest.mark.slow
def test_a_revision_that_is_not_there_is_named(server, small_dataset):
    publish(small_dataset, REPO)
    assert_refused(server, run("info", f"{REPO}@feature/new"), f"{REPO}@feature: ", "%2F")


@pytest.mark.slow
def test_the_token_is_not_looked_up_for_each_read(server, small_dataset, monkeypatch):
    cite, asked = publish(small_dataset, REPO).cite, []
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: asked.append(1) or TOKEN)
    assert sum(len(inputs) for inputs, _ in make_loader(TrajectoryDataset(cite), 8)) == 70
    assert len(asked) <= 2
    # Who logs in as another one and opens it again is that one.
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_other")
    server.calls.clear()
    TrajectoryDataset(cite)[0]
    assert {token for _, path, token in server.calls if "/cdn/" not in path} == {"Bearer hf_other"}


@pytest.mark.slow
def test_no_password_of_netrc_takes_the_place_of_a_token(server, small_dataset, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password other\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    published = [
        publish(small_dataset, target, license="CC0-1.0", creator="A, B") for target in (REPO, "zenodo:")
    ]
    TrajectoryDataset(published[0].cite)[0]
    for number, each in enumerate(published):
        fetch(each.cite, tmp_path / str(number))
    assert {token for _, path, token in server.calls if "/records/" not in path} <= {None, f"Bearer {TOKEN}"}


@pytest.mark.slow
def test_a_new_dataset_is_the_next_commit_and_the_old_one_stays(server, small_dataset, experiment, tmp_path):
    old = publish(small_dataset, REPO).cite
    generate(experiment(dataset={"train": 40, "seed": 5}), tmp_path / "new", jobs=1)
    new = publish(tmp_path / "new", REPO).cite
    for cite, folder in ((old, small_dataset), (new, tmp_path / "new")):
        fetch(cite, tmp_path / cite[-8:])
        assert bytes_of(tmp_path / cite[-8:]) == bytes_of(folder)
    head = server.repos["lab/van-der-pol"].files("main")
    assert set(head) == set(bytes_of(tmp_path / "new")), "shards of the earlier dataset are gone"


@pytest.mark.slow
@pytest.mark.parametrize("target", [(REPO,), ZENODO], ids=["hub", "zenodo"])
def test_one_that_breaks_off_is_gone_on_with(server, small_dataset, target, tmp_path):
    path = "/lfs/" if target == (REPO,) else "/test-00000.h5"
    server.fail("PUT", path, None)
    if target == (REPO,):
        # Two of five files arrive.
        server.failures["PUT", path]["times"] = 0
        digests = [record.sha256 for record in load_manifest(small_dataset).shards]
        server.fail("PUT", "|".join(digests[2:]), None)
    result = run("publish", small_dataset, *target)
    assert_refused(server, result)
    sent = dict(server.uploads)
    assert sent
    assert not any(repo.head for repo in server.repos.values())
    assert not any(deposit["submitted"] for deposit in server.deposits.values())
    server.failures.clear()
    result = run("publish", small_dataset, *target)
    assert result.exit_code == 0, result.output
    assert all(server.uploads[name] == count for name, count in sent.items()), "nothing was sent twice"
    assert len(server.deposits) <= 1
    fetch(result.stdout.strip(), tmp_path / "here")
    assert bytes_of(tmp_path / "here") == bytes_of(small_dataset)


@pytest.mark.slow
@pytest.mark.parametrize("target", [(REPO,), ZENODO], ids=["hub", "zenodo"])
def test_a_server_that_hangs_up_in_the_middle_of_a_file(server, small_dataset, target):
    server.hang_up["PUT"] = 5_000
    run("publish", small_dataset, *target)
    assert run("publish", small_dataset, *target).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("status", [401, 403, 413, 500])
@pytest.mark.parametrize(
    ("target", "method", "path"),
    [
        ((REPO,), "POST", "/api/repos/create"),
        ((REPO,), "POST", "/commit/"),
        ((REPO,), "PUT", "/lfs/"),
        (ZENODO, "GET", "/api/deposit/depositions"),
        (ZENODO, "PUT", "/api/files/"),
        (ZENODO, "POST", "/actions/publish"),
    ],
)
def test_what_servers_refuse_is_told(server, small_dataset, target, method, path, status):
    server.fail(method, path, status)
    assert_refused(server, run("publish", small_dataset, *target), str(status))


@pytest.mark.slow
def test_what_is_not_sound_is_not_published(server, dataset_copy):
    content = bytearray((dataset_copy / SHARD).read_bytes())
    content[-1] ^= 1
    (dataset_copy / SHARD).write_bytes(content)
    for target in ((REPO,), ZENODO):
        assert_refused(server, run("publish", dataset_copy, *target), "not sound", SHARD, "trajstore verify")
    assert not server.calls


@pytest.mark.slow
def test_what_zenodo_needs_to_know(server, small_dataset, tmp_path, experiment):
    assert_refused(server, run("publish", small_dataset, "zenodo:"), "license", "--license")
    assert_refused(server, run("publish", small_dataset, *ZENODO[:3]), "creator")
    assert not server.calls
    told = {"license": "CC0-1.0", "creator": "A, B", "title": "Some rows"}
    generate(experiment(dataset=told), tmp_path / "told", jobs=1)
    published = publish(tmp_path / "told", "zenodo:")
    (deposit,) = server.deposits.values()
    metadata = deposit["metadata"]
    found = [metadata[key] for key in ("license", "creators", "title")]
    assert found == ["cc0-1.0", [{"name": "A, B"}], "Some rows"]
    assert f"trajstore:{published.manifest.id}" in metadata["keywords"]


@pytest.mark.slow
def test_a_draft_is_not_public_until_it_is_published(server, small_dataset, tmp_path):
    draft = run("publish", small_dataset, *ZENODO, "--draft")
    assert draft.exit_code == 0, draft.output
    assert_refused(server, run("fetch", draft.stdout.strip(), tmp_path / "here"), "no such record")
    server.uploads.clear()
    done = run("publish", small_dataset, *ZENODO)
    assert done.stdout == draft.stdout
    assert not server.uploads
    assert_refused(server, run("publish", small_dataset, REPO, "--draft"), "no drafts")


@pytest.mark.slow
def test_files_that_a_deposit_has_too_many_are_removed_and_wrong_ones_replaced(server, small_dataset):
    publish(small_dataset, "zenodo:", license="CC0-1.0", creator="A, B", draft=True)
    (deposit,) = server.deposits.values()
    deposit["contents"] |= {"other.txt": b"x", SHARD: b"y"}
    publish(small_dataset, "zenodo:", license="CC0-1.0", creator="A, B")
    assert deposit["contents"] == bytes_of(small_dataset)


def test_tokens_go_to_no_other_server(server, small_dataset):
    server.bucket = "http://localhost:1/api/files/x"
    assert_refused(server, run("publish", small_dataset, *ZENODO), "another server")


@pytest.mark.slow
@pytest.mark.parametrize("token", ["", "two\nlines", "nö"])
def test_a_token_that_is_none(server, small_dataset, monkeypatch, token):
    monkeypatch.setenv("ZENODO_TOKEN", token)
    result = run("publish", small_dataset, *ZENODO)
    assert_refused(server, result, "ZENODO_TOKEN")
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", os.devnull)
    result = run("publish", small_dataset, REPO)
    assert_refused(server, result, "token")
    assert not token or (token not in result.output and "lines" not in result.output)


def test_a_server_that_repeats_the_token_is_not_quoted(server, small_dataset, tmp_path):
    for method, path in (("GET", "/api/datasets/"), ("GET", "/api/records/")):
        server.fail(method, path, 403)
    for address in (REPO, "doi:10.5281/zenodo.1000"):
        assert_refused(server, run("fetch", address, tmp_path / "here"), "403")
    assert_refused(server, run("info", REPO), "403")


def test_a_dataset_that_shows_itself_but_not_its_files_wants_a_login(server, small_dataset, tmp_path):
    """As those do on the Hub for which one must ask."""
    publish(small_dataset, REPO)
    server.fail("GET", "/resolve/", 403)
    for command in (["info", REPO], ["fetch", REPO, tmp_path / "here"]):
        assert_refused(server, run(*command), "403", "hf auth login")


@pytest.mark.parametrize("status", [401, 403])
def test_a_record_that_not_all_may_read_needs_no_scopes_of_deposits(server, tmp_path, status):
    server.fail("GET", "/api/records/", status)
    result = run("fetch", "doi:10.5281/zenodo.1000", tmp_path / "here")
    assert_refused(server, result, str(status), "ask who shares it")
    assert "deposit" not in result.output


def test_the_page_of_a_record_is_no_folder_to_read_from(server, tmp_path):
    page = f"{os.environ['ZENODO_URL']}/records/1000"
    assert_refused(server, run("info", page), f"trajstore fetch {page} DIR")


def test_the_doi_of_all_versions_leads_to_the_latest(server, small_dataset, tmp_path):
    publish(small_dataset, "zenodo:", license="CC0-1.0", creator="A, B")
    fetch("doi:10.5281/zenodo.999", tmp_path / "here")
    assert bytes_of(tmp_path / "here") == bytes_of(small_dataset)


@pytest.mark.slow
def test_addresses_that_are_none(server, small_dataset, tmp_path):
    for target in ("hf://lab", "hf://lab/name@main", "hf://lab/../x", "zenodo:12", "osf:1", "nowhere"):
        assert_refused(server, run("publish", small_dataset, target, *ZENODO[1:]), "expected")
    for address in ("hf://lab/absent", "doi:10.5281/zenodo.77777", "hf://lab/a b", "doi:10.1000/182"):
        result = run("fetch", address, tmp_path / "here")
        assert_refused(server, result)
    assert not (tmp_path / "here").exists()


def test_without_the_package_the_extra_is_named(server, small_dataset, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    for command in (["publish", small_dataset, REPO], ["info", REPO], ["fetch", REPO, tmp_path / "x"]):
        assert_refused(server, run(*command), "pip install 'huggingface_hub>=")


@pytest.mark.slow
def test_a_server_that_serves_another_dataset_than_it_was_sent_is_found(server, small_dataset, tmp_path):
    cite = publish(small_dataset, REPO).cite
    digest = load_manifest(small_dataset).shards[0].sha256
    content = bytearray(server.store[digest])
    content[np.random.default_rng(0).integers(len(content))] ^= 255
    server.store[digest] = bytes(content)
    with pytest.raises(TrajstoreError, match="SHA-256"):
        fetch(cite, tmp_path / "here")
    shutil.rmtree(tmp_path / "here")
