"""What the commands print: a few lines or a small table for people, JSON for programs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ...data.folder.manifest import Manifest
from ...data.folder.stated_grid import STARTS
from ..describe.description import IDENTITY_SHOWN, Description, ParameterLine
from ..describe.phrases import line, percentage

if TYPE_CHECKING:
    from ..dynamics.lyapunov import Spectrum
    from ..dynamics.systems import System
    from ..generation.generate import Summary

# Of equations, parameters, components; and the characters of an equation.
SHOWN = 6
LONGEST_SHOWN = 300


def dataset_facts(manifest: Manifest) -> dict[str, Any]:
    """What `trajstore info --json` gives."""
    description, dataset = Description(manifest), manifest.config["dataset"]
    return {
        "id": manifest.id,
        "title": description.title,
        "license": description.license,
        "creator": description.creator,
        "date": description.date or None,
        "format_version": manifest.format_version,
        "system": manifest.system,
        "components": manifest.components,
        "grid": manifest.config["grid"],
        "engine": manifest.config["engine"],
        "initial_states": manifest.config.get("initial_states"),
        STARTS: manifest.config.get(STARTS),
        "observation": manifest.config.get("observation"),
        "derived": description.derived,
        "dtype": dataset["dtype"],
        # Rows of others have the seeds of these.
        "seed": None if description.derived else dataset["seed"],
        "bytes": manifest.bytes,
        "shards": len(manifest.shards),
        "trajectories": description.trajectories,
        "failed": description.failed,
        "splits": splits_facts(manifest),
    }


def splits_facts(manifest: Manifest) -> dict[str, Any]:
    """Of each split, JSON-ready."""
    return {
        name: {
            "trajectories": split.trajectories,
            "failed": split.failed,
            "shards": len(split.shards),
            "statistics": split.statistics.model_dump(),
        }
        for name, split in manifest.splits.items()
    }


def print_dataset(console: Console, manifest: Manifest, *, shard: bool = False) -> None:
    """The same for people: what it is, what is in it, how large its numbers are.

    shard  whether it is one shard by itself, which does not know the id of its dataset
    """
    description = Description(manifest)
    lines = Table.grid(Column(no_wrap=True, style="cyan"), Column(overflow="fold"), padding=(0, 2))
    lines.add_row("content" if shard else "id", Text(line(manifest.id)))
    for label, texts in _facts(description):
        for position, text in enumerate(texts):
            lines.add_row(label if position == 0 else "", Text(text))
    console.print(Text(description.title, style="bold"))
    console.print(lines)
    for table in (_splits(manifest), _ranges(description)):
        console.print()
        console.print(table)


def _facts(description: Description) -> Iterator[tuple[str, list[str]]]:
    """Labels, each with the lines that stand beside it."""
    manifest = description.manifest
    yield "system", [description.name]
    if description.equations is None:
        yield "equations", ["none: measured data"]
    else:
        equations = [f"{name}' = {text}" for name, text in description.equations.items()]
        yield "equations", _few([line(text, LONGEST_SHOWN) for text in equations], "equations")
    if description.reference:
        yield "reference", [description.reference]
    yield "parameters", _few([_parameter(one) for one in description.parameters], "parameters") or ["none"]
    own = [f"in {split} {law}" for split, law in description.starts_by_split.items()]
    yield "starts", [_starts(description), *own]
    if description.observed:
        yield "observed", [description.observed]
    yield "grid", [description.grid]
    if description.engine:
        yield "engine", [description.engine]
    if description.provenance:
        yield "made", _few(description.provenance, "sources")
    dated = f"; {description.date}" if description.date else ""
    yield "licence", [f"{description.license}; creator {description.creator}{dated}"]
    files = "1 file" if len(manifest.shards) == 1 else f"{len(manifest.shards):,} files"
    yield "stored", [f"{description.dtype}, {manifest.bytes / 1e6:,.1f} MB in {files}"]
    yield "rows", [description.failures]


def _few(texts: list[str], what: str) -> list[str]:
    """The first texts, and how many more there are."""
    if len(texts) <= SHOWN + 1:
        return texts
    return [*texts[:SHOWN], f"... and {len(texts) - SHOWN} more {what}; --json has all"]


def _parameter(parameter: ParameterLine) -> str:
    value = f"{parameter.name} = {parameter.value} {parameter.unit}".rstrip()
    return f"{value}   {parameter.meaning}".rstrip()


def _starts(description: Description) -> str:
    """How the initial states were drawn."""
    boxes = description.boxes
    seed = f"; seed {description.seed}" if description.seed else ""
    if description.starts:
        return description.starts + seed
    if description.equations is None or not boxes:
        return (
            "the first sample of each row" if description.equations is None else "as initial_state gives them"
        )
    if len(boxes) > SHOWN and len(set(boxes.values())) == 1:
        low, high = next(iter(boxes.values()))
        ranges = f"each of {len(boxes)} components in [{low}, {high}]"
    else:
        shown = [f"{name} in [{low}, {high}]" for name, (low, high) in boxes.items()]
        more = f", and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
        ranges = ", ".join(shown[:SHOWN]) + more
    how = "smooth random fields" if description.field else "uniform"
    how += ", and constant before" if description.delayed else ""
    return f"{how}: {ranges}{seed}"


def _splits(manifest: Manifest) -> Table:
    table = _small_table("split", "rows", "failed", "shards")
    for name, split in manifest.splits.items():
        failed = Text(f"{split.failed:,}", style="yellow" if split.failed else "")
        table.add_row(name, f"{split.trajectories:,}", failed, f"{len(split.shards):,}")
    return table


def _ranges(description: Description) -> Table:
    """Moments of the first components, of the first split that has sound rows."""
    splits = description.manifest.splits
    name = next((name for name, split in splits.items() if split.statistics.count), "train")
    moments = splits[name].statistics
    table = _small_table(f"in {name}", "mean", "std", "min", "max")
    columns = (moments.mean, moments.std, moments.minimum, moments.maximum)
    rows = list(zip(description.states, *columns, strict=False))
    for component, *values in rows[:SHOWN]:
        table.add_row(Text(component, overflow="ellipsis"), *(f"{value:.4g}" for value in values))
    if len(rows) > SHOWN:
        table.add_row(f"... and {len(rows) - SHOWN} more")
    return table


def _small_table(first: str, *heads: str) -> Table:
    columns = [Column(head, justify="right") for head in heads]
    return Table(
        first, *columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), highlight=True, header_style="cyan"
    )


def print_summary(console: Console, summary: "Summary") -> None:
    """What `generate` did."""
    manifest = summary.manifest
    failed = {name: split.failed for name, split in manifest.splits.items() if split.failed}
    there = f", {summary.reused} there already" if summary.reused else ""
    console.print(
        f"{summary.written} shards written{there}; {summary.rows:,} rows integrated; {summary.seconds:.2f} s from "
        f"config to manifest; {manifest.bytes / 1e6:,.1f} MB; id {manifest.id[:IDENTITY_SHOWN]}",
        soft_wrap=True,
    )
    if summary.compared:
        console.print(
            f"{summary.compared} shards of another revision of the engines come out the same by this one",
            soft_wrap=True,
        )
    if summary.shared:
        mend = "; [system.parameters_by_split] holds values out" if manifest.system.get("parameters") else ""
        console.print(
            f"warning: {summary.shared}{mend}",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    for name, count in failed.items():
        total = manifest.splits[name].trajectories
        console.print(
            f"{name}: {count:,} of {total:,} rows failed ({percentage(count, total)}); they are kept as NaN with a "
            "status that says why",
            style="yellow",
            soft_wrap=True,
        )


def print_system(console: Console, system: "System") -> None:
    """A system's equations, plain and as LaTeX, its parameters and its box of initial states."""
    console.print(system.name, style="bold")
    for text in filter(None, (system.description, system.reference)):
        console.print(text)
    for (state, text), latex in zip(system.equations.items(), system.latex(), strict=True):
        console.print(f"  {state}' = {text}", markup=False)
        console.print(f"  {latex}", markup=False, style="dim")
    for name, parameter in system.parameters.items():
        unit = "" if parameter.unit == "1" else f" {parameter.unit}"
        console.print(f"  {name} = {parameter.value:g}{unit}   {parameter.meaning}", markup=False)
    when = "t <= 0" if system.retarded else "0"
    for name, (low, high) in system.initial_state.items():
        console.print(f"  {name}({when}) in [{low:g}, {high:g}]", markup=False)
    unit = "" if system.time_unit == "1" else f" {system.time_unit}"
    for what, value in (("period", system.period), ("Lyapunov time", _inverse(system.lyapunov))):
        if value is not None:
            console.print(f"  {what} {value:.4g}{unit}", markup=False)
    if system.hamiltonian is not None:
        console.print(f"  conserved: {system.hamiltonian}", markup=False)


def _inverse(value: float | None) -> float | None:
    return 1 / value if value else None


def print_spectrum(console: Console, system: "System", spectrum: "Spectrum") -> None:
    """Lyapunov exponents with their standard errors, and the dimension that follows."""
    console.print(system.name, style="bold")
    for exponent, error in zip(spectrum.exponents, spectrum.errors, strict=True):
        console.print(f"  {exponent:+.5f} +- {error:.5f}")
    if spectrum.dimension is not None:
        console.print(f"  Kaplan-Yorke dimension {spectrum.dimension:.4f}")
    console.print(f"  {spectrum.rows} trajectories over t = {spectrum.duration:g} each")
