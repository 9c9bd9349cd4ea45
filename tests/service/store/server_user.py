"""A process that uses the embedded server, for tests: says what it got, leaves when told.

`python -m tests.service.store.server_user '{"folder": "...", ...}'` prints one line of JSON, either
`url` or `error` and `message`, then waits for a line on its standard input. `uid` makes it an
ordinary user first; `file_limit` is the largest file, in bytes, it and its children may write.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from service.store import embedded_install
from service.store.embedded import ensure_server
from service.store.postgres_errors import EmbeddedServerError


def main() -> None:
    wanted = json.loads(sys.argv[1])
    if "uid" in wanted:
        # The interpreter and its libraries may lie in a private home: all is imported by now, and
        # of the wheel, what root has copied is used.
        wheel = Path(wanted["wheel"])
        embedded_install.wheel_folder = lambda: wheel
        os.setgroups([])
        os.setgid(wanted["gid"])
        os.setuid(wanted["uid"])
    if "file_limit" in wanted:
        resource.setrlimit(resource.RLIMIT_FSIZE, (wanted["file_limit"], resource.RLIM_INFINITY))
    try:
        handle = ensure_server(Path(wanted["folder"]), options=wanted.get("options"))
    except EmbeddedServerError as error:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}), flush=True)
        return
    print(json.dumps({"url": handle.url}), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
