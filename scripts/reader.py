"""What the city has published, by HTTP and for reading alone: `uvicorn scripts.reader:app`.

The analysts' file, extracts, pages and `status.json`, with parts of files by ``Range``, so that
DuckDB attaches ``http://host:8090/almaty.duckdb`` and reads of it what a query needs. A file that
is replaced meanwhile has another ``ETag``. What begins with a dot is being built: it is not there.

Left out: who may read. A proxy in front of it decides, or the network.
"""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from pipelines.settings import load_settings


class Published(StaticFiles):
    """Files of the publication folder, but those that are being built."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Raise 404 for what begins with a dot."""
        if any(part.startswith(".") and part != "." for part in Path(path).parts):
            raise HTTPException(404)
        return await super().get_response(path, scope)


async def is_alive(_: Request) -> Response:
    """Say that the service answers."""
    return PlainTextResponse("ok")


app = Starlette(
    routes=[
        Route("/healthz", is_alive),
        # A city that has published nothing yet has no such folder.
        Mount("/", Published(directory=load_settings().publish, check_dir=False)),
    ]
)
