"""The page of a server's models, with the headers and types that browsers want."""

from __future__ import annotations

import os
from pathlib import PurePath

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ganexport.site import HEADERS, MIME_TYPES

__all__ = ["Page"]


class Page(StaticFiles):
    """The files of a site."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """A file as `ganexport preview` serves it too."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(HEADERS)
        if response.status_code == status_code:
            response.headers["Content-Type"] = MIME_TYPES.get(PurePath(full_path).suffix, MIME_TYPES[""])
        return response
