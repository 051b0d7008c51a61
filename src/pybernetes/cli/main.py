"""The `pybernetes` command. Each command is a module that is imported only when it is called."""

import importlib
import os
import sys
from typing import NoReturn

import click

from pybernetes.cli.version import VERSION

#: API objects are trees, freed by reference counting; cycles are rare. With Python's default thresholds, the collector
#: scans all cached objects repeatedly: at 5,000 pods, more than half of the time, and it blocks the event loop.
_COLLECTOR = (10_000, 5, 200)

#: name -> (module, one line for --help); the order is that of `pybernetes --help`.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("up", "Create a cluster, or repair one"),
    "status": ("status", "Show nodes and processes of a cluster"),
    "down": ("down", "Remove a cluster, all of it and nothing else"),
    "stop": ("stop", "Stop a cluster and keep its state"),
    "kubeconfig": ("kubeconfig", "Print the administrator's kubeconfig"),
    "logs": ("logs", "Print the log of a component"),
    "doctor": ("doctor", "Check what this machine lacks, and how to fix it"),
    "network": ("network", "Show, check and change the pod network"),
    "trace": ("trace", "Follow a packet from a pod, hop by hop"),
    "why": ("why", "Explain why a pod is on its node, or on none"),
    "image": ("image", "Build flanneld's image; load images into the nodes"),
    "cni": ("cni", "Install the CNI plugins"),
    "control-plane": ("control_plane", "Run the control plane of a local cluster (what `up` starts)"),
    "node": ("node", "Run the agent of a local node (what `up` starts)"),
    "simulated-nodes": ("simulated_nodes", "Run simulated kubelets (what `up` starts)"),
    "apiserver": ("apiserver", "Run an API server alone"),
    "controller-manager": ("controller_manager", "Run the controllers alone"),
    "scheduler": ("scheduler", "Run the scheduler alone"),
    "kubelet": ("kubelet", "Run a kubelet alone"),
    "proxy": ("proxy", "Run the Service proxy alone"),
    "flanneld": ("flanneld", "Run the pod network alone"),
    "dns": ("dns", "Run the DNS server alone"),
}


class _Lazy(click.Group):
    """A group whose commands are imported when needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"pybernetes.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}; there are {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="pybernetes")
def command() -> None:
    """Kubernetes in Python, with flannel as its pod network."""


def main() -> NoReturn:
    """Run a command; turn expected failures into one line on stderr and exit code 1."""
    try:
        result = command(prog_name="pybernetes", standalone_mode=False)
    except BrokenPipeError:
        # The reader has gone; flushing the rest of the buffer must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (KeyboardInterrupt, click.Abort):
        click.echo("pybernetes: interrupted; the same command can be run again", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:
        from pybernetes.cli.failures import expected

        message = expected(error)
        if message is None:
            raise
        click.echo(f"pybernetes: {message}", err=True)
        sys.exit(1)
    sys.exit(result if isinstance(result, int) else 0)


if __name__ == "__main__":
    main()
