"""Does what was built work where it is installed, far from its source? `python tests/check_install.py WHEEL SDIST`.

Each goes into an environment of its own, which borrows the packages that it depends on.
"""

import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

COMMANDS = (
    "init van-der-pol --quick",
    "generate van-der-pol.toml --out dataset",
    "verify dataset --reintegrate 5",
    "view dataset",
)


def check(built: Path, folder: Path) -> None:
    """Raises CalledProcessError where something fails."""
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv/bin/python"
    variables = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    own = Path(sysconfig.get_path("purelib", vars=variables))
    # Behind the environment's own; the .pth of an editable trajstore there is not read.
    (own / "borrowed.pth").write_text("".join(f"{path}\n" for path in sys.path if path.endswith("-packages")))
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        built.resolve(),
    ]
    subprocess.run(install, check=True)
    where = subprocess.run(
        [python, "-c", "import trajstore.pipeline; print(trajstore.__file__)"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(own), where.stdout
    for command in COMMANDS:
        subprocess.run([folder / "venv/bin/trajstore", *command.split()], cwd=folder, check=True)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as temporary:
            check(Path(name), Path(temporary).resolve())
        print(f"{name}: installs and works")
