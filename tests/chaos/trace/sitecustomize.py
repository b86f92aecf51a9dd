"""Put on PYTHONPATH by `kill_runs`: notes which clip files worker processes begin to write.

Each worker that opens the temporary name of a journal's clip file appends one line, the journal folder
and the clip's key, to the file that the variable REELPACK_TRACE names. The job's own process is left out:
it writes clip files too when it cuts a finished output into clips again. With REELPACK_PAUSE the worker
then rests for so many seconds, so that a test can meet it at work.
"""

import os
import re
import sys
import time

_CLIP = re.compile(r"(.*)/\.([0-9a-f]{32})\.clip\.\d+\.tmp")


def _watch(event: str, arguments: tuple) -> None:
    if event != "open" or not isinstance(arguments[0], str):
        return
    found = _CLIP.fullmatch(arguments[0])
    if not found or not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
        return
    from multiprocessing import parent_process

    if parent_process() is not None:
        # One write of one line to a file opened for appending stays in one piece.
        handle = os.open(os.environ["REELPACK_TRACE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{found[1]} {found[2]}\n".encode())
        os.close(handle)
        time.sleep(float(os.environ.get("REELPACK_PAUSE", "0")))


if "REELPACK_TRACE" in os.environ:
    sys.addaudithook(_watch)
