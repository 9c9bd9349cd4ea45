"""``python -m solver COMMAND``: the decision core on files.

Exit status: 0 done and clean, 1 the plan breaks a rule, 2 an argument or a file is wrong.
"""

import sys

from solver.commands.line import main

if __name__ == "__main__":
    sys.exit(main())
