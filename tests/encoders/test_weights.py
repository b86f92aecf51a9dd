import hashlib
import http.server
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from reelpack.config.weights_registry import WeightsEntry, load_registry
from reelpack.core.errors import UserError
from reelpack.encoders.weights import FEATURE_KINDS, convert, fetch
from tests.encoders.dalle_weights import random_encoder, write
from tests.support.helpers import ROOT

DATA = b"weights" * 1000
SUM = hashlib.sha256(DATA).hexdigest()
HEADER = "name\turl\tsha256\tlicence\tnote\n"


def entry(url, sha256=""):
    return WeightsEntry("w", url, sha256, "MIT", "")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "published.bin"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def target(tmp_path):
    return tmp_path / "resources" / "w.bin"


@pytest.fixture
def server(tmp_path):
    """A server that gives /whole, promises more than it gives at /cut, and has nothing else."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            if self.path not in ("/whole", "/cut"):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(DATA)))
            self.end_headers()
            self.wfile.write(DATA if self.path == "/whole" else DATA[:100])

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = asked
        running.address = f"http://127.0.0.1:{running.server_port}"
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_the_shipped_registry_reads():
    entries = load_registry(ROOT / "weights.tsv")
    assert entries["dalle_encoder"].url == "https://cdn.openai.com/dall-e/encoder.pkl"
    assert all(row.licence for row in entries.values())


def test_registry_skips_comments_and_reads_rows(tmp_path):
    path = tmp_path / "w.tsv"
    path.write_text(f"# a comment\n{HEADER}\n# another\na\thttps://x/y\t{SUM}\tMIT\tgood\n")
    assert load_registry(path) == {"a": WeightsEntry("a", "https://x/y", SUM, "MIT", "good")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns name, url"),
        ("name\turl\n", "columns name, url"),
        (HEADER + "a\tb\n", r"w\.tsv:2: 2 fields instead of 5"),
        (HEADER + "a\thttps://x\tABC\t\t\n", r"w\.tsv:2: sha256"),
        (HEADER + "\thttps://x\t\t\t\n", "must not be empty"),
        (HEADER + "a\thttps://x\t\t\t\n" * 2, r"w\.tsv:3: a is there twice"),
    ],
)
def test_registry_names_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "w.tsv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        load_registry(path)


def test_a_missing_registry_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="missing"):
        load_registry(tmp_path / "none.tsv")


def test_overrides_are_laid_over(tmp_path):
    path = tmp_path / "w.tsv"
    path.write_text(f"{HEADER}a\thttps://x/y\t{SUM}\tMIT\t\n")
    changed = load_registry(path, overrides={"a": {"path": "/m/a.bin"}})["a"]
    assert (changed.path, changed.sha256, changed.url) == (Path("/m/a.bin"), SUM, "https://x/y")
    other = "0" * 64
    assert load_registry(path, overrides={"a": {"sha256": other}})["a"].sha256 == other
    with pytest.raises(UserError, match=r"weights\.b: unknown weights; allowed: a"):
        load_registry(path, overrides={"b": {}})
    with pytest.raises(UserError, match=r"weights\.a\.sum: unknown key"):
        load_registry(path, overrides={"a": {"sum": ""}})


def test_fetches_over_http_and_keeps_what_is_right(server, target):
    row = entry(f"{server.address}/whole", SUM)
    assert fetch(row, target) == SUM
    assert fetch(row, target) == SUM
    assert target.read_bytes() == DATA
    assert server.asked == ["/whole"]
    assert names(target.parent) == ["w.bin", "w.bin.sha256"]


@pytest.mark.parametrize("path", ["/cut", "/gone"])
def test_a_failed_download_leaves_nothing(server, target, path):
    with pytest.raises(UserError, match="cannot be fetched"):
        fetch(entry(server.address + path, SUM), target)
    assert names(target.parent) == []


def test_a_server_that_is_not_there_is_a_user_error(target):
    with pytest.raises(UserError, match="cannot be fetched"):
        fetch(entry("http://127.0.0.1:9/w"), target)


@pytest.mark.parametrize("address", ["file", "path", "override"])
def test_takes_local_files(source, target, address):
    row = entry(source.as_uri() if address == "file" else "https://nowhere.invalid/w", SUM)
    if address == "path":
        row = WeightsEntry("w", row.url, SUM, "", "", path=source)
    fetch(row, target, override_path=source if address == "override" else None)
    assert target.read_bytes() == DATA


def test_a_wrong_checksum_names_file_expected_and_got_and_leaves_nothing(source, target):
    with pytest.raises(UserError) as error:
        fetch(entry(source.as_uri(), "0" * 64), target)
    assert all(part in str(error.value) for part in (str(source), "0" * 64, SUM))
    assert names(target.parent) == []


def test_an_unpublished_checksum_is_recorded_and_holds(source, target):
    row = entry(source.as_uri())
    assert fetch(row, target) == SUM
    target.unlink()
    source.write_bytes(b"something else")
    with pytest.raises(UserError, match=rf"expected {SUM} by .*w\.bin\.sha256"):
        fetch(row, target)
    assert names(target.parent) == ["w.bin.sha256"]


def test_a_damaged_file_is_fetched_again(source, target):
    row = entry(source.as_uri())
    fetch(row, target)
    target.write_bytes(b"damaged")
    assert fetch(row, target) == SUM
    assert target.read_bytes() == DATA


def test_a_file_of_unknown_origin_is_fetched_again(source, target):
    target.parent.mkdir()
    target.write_bytes(b"nobody knows")
    assert fetch(entry(source.as_uri()), target) == SUM
    assert target.read_bytes() == DATA


def test_unknown_addresses_and_missing_files_are_user_errors(tmp_path, target):
    with pytest.raises(UserError, match="allowed: http, https, file"):
        fetch(entry("ftp://x/y"), target)
    with pytest.raises(UserError, match="no such file"):
        fetch(entry((tmp_path / "none").as_uri()), target)
    assert names(target.parent) == []


@pytest.fixture(scope="module")
def pickled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pickled")
    encoder = random_encoder(1)
    return encoder, write(encoder, folder / "encoder.pkl", zipped=True)


def test_converts_to_the_same_bytes_every_time(pickled, target, tmp_path):
    encoder, path = pickled
    fetch(entry(path.as_uri()), target)
    first, second = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    convert(target, first, kind="dalle_encoder")
    convert(target, second, kind="dalle_encoder")
    assert first.read_bytes() == second.read_bytes()
    tensors = load_file(first)
    expected = encoder.state_dict()
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


def test_conversion_opens_only_checked_files(pickled, target, tmp_path):
    _, path = pickled
    out = tmp_path / "out.safetensors"
    with pytest.raises(UserError, match=r"no encoder\.pkl\.sha256 beside it"):
        convert(path, out, kind="dalle_encoder")
    fetch(entry(path.as_uri()), target)
    with target.open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(UserError, match="fetch it again"):
        convert(target, out, kind="dalle_encoder")
    assert not out.exists()


def test_conversion_names_allowed_kinds(target, tmp_path):
    with pytest.raises(UserError, match="allowed: dalle_encoder, dalle_decoder"):
        convert(target, tmp_path / "x", kind="resnet")


def test_conversion_refuses_another_architecture(target, tmp_path):
    encoder = random_encoder(1)
    del encoder.blocks.group_2.block_1.id_path
    path = write(encoder, tmp_path / "odd.pkl", zipped=True)
    fetch(entry(path.as_uri()), target)
    with pytest.raises(UserError, match=r"group_2\.block_1\.id_path\.b is None"):
        convert(target, tmp_path / "out.safetensors", kind="dalle_encoder")


def foreign_state_dict(path):
    torch.save({"weight": torch.zeros(2, 3)}, path)


def foreign_safetensors(path):
    save_file({"weight": torch.zeros(2, 3)}, path)


@pytest.mark.parametrize("kind", FEATURE_KINDS)
@pytest.mark.parametrize(
    "write",
    [
        foreign_state_dict,
        foreign_safetensors,
        lambda path: path.write_bytes(b"<html>404</html>"),
        lambda path: path.write_bytes(b""),
    ],
    ids=["state dict", "safetensors", "page", "nothing"],
)
def test_conversion_refuses_other_files_in_one_line(target, tmp_path, kind, write):
    path, out = tmp_path / "odd", tmp_path / "out.safetensors"
    write(path)
    fetch(entry(path.as_uri()), target)
    with pytest.raises(UserError, match=rf"{target.name}: ") as error:
        convert(target, out, kind=kind)
    assert "\n" not in str(error.value)
    assert not out.exists()
