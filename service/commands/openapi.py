"""``rehab-beds openapi``: write the API's contract to ``openapi/openapi.json``."""

import base64
import json
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from service.app import create_app
from service.settings import KEY_NAMES, Settings

CONTRACT: Final = Path(__file__).resolve().parents[2] / "openapi" / "openapi.json"


def contract_text() -> str:
    """The contract as it stands in the file: sorted, indented, the same on every machine.

    No database is needed: an application is built over one that is never connected to.
    """
    nothing = {name: base64.b64encode(name.encode().ljust(32)).decode() for name in KEY_NAMES}
    settings = Settings.model_validate(
        {"database_url": "postgresql://nowhere/nothing", "policy_file": None, **nothing}
    )
    schema = create_app(settings).openapi()
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def register(app: typer.Typer) -> None:
    """Add ``openapi``."""

    @app.command()
    def openapi(
        path: Annotated[Path, typer.Argument(help="Where to write it.")] = CONTRACT,
    ) -> None:
        """Write the API's contract, OpenAPI 3.1."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contract_text(), encoding="utf-8")
        Console().print(f"written: {path}", highlight=False)
