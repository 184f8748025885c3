"""Where generated files go."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
REFERENCE: Final = DOCS / "reference"
EXPLANATION: Final = DOCS / "explanation"
PACKAGE: Final = ROOT / "src/imagefit"
