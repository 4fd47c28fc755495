"""The `gpuledger` command: wires parts together, holds no logic."""

from __future__ import annotations

import importlib
import sys

import click

from gpuledger import __version__
from gpuledger.errors import GpuledgerError

# Command to the module that has it as `command`; only the one that is called gets imported.
COMMANDS = {
    "demo": "gpuledger.cli.demo",
    "up": "gpuledger.cli.up",
    "serve": "gpuledger.cli.serve",
    "collect": "gpuledger.cli.collect",
    "schema": "gpuledger.cli.schema",
    "ledger": "gpuledger.cli.ledger",
    "findings": "gpuledger.cli.findings",
    "recommend": "gpuledger.cli.recommend",
    "report": "gpuledger.cli.report",
    "dashboards": "gpuledger.cli.dashboards",
    "alerts": "gpuledger.cli.alerts",
    "generate": "gpuledger.cli.generate",
}


class _Lazy(click.Group):
    """A group whose commands live in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click asks so
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[name]).command
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gpuledger")
@click.option("--debug", is_flag=True, envvar="GPULEDGER_DEBUG", help="Show tracebacks.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Every GPU-second of a cluster booked to exactly one state."""
    ctx.ensure_object(dict)["debug"] = debug


def main() -> None:
    """Run the command line; our errors become one line and an exit code."""
    said = {"debug": False}
    try:
        cli(prog_name="gpuledger", obj=said)
    except GpuledgerError as e:
        if said["debug"]:
            raise
        click.echo(f"gpuledger: {e}", err=True)
        sys.exit(e.exit_code)
    except ModuleNotFoundError as e:
        ours = not e.name or e.name.split(".")[0] in {"gpuledger", "analytics", "collector"}
        if said["debug"] or ours:
            raise
        click.echo(
            f"gpuledger: this command needs the package '{e.name}': install"
            " 'gpuledger[embedded]' (all), '[server]' or '[collector]'",
            err=True,
        )
        sys.exit(2)
