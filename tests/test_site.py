"""What the site is made of: configs to copy, formulas, and pages that load nothing from outside."""

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from trajstore.data import TrajectoryDataset
from trajstore.pipeline import check_config, generate, get_system
from trajstore.pipeline.dynamics.systems.library import LIBRARY

ROOT = Path(__file__).parent.parent


def making(name: str) -> ModuleType:
    """A module of docs/making."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/making/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARY)
def test_the_gallerys_config_makes_a_dataset_of_that_system(name: str, tmp_path: Path) -> None:
    system = get_system(name)
    config = check_config(tomllib.loads(making("gallery").config(system)), "gallery")
    assert config.dynamics.equations == system.equations
    assert [one.value for one in config.dynamics.parameters.values()] == [
        one.value for one in system.parameters.values()
    ]
    few = config.dataset.model_copy(update={"train": 2, "validation": 0, "test": 0})
    generate(config.model_copy(update={"dataset": few}), tmp_path / "dataset")
    dataset = TrajectoryDataset(tmp_path / "dataset", "train", "forecast", window=50, stride=50)
    assert dataset.components == system.states
    assert np.isfinite(dataset.states(slice(None)).numpy()).all()


def test_the_readme_stays_a_landing_page() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120


def test_each_tutorial_is_in_the_navigation_and_on_its_page() -> None:
    names = {path.stem for path in (ROOT / "docs/tutorials").glob("*.py")}
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    overview = (ROOT / "docs/tutorials/index.md").read_text(encoding="utf-8")
    assert set(re.findall(r"tutorials/([\w-]+)\.md", navigation)) - {"index"} == names
    assert set(re.findall(r"\(([\w-]+)\.py\)", overview)) == names


@pytest.mark.parametrize("room", ["data", "models", "pipeline"])
def test_each_public_name_is_in_the_reference_of_python(room: str) -> None:
    public = set(importlib.import_module(f"trajstore.{room}").__all__)
    page = (ROOT / f"docs/api/{room}.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"trajstore\.\w+\.(\w+)", page))
    assert public == documented


OUTSIDE = [
    '<script src="https://cdn.example.org/x.js"></script>',
    '<img src="//example.org/x.png">',
    '<link rel="stylesheet" href="http://example.org/x.css">',
    '<link rel="preconnect" href="https://fonts.example.org">',
    "<style>@import 'https://example.org/x.css';</style>",
    '<p style="background: url(https://example.org/x.png)">',
    '<iframe src="https://example.org"></iframe>',
]
INSIDE = [
    '<a href="https://example.org">a link</a>',
    '<link rel="canonical" href="https://example.org/page">',
    '<script src="assets/x.js"></script>',
    '<p>url(https://example.org)</p><img src="data:image/png;base64,AAAA">',
]


@pytest.mark.parametrize(
    ("page", "count"), [*((page, 1) for page in OUTSIDE), *((page, 0) for page in INSIDE)]
)
def test_what_a_page_loads_from_outside_is_found(page: str, count: int, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    assert len(list(making("outside").fetched(tmp_path))) == count


def test_a_style_sheet_that_loads_a_font_is_found(tmp_path: Path) -> None:
    (tmp_path / "fonts.css").write_text(
        "@font-face { src: url('https://example.org/x.woff2') }", encoding="utf-8"
    )
    assert len(list(making("outside").fetched(tmp_path))) == 1


def test_links_out_of_the_documents_lead_to_pages_of_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = making("pages")
    monkeypatch.setattr(pages, "OUTPUTS", tmp_path)
    monkeypatch.setattr(pages, "PAGES", tmp_path / "pages")
    monkeypatch.setattr(pages, "PACKAGE", tmp_path / "package/trajstore")
    for name in pages.made():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("# Made\n", encoding="utf-8")
    pages.main()
    dead = [
        f"{page.relative_to(tmp_path)}: {target}"
        for page in (tmp_path / "pages").rglob("*.md")
        if "source" not in page.parts
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not dead
    assert (tmp_path / "pages/source/configs/quick.toml.md").is_file()
    assert not list((tmp_path / "pages").rglob("*.py"))


def test_formulas_are_mathml() -> None:
    pytest.importorskip("latex2mathml")
    shown = making("formulas").on_page_content(
        r'<p>x <span class="arithmatex">\(a &lt; \dot{x}\)</span></p><div class="arithmatex">\[\mu_1\]</div>'
    )
    assert "arithmatex" not in shown
    assert shown.count("<math") == 2
    assert 'display="block"' in shown
    assert "<mo>&#x0003C;</mo>" in shown
    assert "<msub><mi>&#x003BC;</mi><mn>1</mn></msub>" in shown


def test_the_page_of_the_commands_tells_each_option_and_no_insides_of_click(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    docs = pytest.importorskip("mkdocs_click._docs")
    hook = making("options")
    for option in hook.options(hook.main):
        # The commands are those of the other tests, too.
        monkeypatch.setattr(option, "default", option.default)
    hook.on_config({})
    assert [option.name for option in hook.options(hook.main) if not option.help] == []
    page = "\n".join(docs.make_command_docs("trajstore", hook.main, style="table"))
    for wrong in ("Sentinel", "UNSET", "| N/A |"):
        assert wrong not in page
