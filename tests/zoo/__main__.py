"""`python -m tests.zoo`."""

import sys

from . import main

sys.exit(main())
