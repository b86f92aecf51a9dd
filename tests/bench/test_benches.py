"""Every bench runs as its header says, and prints figures; how large they are is not asked here."""

import os
import re
import subprocess
import sys

import pytest

from tests.support.helpers import ROOT

# Together a minute of two cores.
pytestmark = pytest.mark.slow

BENCHES = sorted({path.stem for path in (ROOT / "tests/bench").glob("*.py")} - {"test_benches"})


@pytest.mark.parametrize("name", BENCHES)
def test_bench_prints_figures(name: str) -> None:
    command = f"    PYTHONPATH=scripts .venv/bin/python -m tests.bench.{name}"
    header = (ROOT / f"tests/bench/{name}.py").read_text().split('"""')[1]
    assert any(line.split(" [")[0] == command for line in header.splitlines()), header
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{name}", "--tiny"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "scripts"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d\.\d", done.stdout), done.stdout
    assert not re.search(r"\b(nan|inf)\b", done.stdout), done.stdout
