"""Show the tests THIS checkout as ``nnspec``, whatever its folder is called and whatever is installed."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_spec = spec_from_file_location(
    "nnspec", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
)
assert _spec
assert _spec.loader
sys.modules["nnspec"] = _module = module_from_spec(_spec)
_spec.loader.exec_module(_module)
