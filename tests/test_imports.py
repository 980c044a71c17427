"""The house: rooms by stage, and one direction of imports between them."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("data", "models", "pipeline")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
# Floors of the house, from the ground up. A room imports from itself, its rooms, and floors below its own.
FLOORS = (
    {"data.base"},
    {"data.remote"},
    {"data.shard", "data.tasks"},
    {"data.folder"},
    {"data.integrity", "data.batches"},
    {"models", "pipeline.dynamics", "pipeline.runtime"},
    {"pipeline.config", "pipeline.describe"},
    {"pipeline.runs", "pipeline.generation"},
    {"pipeline.audit", "pipeline.exchange"},
    {"pipeline.judge"},
    {"pipeline.draw"},
    {"pipeline.learn"},
    {"pipeline.study"},
    {"pipeline.cli"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# Public faces and the program's entry hand names on from any room, and nothing inside the rooms imports them.
FACES = {"data", "pipeline", "pipeline.__main__"}


def imported(path: Path) -> list[str]:
    """Dotted names of the modules that a file imports, relative ones seen from the root of the tree."""
    names = []
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [f"/{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(f"/{node.module}")
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            base = [part for part in base if part]
            for alias in node.names:
                whole = [*base, alias.name]
                is_module = (
                    ROOT.joinpath(*whole).is_dir() or ROOT.joinpath(*whole).with_suffix(".py").is_file()
                )
                names.append(".".join(whole if is_module else base))
    return names


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(name: str) -> str:
    """The longest room that a module lies in."""
    return max((known for known in FLOOR if f"{name}.".startswith(f"{known}.")), key=len)


def leaf(name: str) -> str:
    """The folder that a module lies in."""
    parts = name.split(".")
    return name if ROOT.joinpath(*parts).is_dir() else ".".join(parts[:-1])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_the_floors_and_never_by_the_bare_folder_names(path: Path) -> None:
    here = module(path)
    for name in imported(path):
        if name.startswith("/"):
            assert name[1:].split(".")[0] not in FOLDERS, f"{name[1:]} would be somebody else's package"
        elif here not in FACES:
            assert name not in FACES, f"{name} is for users; import from the room"
            assert room(name) == room(here) or FLOOR[room(name)] < FLOOR[room(here)], (
                f"{room(here)} is no floor above {room(name)}"
            )


def arrows() -> dict[str, set[str]]:
    """From each folder with modules to those that it imports from."""
    found: dict[str, set[str]] = {}
    for path in FILES:
        here = module(path)
        if here in FACES:
            continue
        to = {leaf(name) for name in imported(path) if not name.startswith("/")} - {leaf(here)}
        found.setdefault(leaf(here), set()).update(to)
    return found


@pytest.mark.slow
def test_no_two_folders_import_from_each_other_by_whatever_way() -> None:
    found = arrows()
    while ground := {name for name, to in found.items() if not to & found.keys()}:
        found = {name: to for name, to in found.items() if name not in ground}
    assert not found, "these lie on a circle, or above one"


def test_every_folder_with_modules_is_packaged() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {".".join(("trajstore", *path.parent.relative_to(ROOT).parts)) for path in FILES}
    assert folders | {"trajstore"} == set(packages)
