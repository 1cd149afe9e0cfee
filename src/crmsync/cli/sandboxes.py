"""`crmsync sandbox`: simulated CRMs in the foreground."""

from __future__ import annotations

import typer

from crmsync.sandbox.__main__ import main as serve

app = typer.Typer()


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    }
)
def sandbox(context: typer.Context) -> None:
    """Serve simulated CRMs until Ctrl-C; `crmsync sandbox --help` lists the options."""
    try:
        code = serve(context.args)
    except SystemExit as end:  # argparse ends a misuse with 2, which means something else here
        code = 1 if end.code else 0
    raise typer.Exit(code)
