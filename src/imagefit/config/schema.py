"""The JSON Schema of the configuration, for editors.

Knows nothing but the tables, which msgspec describes. What a schema cannot say, only the reader knows: that the last
criterion of an order is ``position``, that the two sockets differ, which plug-ins are installed. ``make docs`` writes
it to the file that the package ships.
"""

from importlib.resources import files
from typing import Any, Final

import msgspec

from imagefit.config.settings import Config

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12)."""
    return {"$schema": _DRAFT, "$id": "urn:imagefit:schema:config", **msgspec.json.schema(Config)}


def packaged_schema() -> str:
    """Return the schema as the package ships it."""
    return files("imagefit.config").joinpath("config.schema.json").read_text()
