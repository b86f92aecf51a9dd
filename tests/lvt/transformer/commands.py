"""Run a command of scripts/ in this process: starting torch anew takes seconds."""

import contextlib
import io
import runpy
import sys
from dataclasses import dataclass
from unittest import mock

from tests.support.helpers import ROOT


@dataclass(frozen=True)
class Done:
    """Exit status and output of a command."""

    returncode: int
    stdout: str
    stderr: str


def command(name: str, *arguments: object) -> Done:
    """Run `scripts/{name}.py` with these arguments."""
    script = ROOT / "scripts" / f"{name}.py"
    out, err = io.StringIO(), io.StringIO()
    words = [str(script), *map(str, arguments)]
    status = 0
    with (
        mock.patch.object(sys, "argv", words),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as left:
            status = int(left.code or 0)
    return Done(status, out.getvalue(), err.getvalue())
