"""The JSON Schema of every dialect. Leaves to ``imagefit.formats.schemas`` what they say."""

import json
from pathlib import Path

from docs.generators.places import PACKAGE
from imagefit.formats.schemas import SCHEMAS, schema_of


def files() -> dict[Path, str]:
    """Return the schemas that the package ships."""
    return {
        PACKAGE / f"schemas/{dialect}.schema.json": json.dumps(schema_of(dialect), indent=2) + "\n"
        for dialect in SCHEMAS
    }
