"""Does the wheel hold each file of the package, under trajstore alone? `python tests/check_wheel.py WHEEL`."""

import sys
import zipfile
from pathlib import Path

PACKAGED = (".py", ".j2", ".typed")


def main(wheel: str) -> None:
    root = Path(__file__).parent.parent
    files = (
        path.relative_to(root).as_posix()
        for folder in ("data", "models", "pipeline", "trajstore")
        for path in (root / folder).rglob("*")
        if path.suffix in PACKAGED
    )
    expected = {f"trajstore/{name.removeprefix('trajstore/')}" for name in files}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    if found != expected:
        sys.exit(f"missing: {sorted(expected - found)}; not expected: {sorted(found - expected)}")
    print(f"{len(found)} files, all under trajstore/")


if __name__ == "__main__":
    main(sys.argv[1])
