"""What all commands share: how one is made, what it says, options that many take."""

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parents[2]
DATA_DIR = ROOT / "data"
REPORTS_DIR = ROOT / "reports"

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")
]
DataDir = Annotated[
    Path, typer.Option("--data-dir", resolve_path=True, help="Where imported data sets lie. [LABKIT_DATA]")
]


def command(group: typer.Typer, name: str | None = None) -> Callable:
    """Make a function a command of `group`. Its help is its docstring as one running text: typer
    would break lines where the docstring does."""

    def register(function: Callable) -> Callable:
        @wraps(function)
        def run(*arguments, **options):
            try:
                return function(*arguments, **options)
            except KeyboardInterrupt:
                say("labkit: broken off; what was finished is kept")
                raise typer.Exit(130) from None

        return group.command(name, help=" ".join(function.__doc__.split()))(run)

    return register


def say(text: str) -> None:
    """A line for the reader, on standard error, so that standard output stays clean for `--json`."""
    print(text, file=sys.stderr, flush=True)


def show(values: dict | list, as_json: bool, text: str) -> None:
    """Print `values` as JSON, or `text`."""
    print(json.dumps(values, indent=1) if as_json else text)
