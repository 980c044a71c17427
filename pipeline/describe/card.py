"""The data card: README.md of a dataset, for the person who opens its folder."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...data.folder.manifest import CHECKSUMS, MANIFEST, Manifest, SplitRecord
from .description import UNSPECIFIED, Description, line, number

# The first line of every card.
MARKER = "<!-- Written by trajstore."
# Longer tables and systems are folded away until the reader asks for them.
UNFOLDED = 12
SPECIAL = re.compile(r"([\\`*_\[\]|~])")
STATISTICS = ("mean", "std", "minimum", "maximum")


def data_card(
    manifest: Manifest, engine: Mapping[str, Any], software: Mapping[str, Any], shared: str = ""
) -> str:
    """The card as GitHub's Markdown; the same dataset gives the same text.

    engine, software  what the dataset's shards say of their integrator and of package versions
    shared            which splits share rows, "" where none do
    """
    description = Description(manifest)
    sections = (
        _head(description),
        _equations(description),
        _parameters(description),
        _splits(manifest, shared),
        _statistics(description),
        _initial_states(description),
        _making(description, engine, software),
        _loading(manifest),
        _checking(description),
        _citing(description, software),
        _files(manifest),
    )
    return "\n".join(block for section in sections for block in section)


def citation(description: Description, software: Mapping[str, Any]) -> str:
    """How to cite a dataset, as one line of plain text."""
    creator = "" if description.creator == UNSPECIFIED else f"{description.creator}: "
    version = line(software.get("trajstore"))
    made = f"made with trajstore {version}".rstrip()
    return f"{creator}{description.title}. Dataset {line(description.manifest.id)}, {made}."


def _head(description: Description) -> Iterable[str]:
    manifest = description.manifest
    yield f"{MARKER} {CHECKSUMS} lists this file: who edits it makes `sha256sum -c {CHECKSUMS}` fail. -->\n"
    yield f"# {escape(description.title)}\n"
    what = "Trajectories of" if description.equations is not None else "Measured trajectories of"
    about = f" {escape(description.about)}" if description.about else ""
    yield f"{what} `{_code(description.name)}`.{about}\n"
    facts = (
        ("dataset id", f"`{_code(line(manifest.id))}`"),
        ("rows", escape(description.failures)),
        ("components", ", ".join(f"`{_code(name)}`" for name in description.states)),
        *((("observed", escape(description.observed)),) if description.observed else ()),
        ("time grid", escape(description.grid)),
        (
            "stored as",
            f"{escape(description.dtype)}, {len(manifest.shards)} HDF5 files, {manifest.bytes:,} bytes",
        ),
        ("licence", escape(description.license)),
        ("creator", escape(description.creator)),
        ("date", escape(description.date) or UNSPECIFIED),
    )
    yield from _table(("", ""), facts)


def _equations(description: Description) -> Iterable[str]:
    yield "## Equations\n"
    if description.equations is None:
        yield "Measured: no equations. So no row can be integrated again; everything else works as usual.\n"
        return
    lines = [f"{name}' = {text}" for name, text in description.equations.items()]
    blocks = []
    if description.understood is not None:
        aligned = " \\\\\n".join(latex.replace(" = ", " &= ", 1) for latex in description.understood.latex())
        blocks.append(f"$$\n\\begin{{aligned}}\n{aligned}\n\\end{{aligned}}\n$$\n")
    blocks.append(
        f"As text, the way every file carries them (a prime is the derivative by `t`):\n\n{_fence('text', *lines)}"
    )
    yield from _fold(f"{len(lines)} equations", len(lines), blocks)
    if description.delayed:
        yield (
            "`delayed(x, tau)` is `x` at the time `t - tau`. Up to the time of its initial state a row has that "
            "state: its past is constant.\n"
        )
    if description.reference:
        yield f"Reference: {escape(description.reference)}\n"


def _parameters(description: Description) -> Iterable[str]:
    yield "## Parameters\n"
    if not description.parameters:
        yield "None.\n"
        return
    rows = [
        (f"`{_code(one.name)}`", escape(one.value), escape(one.unit), escape(one.meaning))
        for one in description.parameters
    ]
    yield from _table(("name", "value", "unit", "meaning"), rows)
    yield "Every row also carries its own values, in variables of these names.\n"
    if description.held_out:
        names = ", ".join(f"`{_code(name)}`" for name in description.held_out)
        yield f"Splits differ in how their rows get {names}, so that values can be held out of what is learned.\n"


def _splits(manifest: Manifest, shared: str) -> Iterable[str]:
    yield "## Splits\n"
    rows = [
        (name, f"{split.trajectories:,}", f"{split.failed:,}", str(len(split.shards)))
        for name, split in manifest.splits.items()
    ]
    yield from _table(("split", "rows", "failed", "files"), rows, "lrrr")
    yield "A row that failed stays a row: its `status` says why, its states are NaN. So row numbers never shift.\n"
    if shared:
        yield (
            f"**Note**: {escape(shared)}. What is learned from the one is no surprise in the other: an error "
            "measured there says nothing of new trajectories.\n"
        )


def _statistics(description: Description) -> Iterable[str]:
    moments = description.manifest.splits["train"].statistics
    yield "## Statistics\n"
    if not moments.count:
        yield "`train` has no sound rows.\n"
        return
    yield f"Of each component, over all times of the sound rows of `train` ({moments.count:,} values):\n"
    columns = [getattr(moments, name) for name in STATISTICS]
    rows = [
        (f"`{_code(name)}`", *(f"{value:.6g}" for value in values))
        for name, *values in zip(description.states, *columns, strict=True)
    ]
    heads = ("component", "mean", "standard deviation", "minimum", "maximum")
    yield from _fold(f"{len(rows)} components", len(rows), _table(heads, rows, "lrrrr"))


def _initial_states(description: Description) -> Iterable[str]:
    yield "## Initial states\n"
    if description.equations is None:
        yield "The first measured sample of each row.\n"
        return
    if description.starts:
        yield (
            f"Drawn as the config's section `initial_states` says, `{_code(description.starts)}`, with a generator "
            f"that counts (Philox 4x64): a row depends on the seed, {escape(description.seed)}, its split and its "
            "number alone.\n"
        )
        yield "The variable `initial_state` has them in double precision, exactly as they were integrated.\n"
        return
    if not description.boxes:
        yield "As `initial_state` gives them.\n"
        return
    rows = [(f"`{_code(name)}`", *map(escape, box)) for name, box in description.boxes.items()]
    how = "smooth random fields within" if description.field else "drawn uniformly from"
    if description.derived:
        yield f"Those of the sources, {how} boxes that lie within this one:\n"
    else:
        yield (
            f"{how.capitalize()} this box with a generator that counts (Philox 4x64): a row depends on the seed, "
            f"{escape(description.seed)}, its split and its number alone.\n"
        )
    yield from _fold(f"{len(rows)} components", len(rows), _table(("component", "from", "to"), rows, "lrr"))
    yield "The variable `initial_state` has them in double precision, exactly as they were integrated.\n"


def _making(
    description: Description, engine: Mapping[str, Any], software: Mapping[str, Any]
) -> Iterable[str]:
    yield "## How it was made\n"
    if description.provenance:
        yield "\n".join(f"- {escape(text)}" for text in description.provenance) + "\n"
    if description.equations is not None and engine:
        yield "The integrator:\n"
        yield from _pairs(engine)
    if software:
        yield "The software, as the first file names it:\n"
        yield from _pairs(software)
    config = json.dumps(description.manifest.config, indent=1, ensure_ascii=False)
    yield f"<details><summary>The whole config, as {MANIFEST} holds it</summary>\n"
    yield f"{_fence('json', config)}\n</details>\n"


def _loading(manifest: Manifest) -> Iterable[str]:
    if not manifest.shards:
        return
    split, record = _first_sound(manifest)
    file, component = record.shards[0].file, line(manifest.components[0])
    yield "## Loading\n"
    yield "With trajstore, as PyTorch tensors:\n"
    yield _fence(
        "python",
        "from trajstore.data import TrajectoryDataset",
        "",
        f'dataset = TrajectoryDataset(".", split="{split}", task="initial-value")',
        "inputs, targets = dataset[0]  # x(0) and zeros -> the trajectory, each (time, component)",
    )
    yield "With xarray:\n"
    yield _fence(
        "python",
        "import xarray",
        "",
        f'shard = xarray.open_dataset("{file}", engine="h5netcdf")',
        "sound = shard.state[shard.status.values == 0]  # (trajectory, time, component)",
        f"first = sound.sel(component={component!r})  # (trajectory, time)",
    )
    yield "With h5py:\n"
    yield _fence(
        "python",
        "import h5py",
        "",
        f'with h5py.File("{file}") as file:',
        '    time, state = file["time"][:], file["state"][:]  # (T,), (N, T, D)',
        '    sound = state[file["status"][:] == 0]',
    )


def _checking(description: Description) -> Iterable[str]:
    yield "## Checking\n"
    again = " --reintegrate 20" if description.equations is not None else ""
    comment = "  # and integrate 20 rows again, with another engine" if again else ""
    yield _fence("sh", f"sha256sum -c {CHECKSUMS}", f"trajstore verify .{again}{comment}")


def _citing(description: Description, software: Mapping[str, Any]) -> Iterable[str]:
    yield "## Citing\n"
    yield f"This dataset: {escape(citation(description, software))}\n"
    if description.reference:
        yield f"The system: {escape(description.reference)}\n"
    yield "trajstore: as `CITATION.cff` in its source says.\n"


def _files(manifest: Manifest) -> Iterable[str]:
    yield "## Files\n"
    rows = []
    for name, split in manifest.splits.items():
        files = [f"`{shard.file}`" for shard in split.shards]
        if files:
            rows.append(
                (
                    " to ".join(dict.fromkeys((files[0], files[-1]))),
                    f"the {split.trajectories:,} rows of {name}",
                )
            )
    rows += [
        (f"`{MANIFEST}`", "which files make up the dataset, with hashes and statistics"),
        (f"`{CHECKSUMS}`", "SHA-256 of every file, for `sha256sum -c`"),
        ("`README.md`", "this card"),
        ("`croissant.json`", "the same for programs: MLCommons Croissant"),
    ]
    yield from _table(("file", "what it holds"), rows)


def _first_sound(manifest: Manifest) -> tuple[str, SplitRecord]:
    """A split to show loading with: the first that has sound rows, or any rows at all."""
    splits = [(name, split) for name, split in manifest.splits.items() if split.shards]
    return next((item for item in splits if item[1].failed < item[1].trajectories), splits[0])


def escape(text: str) -> str:
    """Text that means nothing to Markdown, HTML or LaTeX inside a line."""
    entities = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"}
    return SPECIAL.sub(r"\\\1", "".join(entities.get(character, character) for character in text))


def _code(text: str) -> str:
    """Text for between backticks, in a table too."""
    return text.replace("`", "'").replace("|", "/")


def _fence(language: str, *lines: str) -> str:
    """A block of code; no line may be of backticks alone, for it would end the block."""
    return "\n".join((f"```{language}", *lines, "```\n"))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> Iterable[str]:
    marks = ["---:" if side == "r" else "---" for side in (align or "l" * len(heads))]
    yield "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, marks, *rows)) + "\n"


def _pairs(facts: Mapping[str, Any]) -> Iterable[str]:
    yield from _table(
        ("", ""), [(f"`{_code(line(name))}`", escape(number(value))) for name, value in facts.items()]
    )


def _fold(summary: str, count: int, blocks: Iterable[str]) -> Iterable[str]:
    """The blocks, behind a summary where they show more than a few things."""
    if count <= UNFOLDED:
        yield from blocks
        return
    yield f"<details><summary>{summary}</summary>\n"
    yield from blocks
    yield "</details>\n"
