"""Execute the tutorials, docs/tutorials/*.py, and write each as a page with its outputs, and as a notebook.

    python docs/making/tutorials.py

The files are notebooks as jupytext has them: `jupytext --to ipynb docs/tutorials/chaos.py` makes one to work in. One
whose text has not changed since it was executed is left as it is; artifacts/docs/tutorials has what came of them.
"""

import base64
import hashlib
import shutil
import sys
from pathlib import Path
from time import perf_counter

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

ROOT = Path(__file__).parent.parent.parent
SOURCES = ROOT / "docs/tutorials"
OUT = ROOT / "artifacts/docs/tutorials"
# Figures have twice the pixels that they are shown at, and a cell shows what it prints and draws, not the value of
# its last line. The cell is not in what is shown.
SETUP = """%matplotlib inline
%config InlineBackend.figure_format = 'retina'
%config InteractiveShell.ast_node_interactivity = 'none'
import warnings
warnings.filterwarnings("ignore", message="IProgress not found")
"""
# A tutorial takes a minute or two; one that takes ten hangs.
TIMEOUT = 600


def main() -> None:
    """Execute what has changed. Ends with a message where a tutorial fails."""
    OUT.mkdir(parents=True, exist_ok=True)
    for source in sorted(SOURCES.glob("*.py")):
        kept = OUT / f"{source.stem}.sha256"
        key = hashlib.sha256(source.read_bytes() + Path(__file__).read_bytes()).hexdigest()
        if kept.is_file() and kept.read_text() == key:
            print(f"{source.stem}: as it was")
            continue
        begin = perf_counter()
        notebook = execute(source)
        write(notebook, source.stem)
        kept.write_text(key)
        print(f"{source.stem}: executed in {perf_counter() - begin:.0f} s")


def execute(source: Path) -> NotebookNode:
    """The notebook with its outputs, executed in a folder of its own that is empty."""
    notebook = jupytext.read(source)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SETUP))
    folder = OUT.parent / "work" / source.stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
        startup_timeout=TIMEOUT,
    )
    try:
        client.execute()
    except CellExecutionError as error:
        sys.exit(f"{source}: {error}")
    del notebook.cells[0]
    # Times, and whatever else differs from one execution to the next.
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


def write(notebook: NotebookNode, name: str) -> None:
    """NAME.md with NAME-1.png and so on, and NAME.ipynb."""
    for old in OUT.glob(f"{name}-*.png"):
        old.unlink()
    nbformat.write(notebook, OUT / f"{name}.ipynb")
    parts, pictures = [], 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        images = [
            output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})
        ]
        shown = []
        if text := "".join(output.text for output in cell.outputs if output.output_type == "stream").rstrip():
            # A dataset's card has fences of its own.
            shown.append(f"````text\n{text}\n````")
        for image in images:
            pictures += 1
            file = OUT / f"{name}-{pictures}.png"
            file.write_bytes(base64.b64decode(image))
            shown.append(f"![{_said(cell, name)}]({file.name})")
        if shown:
            parts.append('<div class="output" markdown>\n\n' + "\n\n".join(shown) + "\n\n</div>")
    heading, *rest = parts
    notebook_link = f"[This page as a notebook]({name}.ipynb){{ download }}"
    text = "\n\n".join([heading, notebook_link, *rest]) + "\n"
    if str(ROOT) in text or sys.prefix in text:
        sys.exit(f"{name}: prints a path of this machine; let it print something else")
    (OUT / f"{name}.md").write_text(text, encoding="utf-8")


def _said(cell: NotebookNode, name: str) -> str:
    """What a cell's pictures show, in words: the metadata `alt` of its first line."""
    if "alt" not in cell.metadata:
        sys.exit(
            f'{name}: a cell draws, and has no words for who does not see it; begin it by # %% alt="..."'
        )
    return cell.metadata["alt"]


if __name__ == "__main__":
    main()
