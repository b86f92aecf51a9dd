"""Weights of published models: the registry, fetching with checksums, and conversion, once.

A file is checked before it gets its final name, and its checksum is kept beside it
(`{name}.sha256`, the format of sha256sum). Conversion opens only a file that still has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from reelpack.config.encoder_cards import CARDS
from reelpack.config.weights_registry import WeightsEntry
from reelpack.core.errors import UserError
from reelpack.core.files import clear_leftovers, replace_file, sha256_file, write_bytes

if TYPE_CHECKING:
    import torch

BLOCK_BYTES = 1 << 20
TIMEOUT_SECONDS = (10.0, 60.0)

# Encoders of features read weights of their own name.
FEATURE_KINDS = tuple(name for name, card in CARDS.items() if card.width is not None)
KINDS = ("dalle_encoder", "dalle_decoder", *FEATURE_KINDS)


def fetch(entry: WeightsEntry, destination: Path, *, override_path: Path | None = None) -> str:
    """Bring a weights file to `destination`, whole and with the right checksum, or not at all.

    A file that is there and has the right checksum is kept. Where the registry has no checksum, the
    one recorded beside the file at its first fetch must hold ever after.

    Args:
        entry: row of the registry.
        destination: the file's final name.
        override_path: a local file to take instead; else `entry.path`, else `entry.url`
            (http, https or file).

    Returns:
        The file's SHA-256.

    Raises:
        UserError: wrong checksum, missing local file, or the server does not give the file.
    """
    clear_leftovers(destination)
    expected = entry.sha256 or _recorded(destination)
    if destination.is_file() and expected and sha256_file(destination) == expected:
        _record(destination, expected)
        return expected
    source = override_path or entry.path or _local(entry.url)
    blocks = _read_local(source) if source else _download(entry.url)
    with replace_file(destination) as temporary:
        with temporary.open("wb") as stream:
            for block in blocks:
                stream.write(block)
        found = sha256_file(temporary)
        if found != (expected or found):
            first = f"the first fetch (delete {_sidecar(destination)} to take the new file)"
            whence = "the registry" if entry.sha256 else first
            raise UserError(
                f"{source or entry.url}: sha256 of weights {entry.name} is {found}, expected"
                f" {expected} by {whence}"
            )
        # Recorded first: a kill between the two renames leaves a sum without a file, never a file
        # that was not checked.
        _record(destination, found)
    return found


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _recorded(path: Path) -> str:
    sidecar = _sidecar(path)
    return sidecar.read_text(encoding="utf-8").split()[0] if sidecar.is_file() else ""


def _record(path: Path, sha256: str) -> None:
    if _recorded(path) != sha256:
        write_bytes(_sidecar(path), f"{sha256}  {path.name}\n".encode())


def _local(url: str) -> Path | None:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme in ("http", "https"):
        return None
    raise UserError(f"{url}: unknown kind of address; allowed: http, https, file")


def _read_local(path: Path) -> Iterator[bytes]:
    if not path.is_file():
        raise UserError(f"{path}: no such file of weights")
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


def _download(url: str) -> Iterator[bytes]:
    import requests

    try:
        with requests.get(url, stream=True, timeout=TIMEOUT_SECONDS) as response:
            response.raise_for_status()
            yield from response.iter_content(BLOCK_BYTES)
    except requests.RequestException as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{url}: cannot be fetched ({reason}); config.yaml may name a mirror or a local file"
            " under weights:"
        ) from error


def convert(source: Path, destination: Path, *, kind: str) -> None:
    """Turn a fetched file, once, into safetensors that nothing needs to be trusted to open.

    Args:
        source: a file that `fetch` brought; its recorded checksum is checked first.
        destination: safetensors file; tensors are float32 under the names of the encoder's model.
        kind: what the file is, one of `KINDS`.

    Raises:
        UserError: unknown kind, changed or unchecked file, or a file that is not of this kind.
    """
    if kind not in KINDS:
        raise UserError(f"weights of kind {kind!r} are unknown; allowed: {', '.join(KINDS)}")
    expected = _recorded(source)
    if not expected:
        raise UserError(f"{source}: no {_sidecar(source).name} beside it: fetch it first")
    if (found := sha256_file(source)) != expected:
        raise UserError(f"{source}: sha256 is {found}, expected {expected}: fetch it again")
    from safetensors.torch import save_file

    tensors = _feature_tensors(source, kind) if kind in CARDS else _dalle_tensors(source, kind)
    contiguous = {name: tensor.float().contiguous() for name, tensor in tensors.items()}
    clear_leftovers(destination)
    with replace_file(destination) as temporary:
        save_file(contiguous, temporary)


def _dalle_tensors(source: Path, kind: str) -> Mapping[str, torch.Tensor]:
    from reelpack.encoders import dalle
    from reelpack.encoders.pickles import read_module

    tensors = read_module(source, classes=dalle.PICKLED_CLASSES[kind])
    if kind == "dalle_encoder":
        dalle.sizes_of(tensors, where=source)
    return tensors


def _feature_tensors(source: Path, kind: str) -> Mapping[str, torch.Tensor]:
    from reelpack.encoders.features import bare_network, check_tensors, without_counts

    module = import_module(f"reelpack.encoders.{CARDS[kind].module}")
    tensors = without_counts(module.read(source, name=kind))
    check_tensors(bare_network(kind), tensors, name=kind, where=source)
    return tensors
