"""The folder that MkDocs builds from: the pages of docs/, and what was executed and drawn for them.

    python docs/making/pages.py

Links that lead out of docs/ are turned to copies of what they name, so that the site needs no repository beside it.
"""

import os
import re
import shutil
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent.parent
OUTPUTS = ROOT / "artifacts/docs"
PAGES = OUTPUTS / "pages"
# Pages that lie elsewhere in the repository, as GitHub looks for them there.
ELSEWHERE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md"}
# Made by `make tutorials`.
MADE = ("tutorials", "gallery")
# The package as a wheel has it, for mkdocstrings to read: in the repository its rooms lie beside it.
PACKAGE = OUTPUTS / "package/trajstore"
ROOMS = ("data", "models", "pipeline")
LINK = re.compile(r"\]\((?P<target>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")
LANGUAGES = {".py": "python", ".toml": "toml", ".md": "markdown", ".cff": "yaml"}


def main() -> None:
    """Write the folder anew. Ends with a message where the outputs of `make tutorials` are missing."""
    for name in made():
        if not (OUTPUTS / name).is_file():
            sys.exit(f"{OUTPUTS / name} has not been made; run `make tutorials` first")
    _lay_out_package()
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES, ignore=shutil.ignore_patterns("making", "*.py"))
    shutil.copy(ROOT / "docs/making/style.css", PAGES)
    for name in MADE:
        shutil.copytree(OUTPUTS / name, PAGES / name, dirs_exist_ok=True)
    origins = {page: Path("docs") / page.relative_to(PAGES) for page in PAGES.rglob("*.md")}
    for name, page in ELSEWHERE.items():
        shutil.copy(ROOT / name, PAGES / page)
        origins[PAGES / page] = Path(name)
    for page, origin in origins.items():
        text = page.read_text(encoding="utf-8")
        page.write_text(LINK.sub(lambda found: _link(found, page, origin), text), encoding="utf-8")  # noqa: B023


def made() -> list[str]:
    """Pages that `make tutorials` makes, without which there is no site."""
    tutorials = sorted((ROOT / "docs/tutorials").glob("*.py"))
    return [*(f"tutorials/{path.stem}.md" for path in tutorials), "gallery/index.md"]


def _lay_out_package() -> None:
    shutil.rmtree(PACKAGE, ignore_errors=True)
    PACKAGE.mkdir(parents=True)
    shutil.copy(ROOT / "trajstore/__init__.py", PACKAGE)
    for room in ROOMS:
        (PACKAGE / room).symlink_to(ROOT / room)


def _link(found: re.Match[str], page: Path, origin: Path) -> str:
    """A link of a page that lies at `origin` in the repository, as it has to be in the site."""
    target = PurePosixPath(os.path.normpath(origin.parent / found["target"]))
    if target.parent == PurePosixPath("docs/tutorials") and target.suffix == ".py":
        target = target.with_suffix(".md")
    if str(target) in ELSEWHERE:
        place = PAGES / ELSEWHERE[str(target)]
    elif target.parts[0] == "docs" and target.suffix != ".py":
        place = PAGES / target.relative_to("docs")
    else:
        place = _copy(target, f"{origin}: {found['target']}")
    return f"]({os.path.relpath(place, page.parent)}{found['anchor'] or ''})"


def _copy(target: PurePosixPath, named: str) -> Path:
    """A page that shows a file of the repository."""
    if not (ROOT / target).is_file():
        sys.exit(f"{named}: no such file")
    page = PAGES / "source" / f"{target}.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    text = (ROOT / target).read_text(encoding="utf-8")
    language = LANGUAGES.get(target.suffix, "text")
    page.write_text(f"# {target}\n\n````{language}\n{text.rstrip()}\n````\n", encoding="utf-8")
    return page


if __name__ == "__main__":
    main()
