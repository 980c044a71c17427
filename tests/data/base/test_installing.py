"""Hints of what to install name the packages themselves, as pyproject.toml does; trajstore is on no index."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from trajstore.data.base.face import face
from trajstore.data.base.installing import install, install_torch, needing_torch, requirements

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
SOURCES = [path for folder in ("data", "models", "pipeline") for path in (ROOT / folder).rglob("*.py")]


def hinted() -> list[str]:
    """The extras of which some message says how they are installed."""
    return sorted(
        {name for path in SOURCES for name in re.findall(r"{install\('(\w+)'\)}", path.read_text())}
    )


def test_the_hints_are_found():
    assert set(hinted()) == {"baselines", "dask", "dysts", "hub", "remote", "tensorboard"}


@pytest.mark.parametrize("extra", ["fast", *hinted()])
def test_a_hint_is_a_command_with_the_requirements_of_the_extra(extra):
    command, _, name = install(extra).partition(" (")
    assert name == f"trajstore's extra {extra})"
    pip, verb, *packages = shlex.split(command)
    assert (pip, verb) == ("pip", "install")
    assert [Requirement(text) for text in packages] == [Requirement(text) for text in EXTRAS[extra]]


@pytest.mark.parametrize("extra", ["fast", *hinted()])
def test_the_docs_have_a_line_for_it(extra):
    (command,) = re.findall(
        rf"^\| `{extra}` \|[^|]*\| `pip install (.*)` \|$", (ROOT / "docs/install.md").read_text(), re.M
    )
    assert shlex.split(command) == EXTRAS[extra]


def test_markers_choose(monkeypatch):
    listed = [
        "a>=1",
        "b<2; extra == 'x'",
        "c[d]~=3.0; sys_platform == 'nowhere' and extra == 'x'",
        "e; extra == 'y'",
    ]
    monkeypatch.setattr("trajstore.data.base.installing.requires", lambda _: listed)
    assert (requirements(), requirements("x"), requirements("y")) == (["a>=1"], ["b<2"], ["e"])


def test_nothing_says_to_install_trajstore_from_an_index():
    pages = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("studies/*.toml"), ROOT / "README.md"]
    for path in SOURCES + pages:
        for line in path.read_text().splitlines():
            assert not re.search(r"pip install .*trajstore\[", line) or "finds nothing" in line, path


@pytest.mark.parametrize("home", ["torch", "other"])
def test_a_name_that_needs_torch_says_so(monkeypatch, home):
    def missing(*_: object) -> None:
        raise ModuleNotFoundError(f"No module named {home!r}", name=home)

    monkeypatch.setattr("trajstore.data.base.face.import_module", missing)
    with pytest.raises(ImportError) as caught:
        face("trajstore.data", {"Thing": "thing"})("Thing")
    said = "trajstore.data.Thing needs torch" in str(caught.value) and install_torch() in str(caught.value)
    assert said == (home == "torch")
    assert caught.value.name == home


def test_what_has_torch_is_left_alone():
    with needing_torch("this"):
        pass
    assert "'torch>=2.7'" in install_torch()
