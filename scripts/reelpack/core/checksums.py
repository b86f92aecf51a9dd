"""Checksums kept beside files, as `{name}.sha256` in the format of sha256sum."""

from __future__ import annotations

from pathlib import Path

from reelpack.core.files import write_bytes


def checksum_file(path: Path) -> Path:
    """Return where the checksum of a file is kept."""
    return path.with_name(f"{path.name}.sha256")


def read_checksum(path: Path) -> str:
    """Return the SHA-256 kept beside a file as 64 hexadecimal digits, "" where there is none."""
    kept = checksum_file(path)
    return kept.read_text(encoding="utf-8").split()[0] if kept.is_file() else ""


def keep_checksum(path: Path, sha256: str) -> None:
    """Write a checksum beside a file, unless it stands there already."""
    if read_checksum(path) != sha256:
        write_bytes(checksum_file(path), f"{sha256}  {path.name}\n".encode())
