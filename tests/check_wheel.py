"""Does the wheel hold each module and template, under trajstore alone? `python tests/check_wheel.py WHEEL`."""

import sys
import zipfile
from pathlib import Path


def main(wheel: str) -> None:
    root = Path(__file__).parent.parent
    expected = {
        f"trajstore/{path.relative_to(root).as_posix()}"
        for folder in ("data", "models", "pipeline")
        for path in (root / folder).rglob("*")
        if path.suffix in (".py", ".j2")
    }
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    if found != expected:
        sys.exit(f"missing: {sorted(expected - found)}; not expected: {sorted(found - expected)}")
    print(f"{len(found)} modules and templates, all under trajstore/")


if __name__ == "__main__":
    main(sys.argv[1])
