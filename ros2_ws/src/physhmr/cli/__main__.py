"""`python -m physhmr.cli`."""

import sys

from physhmr.cli import main

sys.exit(main())
