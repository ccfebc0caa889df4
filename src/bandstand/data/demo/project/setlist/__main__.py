"""Print what an address shows."""

import sys

from setlist.routes import ROUTES

print(ROUTES[sys.argv[1] if len(sys.argv) > 1 else "/"]())
