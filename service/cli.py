"""``rehab-beds``: the command line. Each module of ``service.commands`` adds its commands."""

import importlib
import pkgutil
import sys
from typing import NoReturn

import typer
from rich.console import Console

from service import commands
from service.errors import ServiceError
from service.policy import PolicyError
from service.settings import SettingsError
from service.store.postgres_errors import StoreError

app = typer.Typer(
    name="rehab-beds",
    help="Beds, placements and transfers of a city's drug-rehabilitation network.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _register() -> None:
    for module in sorted(pkgutil.iter_modules(commands.__path__), key=lambda found: found.name):
        loaded = importlib.import_module(f"service.commands.{module.name}")
        if hasattr(loaded, "register"):
            loaded.register(app)


_register()


def main() -> NoReturn:
    """Run a command; what goes wrong is said in a sentence, and the exit code is 1."""
    try:
        app()
    except ServiceError as error:
        _fail(error.detail, [f"{fault.pointer}: {fault.message}" for fault in error.errors])
    except (StoreError, SettingsError, PolicyError) as error:
        _fail(str(error), [])
    sys.exit(0)


def _fail(message: str, lines: list[str]) -> NoReturn:
    console = Console(stderr=True)
    console.print(f"[bold red]error:[/] {message}", highlight=False)
    for line in lines:
        if line.partition(": ")[2] != message:
            console.print(f"  {line}", highlight=False, markup=False)
    sys.exit(1)


if __name__ == "__main__":
    main()
