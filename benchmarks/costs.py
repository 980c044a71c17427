"""What do a billion and a trillion trajectories cost, in bytes, core-hours, shards and money?

A few million rows of the default experiment are generated and verified; the rest is arithmetic, printed line by line.
Prices are the caller's: those left out are round figures of large clouds' list prices (a core-hour on demand, a month
of a gigabyte in object storage). Needs about 1 GB of disk.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import click
from report import cores, figure, machine, table, trajstore

CONFIG = Path(__file__).parents[1] / "configs" / "van-der-pol.toml"
SIZES = (10**9, 10**12)
# Rows a shard: trajstore's own choice, and one that keeps a trillion rows within the shards that a manifest may list.
SHARD_ROWS = {10**9: 65_536, 10**12: 5_000_000}


@click.command(help=__doc__)
@click.option("--rows", default=4_000_000, help="Rows that are really made.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="Where to put the dataset.")
@click.option("--core-hour", default=0.05, help="Money for a core-hour.")
@click.option("--gigabyte-month", default=0.023, help="Money for a gigabyte, stored for a month.")
def main(rows: int, folder: Path | None, core_hour: float, gigabyte_month: float) -> None:
    where = machine("trajstore", "heyoka", "h5py")
    with TemporaryDirectory(dir=folder) as temporary:
        dataset = str(Path(temporary) / "dataset")
        sizes = (f"dataset.train={rows}", "dataset.validation=0", "dataset.test=0")
        overrides = [part for size in sizes for part in ("--set", size)]
        made = trajstore("generate", str(CONFIG), "--out", dataset, *overrides).seconds
        stored = sum(path.stat().st_size for path in Path(dataset).iterdir())
        verified = trajstore("verify", dataset).seconds
    row_bytes, row_seconds, check_seconds = stored / rows, made * cores() / rows, verified / rows
    print(
        f"Measured: {rows:,} rows in {made:.3g} s on {cores()} cores, {row_seconds * 1e6:.3g} core-microseconds a "
        f"row; {row_bytes:.4g} bytes a row; verified in {verified:.3g} s, {check_seconds * 1e6:.3g} microseconds a "
        "row.\n"
    )
    lines = []
    for count in SIZES:
        hours, size = count * row_seconds / 3600, count * row_bytes
        shards = -(-count // SHARD_ROWS[count])
        lines.append(
            [
                f"{count:.0e}",
                f"{figure(size / 1e9)} GB",
                figure(hours),
                f"{shards:,} of {SHARD_ROWS[count]:,} rows, {figure(SHARD_ROWS[count] * row_bytes / 1e6)} MB",
                figure(count * check_seconds / 3600),
                figure(hours * core_hour),
                f"{figure(size / 1e9 * gigabyte_month)} a month",
            ]
        )
    heads = ["rows", "bytes", "core-hours", "shards", "hours to verify, one reader", "to make", "to keep"]
    print(table(heads, lines))
    print(f"\nMoney at {core_hour:g} a core-hour and {gigabyte_month:g} a gigabyte-month.\n\n{where}")


if __name__ == "__main__":
    main()
