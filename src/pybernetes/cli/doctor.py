"""pybernetes doctor"""

import sys

import click

from pybernetes.cluster.doctor import Verdict, examine, missing_packages

_COLOURS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


@click.command("doctor")
@click.option("--packages", is_flag=True, help="Print only the Debian packages that are missing, for scripts.")
def command(packages: bool) -> None:
    """Check this machine and show the command that fixes each problem. Exit code 1 if a cluster cannot run."""
    findings = examine()
    if packages:
        click.echo("\n".join(missing_packages(findings)))
        return
    for finding in findings:
        verdict = click.style(f"{finding.verdict.value:4}", fg=_COLOURS[finding.verdict])
        click.echo(f"{verdict}  {finding.check:20} {finding.detail}")
        if finding.fix:
            click.echo(f"      {'':20} fix: {finding.fix}")
    sys.exit(any(finding.verdict is Verdict.FAIL for finding in findings))
