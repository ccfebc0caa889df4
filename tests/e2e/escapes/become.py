"""`python3 become.py UID FOLDER… -- COMMAND…`: root becomes somebody else, who sees these folders, and executes it.

An ordinary user cannot enter root's home, where these tests and their interpreter may lie.
"""

import os
import sys

from bandstand.starter.becoming import Becoming


def main() -> None:
    """Become that one."""
    split = sys.argv.index("--")
    uid, reads, command = int(sys.argv[1]), sys.argv[2:split], sys.argv[split + 1 :]
    Becoming({"uid": uid, "reads": [os.path.realpath(one) for one in reads]}).now()
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
