"""The command `trajstore`: its commands are in the files beside, a stage each."""

from typing import Any

import click

from . import datasets, derived, learning, starting, studies, systems, viewing
from . import fetching as sharing

# Commands import what they need when they are called: help comes at once, and few wait for SymPy or torch.


# What other programs call it, and no spelling tells.
MEANT = {"check": "verify", "validate": "verify", "download": "fetch", "upload": "publish", "show": "info"}


class Staged(click.Group):
    """Its help lists the commands by stage, in the order in which one comes to them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.stages: dict[str, list[str]] = {}

    def add(self, stage: str, *commands: click.Command) -> None:
        """Add commands to one stage."""
        for each in commands:
            self.add_command(each)
            self.stages.setdefault(stage, []).append(str(each.name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in MEANT and args[0] not in self.commands and not ctx.resilient_parsing:
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{MEANT[args[0]]}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.commands))
        for stage, names in self.stages.items():
            lines = [
                (name, self.commands[name].get_short_help_str(formatter.width - width - 6)) for name in names
            ]
            with formatter.section(stage):
                formatter.write_dl([(name.ljust(width), text) for name, text in lines])


@click.group(cls=Staged, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trajstore")
def main() -> None:
    """From the equations of a dynamical system to a dataset that others can trust, and models trained on it."""


main.add("Begin", starting.init_command, systems.systems_command)
main.add("Make datasets", datasets.generate_command, derived.import_command)
main.add("Look at them and check them", datasets.info_command, viewing.view_command, datasets.verify_command)
main.add("Cut, join and hand them on", derived.select_command, derived.merge_command)
main.add("Cut, join and hand them on", sharing.fetch_command, sharing.publish_command)
main.add("Cut, join and hand them on", derived.export_command)
main.add("Learn from them", learning.train_command, learning.evaluate_command, learning.plot_command)
main.add("Many runs", studies.study_command, studies.compare_command, studies.track_command)
