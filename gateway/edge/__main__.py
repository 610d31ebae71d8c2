"""`python -m gateway.edge --config FILE`."""

from __future__ import annotations

import sys

from gateway.edge.daemon import main

sys.exit(main())
