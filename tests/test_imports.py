"""The house: data <- models <- pipeline, and one namespace for all three."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("data", "models", "pipeline")
ALLOWED = {"data": {"data"}, "models": {"data", "models"}, "pipeline": set(FOLDERS)}
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> list[str]:
    """Dotted names of what a file imports, relative ones seen from the root of the tree."""
    names = []
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [f"/{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                names.append(f"/{node.module}")
            else:
                base = package[: len(package) - node.level + 1]
                names.append(".".join([*base, *([node.module] if node.module else [])]))
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way_and_never_by_the_bare_folder_names(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    for name in imported(path):
        if name.startswith("/"):
            assert name[1:].split(".")[0] not in FOLDERS, f"{name[1:]} would be somebody else's package"
        else:
            assert name.split(".")[0] in ALLOWED[folder]


def test_every_folder_with_modules_is_packaged() -> None:
    import tomllib

    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {".".join(("trajstore", *path.parent.relative_to(ROOT).parts)) for path in FILES}
    assert folders == set(packages)
