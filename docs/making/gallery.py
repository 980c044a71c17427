"""Draw all systems of the library, and write a page each: picture, equations, parameters and a config to copy.

    python docs/making/gallery.py

A picture is drawn anew where the system, or what draws, has changed; artifacts/docs/gallery has what came of it.
"""

import hashlib
import html
import json
import re
import warnings
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from trajstore.pipeline import System, get_system
from trajstore.pipeline.draw.system import plot_system
from trajstore.pipeline.dynamics.systems.library import LIBRARY

ROOT = Path(__file__).parent.parent.parent
OUT = ROOT / "artifacts/docs/gallery"
# The widest of the small pictures, in pixels: twice what they are shown at.
SMALL = 560
# Of systems of many components the first few say how it goes on.
MOST_EQUATIONS, SHOWN_EQUATIONS = 12, 3
HEAD = ROOT / "docs/gallery/index.md"


def main() -> None:
    """Draw what has changed, and write all pages."""
    OUT.mkdir(parents=True, exist_ok=True)
    drawing = b"".join(path.read_bytes() for path in sorted((ROOT / "pipeline/draw").glob("*.py")))
    cards = []
    for name in LIBRARY:
        system = get_system(name)
        _draw(system, drawing)
        (OUT / f"{name}.md").write_text(page(system), encoding="utf-8")
        picture = f"[![{name}]({name}-small.png){{ loading=lazy }}]({name}.md)"
        cards.append(f"- {picture}\n\n    [**{name}**]({name}.md)\n\n    {system.description}\n")
    grid = '\n<div class="gallery" markdown>\n\n' + "\n".join(cards) + "\n</div>\n"
    index = HEAD.read_text(encoding="utf-8") + grid
    (OUT / "index.md").write_text(index, encoding="utf-8")


def _draw(system: System, drawing: bytes) -> None:
    key = hashlib.sha256(json.dumps(system.to_dict()).encode() + drawing).hexdigest()
    kept, picture = OUT / f"{system.name}.sha256", OUT / f"{system.name}.png"
    if kept.is_file() and kept.read_text() == key:
        return
    plot_system(system, picture)
    with Image.open(picture) as image:
        small = image.convert("RGB")
        small.thumbnail((SMALL, SMALL))
        small.save(OUT / f"{system.name}-small.png", optimize=True)
    kept.write_text(key)
    print(f"{system.name}: drawn")


def page(system: System) -> str:
    """A system's page, as Markdown."""
    parts = [f"# {system.name}", system.description, f"![{system.name}]({system.name}.png)"]
    parts += ["## Equations", _equations(system)]
    if system.hamiltonian:
        parts.append(f"Energy: `{system.hamiltonian}`")
    facts = ["1 state" if len(system.states) == 1 else f"{len(system.states)} states"]
    if system.period:
        facts.append(f"natural period {system.period:.4g}")
    if system.lyapunov:
        facts.append(
            f"largest Lyapunov exponent {system.lyapunov:.3g}, Lyapunov time {1 / system.lyapunov:.3g}"
        )
    parts.append("; ".join(facts) + ".")
    if system.reference:
        parts.append(f"Source: {_linked(system.reference)}")
    rows = [f"| `{name}` | {one.value:.6g} | {one.meaning} |" for name, one in system.parameters.items()]
    if rows:
        parts += ["## Parameters", "\n".join(["| name | value | meaning |", "|---|---|---|", *rows])]
    parts += ["## A config to copy", f"```toml\n{config(system)}```"]
    commands = [
        f"trajstore generate {system.name}.toml --out {system.name}/dataset",
        f"trajstore train {system.name}.toml --data {system.name}/dataset --out {system.name}/run",
        f"trajstore evaluate {system.name}/run",
        f"trajstore plot {system.name}/run",
    ]
    parts.append(
        "Save it as `" + system.name + ".toml`, and\n\n```console\n$ " + "\n$ ".join(commands) + "\n```"
    )
    return "\n\n".join(parts) + "\n"


def _equations(system: System) -> str:
    lines = system.latex()
    shown = lines if len(lines) <= MOST_EQUATIONS else lines[:SHOWN_EQUATIONS]
    # One formula each, for a long one scrolls by itself.
    text = "\n\n".join(f"$$\n{_set(line)}\n$$" for line in shown)
    if len(shown) < len(lines):
        text += f"\n\nand so on, {len(lines)} in all; `trajstore systems {system.name}` prints them."
    return text


def _set(latex: str) -> str:
    """An equation of SymPy's with the dot over the letter alone, and names of several letters upright."""
    upright = re.sub(r"(?<![\\a-zA-Z])([a-z]{2,})(?=_|\b)", r"\\mathrm{\1}", latex)
    return re.sub(r"\\dot\{(\w|\\mathrm\{\w+\})_\{(\w+)\}\}", r"\\dot{\1}_{\2}", upright)


def _linked(reference: str) -> str:
    """A reference with its DOI as a link."""
    return re.sub(r"doi:(10\.\S+[^\s.,;])", _link, reference)


def _link(found: re.Match[str]) -> str:
    # Old ones have brackets of all kinds.
    return f"[doi:{html.escape(found[1])}](https://doi.org/{quote(found[1], safe='/:')})"


def config(system: System) -> str:
    """A config that makes a dataset of the system and learns it."""
    sections = {"system": [f'name = "{system.name}"']}
    if system.parameters:
        values = ", ".join(f"{name} = {one.value!r}" for name, one in system.parameters.items())
        sections["system"].append(f"parameters = {{ {values} }}")
    if system.lyapunov and system.hamiltonian is None:
        sections["initial_states"] = ['kind = "attractor"', "transient = { periods = 20 }"]
    sections["grid"] = ["duration = { periods = 10 }", "points_per_period = 25"]
    sections["dataset"] = ["train = 400", "validation = 50", "test = 50"]
    sections["task"] = ['name = "forecast"', "window = 50", "stride = 50", "normalize = true"]
    sections["model"] = ["hidden = 32"]
    sections["training"] = ["batch = 64", "steps = 1_000", "evaluate_every = 100"]
    return "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in sections.items())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
