"""The `gpuledger` command: wires parts together, holds no logic."""

from __future__ import annotations

import importlib
import sys

import click

from gpuledger import __version__
from gpuledger.errors import ConfigError, GpuledgerError, nearest

# Command to the module that has it as `command`; only the one that is called gets imported.
COMMANDS = {
    "demo": "gpuledger.cli.demo",
    "up": "gpuledger.cli.up",
    "serve": "gpuledger.cli.serve",
    "relay": "gpuledger.cli.relay",
    "backfill": "gpuledger.cli.backfill",
    "collect": "gpuledger.cli.collect",
    "doctor": "gpuledger.cli.doctor",
    "schema": "gpuledger.cli.schema",
    "ledger": "gpuledger.cli.ledger",
    "free": "gpuledger.cli.free",
    "fragmentation": "gpuledger.cli.fragmentation",
    "findings": "gpuledger.cli.findings",
    "forecast": "gpuledger.cli.forecast",
    "recommend": "gpuledger.cli.recommend",
    "job": "gpuledger.cli.job",
    "node": "gpuledger.cli.node",
    "diff": "gpuledger.cli.diff",
    "success": "gpuledger.cli.success",
    "exempt": "gpuledger.cli.exempt",
    "services": "gpuledger.cli.services",
    "people": "gpuledger.cli.people",
    "teams": "gpuledger.cli.teams",
    "tokens": "gpuledger.cli.tokens",
    "audit": "gpuledger.cli.audit",
    "assets": "gpuledger.cli.assets",
    "prices": "gpuledger.cli.prices",
    "replay": "gpuledger.cli.replay",
    "report": "gpuledger.cli.report",
    "dashboards": "gpuledger.cli.dashboards",
    "alerts": "gpuledger.cli.alerts",
    "export": "gpuledger.cli.export",
    "import": "gpuledger.cli.import_",
    "backup": "gpuledger.cli.backup",
    "restore": "gpuledger.cli.restore",
    "generate": "gpuledger.cli.generate",
}


class _Lazy(click.Group):
    """A group whose commands live in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click asks so
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            raise ConfigError(f"there is no command '{name}'{nearest(name, COMMANDS)}")
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
    """Run the command line; every error becomes one line and an exit code."""
    said = {"debug": False}
    try:
        # Not standalone: click would print its errors over three lines.
        code = cli(prog_name="gpuledger", obj=said, standalone_mode=False)
    except GpuledgerError as e:
        _fail(str(e), e.exit_code, debug=said["debug"])
    except click.ClickException as e:
        _fail(e.format_message(), e.exit_code, debug=said["debug"])
    except click.Abort:
        sys.exit(130)
    except ModuleNotFoundError as e:
        ours = not e.name or e.name.split(".")[0] in {"gpuledger", "analytics", "collector"}
        _fail(
            f"this command needs the package '{e.name}': install 'gpuledger[embedded]' (all),"
            " '[server]' or '[collector]'",
            2,
            debug=said["debug"] or ours,
        )
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _fail(line: str, code: int, *, debug: bool) -> None:
    """Say it in one line; with --debug, let the traceback through."""
    if debug:
        raise  # noqa: PLE0704 - called while an exception is handled
    click.echo(f"gpuledger: {line}", err=True)
    sys.exit(code)
