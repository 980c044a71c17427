"""The command `trajstore`: its commands are in `commands`."""

import signal

import click

from . import datasets, derived, learning, studies
from . import fetching as sharing

# Commands import what they need when they are called: help comes at once, and few wait for SymPy or torch.


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trajstore")
def main() -> None:
    """From the equations of a dynamical system to a dataset that others can trust, and models trained on it."""
    # A polite kill ends like Ctrl-C: what was done is kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


for known in (
    datasets.generate_command,
    datasets.verify_command,
    datasets.info_command,
    datasets.systems_command,
    sharing.fetch_command,
    sharing.publish_command,
    derived.import_command,
    derived.merge_command,
    derived.select_command,
    derived.export_command,
    learning.train_command,
    learning.evaluate_command,
    learning.plot_command,
    studies.compare_command,
    studies.study_command,
    studies.track_command,
):
    main.add_command(known)
