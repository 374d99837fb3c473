"""What is measured, beside peers and limits; it uses the tests' own servers, which import each other as tests do."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))
