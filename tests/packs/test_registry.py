"""A format is one module and one row, and costs nothing where another one is used."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from reelpack import packs
from reelpack.config.pack_rules import FORMAT_RULES
from reelpack.core.errors import UserError
from reelpack.packs import PackFormat, get_format
from tests.support.helpers import ROOT

MODULES = {path.stem for path in Path(packs.__file__).parent.glob("*.py")} - {"__init__"}


def test_every_module_with_a_format_has_a_row_and_every_row_a_module():
    modules = {name: import_module(f"reelpack.packs.{name}") for name in MODULES}
    found = {name for name, module in modules.items() if hasattr(module, "FORMAT")}
    assert found == set(FORMAT_RULES)
    for name in found:
        assert isinstance(get_format(name), PackFormat)
        assert get_format(name).name == name


def test_unknown_formats_are_named_with_the_known_ones():
    with pytest.raises(UserError, match=r"lvt_codes, .*vimpac_lmdb"):
        get_format("lmbd")


@pytest.mark.parametrize(
    ("name", "needed"), [("webdataset", set()), ("hdf5", {"h5py"}), ("vimpac_lmdb", {"lmdb"})]
)
def test_a_format_loads_the_libraries_that_it_needs(name, needed):
    script = f"""import sys
from reelpack.packs import get_format
get_format({name!r})
print(*{{"h5py", "lmdb", "torch", "webdataset"}} & sys.modules.keys())"""
    found = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(found.stdout.split()) == needed
