"""An audit for people and for programs: a text, a json file, and a csv file with every finding."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any

from reelpack.core.files import write_bytes
from reelpack.report.audit.asked import Asked
from reelpack.report.audit.counts import SplitCounts, count_split
from reelpack.report.audit.files import PROBLEMS, FileAudit, Finding, audit_files

SHOWN_FINDINGS = 5
KEPT_FINDINGS = 1000
_WORDS = {
    "missing": "missing",
    "empty": "of 0 bytes",
    "unreadable": "unreadable",
    "duration": "of another length than listed",
    "unlisted": "files that nobody listed",
}
_HEADER = ("split", "published", "listed", "obtained", "failed", "missing")


def write_audit(results: Path, asked: Asked, *, with_files: bool, workers: int) -> str:
    """Audit a dataset and write audit.json, audit.txt and audit_files.csv.

    Args:
        results: `results/{dataset}`.
        asked: what there should be.
        with_files: look at the videos' files too.
        workers: processes that probe files.

    Returns:
        The text.
    """
    counts = {name: count_split(results / name, split) for name, split in asked.splits.items()}
    files = audit_files(results, asked, workers=workers) if with_files else None
    text = audit_text(asked, counts, files)
    write_bytes(results / "audit_files.csv", _csv(files).encode())
    values = json.dumps(audit_values(asked, counts, files), indent=2, ensure_ascii=False)
    write_bytes(results / "audit.json", f"{values}\n".encode())
    write_bytes(results / "audit.txt", text.encode())
    return text


def audit_values(
    asked: Asked, counts: Mapping[str, SplitCounts], files: FileAudit | None
) -> dict[str, Any]:
    """Return an audit as JSON values; findings up to `KEPT_FINDINGS` of a kind, and their number."""
    splits = {
        name: {
            "published": found.published,
            "listed": found.listed,
            "obtained": found.obtained,
            "failed": dict(sorted(found.failed.items())),
            "missing": found.missing,
            "shards": found.shards,
            "shards_tried": found.tried,
        }
        for name, found in counts.items()
    }
    if files is None:
        return {"dataset": asked.dataset, "splits": splits, "files": None}
    problems = {
        problem: {"count": len(found), "first": [asdict(_clean(f)) for f in found[:KEPT_FINDINGS]]}
        for problem, found in files.findings.items()
    }
    here = {"listed": files.listed, "here": files.here, "waiting": files.waiting}
    return {"dataset": asked.dataset, "splits": splits, "files": {**here, **problems}}


def audit_text(asked: Asked, counts: Mapping[str, SplitCounts], files: FileAudit | None) -> str:
    """Return an audit as a table with what is wrong below it."""
    rows = [_HEADER, *(_row(name, found) for name, found in counts.items())]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADER))]
    lines = [f"{asked.dataset}: clips"]
    for name, row in zip(["", *counts], rows, strict=True):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  " + "  ".join(cells))
        if name:
            lines += [f"    {line}" for line in _remarks(asked.dataset, name, counts[name])]
    lines += [] if files is None else _file_lines(asked, files)
    return "\n".join(lines) + "\n"


def _row(name: str, found: SplitCounts) -> tuple[str, ...]:
    numbers = (found.published, found.listed, found.obtained, found.failed.total(), found.missing)
    return (name, *("-" if number is None else f"{number:,}" for number in numbers))


def _remarks(dataset: str, name: str, found: SplitCounts) -> list[str]:
    if found.listed is None:
        return [f"no list yet: snakemake make_manifest_{dataset}_{name}"]
    lines = []
    if found.failed:
        lines.append("failed: " + ", ".join(f"{n:,} {kind}" for kind, n in _by_number(found)))
    if found.missing:
        lines.append(f"missing: not tried yet ({found.tried} of {found.shards} shards were)")
    return lines


def _by_number(found: SplitCounts) -> list[tuple[str, int]]:
    return sorted(found.failed.items(), key=lambda pair: (-pair[1], pair[0]))


def _file_lines(asked: Asked, files: FileAudit) -> list[str]:
    waiting = f", {files.waiting:,} still to be fetched" if files.waiting else ""
    lines = [f"{asked.dataset}: files", f"  {files.listed:,} listed, {files.here:,} here{waiting}"]
    for problem in PROBLEMS:
        found = files.findings[problem]
        if not found:
            continue
        lines.append(f"  {len(found):,} {_WORDS[problem]}")
        lines += [f"    {_shown(finding)}" for finding in found[:SHOWN_FINDINGS]]
        if len(found) > SHOWN_FINDINGS:
            lines.append(f"    ... all in results/{asked.dataset}/audit_files.csv")
    return lines


def _shown(finding: Finding) -> str:
    found = _clean(finding)
    if not found.clip_id:
        return found.path
    message = found.message.replace(f"{found.path}: ", "")
    return f"{found.split}/{found.clip_id}: {found.path}: {message}"


def _clean(finding: Finding) -> Finding:
    """Return a finding whose names can be printed, whatever bytes a file's name has."""
    return Finding(finding.problem, *(_printable(text) for text in astuple(finding)[1:]))


def _printable(text: str) -> str:
    known = os.fsencode(text).decode(errors="replace")
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in known)


def _csv(files: FileAudit | None) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([field.name for field in fields(Finding)])
    if files is not None:
        for found in files.findings.values():
            writer.writerows(astuple(_clean(finding)) for finding in found)
    return stream.getvalue()
