"""Does the built site load anything from outside? Links may lead there; scripts, styles, fonts and pictures may not.

    python docs/making/outside.py

prints what does, and ends with 1.
"""

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

SITE = Path(__file__).parent.parent.parent / "artifacts/docs/site"
# What a page fetches by itself, by tag. A link of these kinds tells something of a page, and fetches nothing.
FETCHED = ("src", "srcset", "poster", "data", "href")
FOLLOWED = ("a", "area")
TOLD = {"canonical", "next", "prev", "alternate", "edit", "license"}
OUTSIDE = re.compile(r"(https?:)?//[^\s]")
# In a style sheet.
LOADED = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^\s"')]+)""")


class _Page(HTMLParser):
    """Collects what a page fetches from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        self.found += LOADED.findall(given.get("style", ""))
        if tag in FOLLOWED or (tag == "link" and set(given.get("rel", "").split()) <= TOLD):
            return
        self.found += [f"<{tag}> {given[name]}" for name in FETCHED if OUTSIDE.match(given.get(name, ""))]

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.found += LOADED.findall(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False


def fetched(site: Path) -> Iterator[tuple[Path, str]]:
    """Files of a site, and what each fetches from outside."""
    for path in sorted(site.rglob("*")):
        if path.suffix == ".html":
            page = _Page()
            page.feed(path.read_text(encoding="utf-8"))
            yield from ((path, what) for what in page.found)
        elif path.suffix in (".css", ".svg"):
            yield from ((path, what) for what in LOADED.findall(path.read_text(encoding="utf-8")))


def main() -> None:
    """Print what is fetched from outside, and end with 1 if anything is."""
    if not (SITE / "index.html").is_file():
        sys.exit(f"{SITE} is not there; run `make docs` first")
    found = list(fetched(SITE))
    for path, what in found:
        print(f"{path.relative_to(SITE)}: {what}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
