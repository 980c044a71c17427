"""`view` writes one page that asks for nothing from outside, and in which no text of a stranger is markup."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from trajstore.data import load_manifest, verify
from trajstore.pipeline import generate
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.describe.description import Description
from trajstore.pipeline.draw.dataset_page import _page, _tables
from trajstore.pipeline.draw.page import write_page

pytestmark = pytest.mark.slow

EVIL = "</title></pre><script>alert(1)</script><img src=x onerror=alert(1)> \"' & {{ 7*7 }} ]]> -->"
# Attributes by which a page fetches something, or runs it.
FETCHING = {"src", "href", "xlink:href", "data", "action", "srcset", "poster", "background"}


class Reader(HTMLParser):
    """What a browser finds: tags, addresses that are asked for, handlers, and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.asked: list[str] = []
        self.handlers: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in FETCHING:
                self.asked.append(value)
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_data(self, data):
        self.text += f"{data} "


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def harmless(page: Reader) -> None:
    assert not {"script", "img", "iframe", "object", "embed", "link"} & set(page.tags)
    assert page.handlers == []
    assert [asked for asked in page.asked if not asked.startswith(("#", "data:image/png;"))] == []


def view(*arguments):
    return CliRunner().invoke(main, ["view", *map(str, arguments)])


def test_a_datasets_page_lies_beside_it_and_shows_what_the_manifest_says(dataset_copy):
    done = view(dataset_copy)
    path = dataset_copy.with_name("dataset.html")
    assert (done.exit_code, done.stdout) == (0, f"{path}\n"), done.output
    page, manifest = read(path), load_manifest(dataset_copy)
    harmless(page)
    assert page.tags.count("svg") == 3
    for said in (
        manifest.id,
        "x2' = mu*(1 - x1**2)*x2 - x1",
        f"{manifest.splits['train'].statistics.mean[0]:.6g}",
    ):
        assert said in page.text
    assert verify(dataset_copy) == []
    before = path.read_bytes()
    assert view(dataset_copy).exit_code == 0
    assert path.read_bytes() == before


def test_no_text_of_a_config_is_markup(experiment, tmp_path):
    generate(
        experiment(dataset={"title": EVIL, "license": EVIL, "creator": EVIL}), tmp_path / "dataset", jobs=1
    )
    assert view(tmp_path / "dataset").exit_code == 0
    page = read(tmp_path / "dataset.html")
    harmless(page)
    assert page.text.count(EVIL) >= 3


def test_no_text_of_a_strangers_manifest_is_markup(small_dataset, tmp_path):
    kept = load_manifest(small_dataset)
    system = {
        **dict.fromkeys(("name", "description", "reference", "time_unit"), EVIL),
        "equations": dict.fromkeys(kept.components, EVIL),
        "parameters": {EVIL: {"value": None, "unit": EVIL, "meaning": EVIL}},
        "initial_state": {name: [EVIL, EVIL] for name in kept.components},
    }
    manifest = kept.model_copy(update={"system": system, "components": [EVIL, EVIL]})
    write_page(_page(Description(manifest), {EVIL: "<svg></svg>"}), tmp_path / "page.html")
    harmless(read(tmp_path / "page.html"))


def test_another_file_is_not_replaced_and_a_dataset_holds_no_page(dataset_copy, tmp_path):
    (tmp_path / "mine.html").write_text("<html>mine</html>")
    for out, said in (
        (tmp_path / "mine.html", "another --out"),
        (dataset_copy / "page.html", "lies in a dataset"),
    ):
        done = view(dataset_copy, "--out", out)
        assert done.exit_code == 2
        assert said in done.output
    assert (tmp_path / "mine.html").read_text() == "<html>mine</html>"
    assert verify(dataset_copy) == []


def test_a_runs_page_has_its_errors_beside_the_baselines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (
        "init van-der-pol --quick",
        "generate van-der-pol.toml --out data",
        "train van-der-pol.toml --data data --out run",
        "evaluate run",
    ):
        assert CliRunner().invoke(main, command.split()).exit_code == 0
    done = view("run")
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'run.html'}\n"), done.output
    page = read(tmp_path / "run.html")
    harmless(page)
    assert page.tags.count("svg") >= 3
    assert {"lstm", "persistence", "zero"} <= set(page.text.split())


def test_how_rows_begin_is_told_where_it_is_not_in_a_box(experiment, tmp_path):
    """After a transient rows are no more in the box; a split may begin otherwise."""
    begun = {"kind": "attractor", "transient": 20.0}
    generate(experiment(initial_states=begun), tmp_path / "late", jobs=1)
    generate(experiment(initial_states_by_split={"test": begun}), tmp_path / "split", jobs=1)
    tables = {
        name: {table.heading: table.rows for table in _tables(Description(load_manifest(tmp_path / name)))}
        for name in ("late", "split")
    }
    assert tables["late"]["Initial states"] == [("all", "attractor, transient = 20.0")]
    assert [name for name, *_ in tables["split"]["Initial states"]] == ["x1", "x2"]
    own = tables["split"]["Initial states of splits that begin otherwise"]
    assert own == [("in test", "attractor, transient = 20.0")]
