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

from reelpack.config.stages import STAGES
from reelpack.core.files import write_bytes
from reelpack.report.asked import AuditRequest, SplitRequest
from reelpack.report.audit_findings import PROBLEMS, FileAudit, Finding, audit_files
from reelpack.report.counts import DOWNLOAD, SplitCounts, StageCounts, count_stages
from reelpack.report.words import align_columns

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


def write_audit(results: Path, asked: AuditRequest, *, with_files: bool, workers: int) -> str:
    """Audit a dataset and write audit.json, audit.txt and audit_files.csv.

    Args:
        results: `results/{dataset}`.
        asked: what there should be.
        with_files: look at the videos' files too.
        workers: processes that probe files.

    Returns:
        The text.

    Raises:
        DamagedError: a manifest or ledger that cannot be read.
    """
    counts = {name: count_downloads(results / name, split) for name, split in asked.splits.items()}
    files = audit_files(results, asked, workers=workers) if with_files else None
    text = format_audit(asked, counts, files)
    write_bytes(results / "audit_files.csv", _format_csv(files).encode())
    values = json.dumps(build_values(asked, counts, files), indent=2, ensure_ascii=False)
    write_bytes(results / "audit.json", f"{values}\n".encode())
    write_bytes(results / "audit.txt", text.encode())
    return text


def count_downloads(folder: Path, asked: SplitRequest) -> SplitCounts:
    """Count the clips of a split that are published, listed, obtained and failed.

    Args:
        folder: `results/{dataset}/{split}`; it need not exist.
        asked: what there should be.

    Raises:
        DamagedError: a manifest or ledger that cannot be read.
    """
    stages = {STAGES[DOWNLOAD].folder: DOWNLOAD}
    counts = count_stages(folder, published=asked.published, shards=asked.shards, stages=stages)
    if counts.unreadable:
        raise counts.unreadable[0]
    return counts


def build_values(
    asked: AuditRequest, counts: Mapping[str, SplitCounts], files: FileAudit | None
) -> dict[str, Any]:
    """Return an audit as JSON values; findings up to `KEPT_FINDINGS` of a kind, and their number."""
    splits = {name: _build_split(found, found.find_downloads()) for name, found in counts.items()}
    if files is None:
        return {"dataset": asked.dataset, "splits": splits, "files": None}
    problems = {
        problem: {"count": len(found), "first": [asdict(_clean(f)) for f in found[:KEPT_FINDINGS]]}
        for problem, found in files.findings.items()
    }
    here = {"listed": files.listed, "here": files.here, "waiting": files.waiting}
    return {"dataset": asked.dataset, "splits": splits, "files": {**here, **problems}}


def format_audit(
    asked: AuditRequest, counts: Mapping[str, SplitCounts], files: FileAudit | None
) -> str:
    """Return an audit as a table with what is wrong below it."""
    rows = [_HEADER, *(_format_row(name, found) for name, found in counts.items())]
    lines = [f"{asked.dataset}: clips"]
    for name, line in zip(["", *counts], align_columns(rows, right=range(1, 6)), strict=True):
        lines.append(f"  {line}")
        if name:
            lines += [f"    {each}" for each in _list_remarks(counts[name])]
    lines += [] if files is None else _format_files(asked, files)
    return "\n".join(lines) + "\n"


def _build_split(found: SplitCounts, step: StageCounts) -> dict[str, Any]:
    return {
        "published": found.published,
        "listed": found.listed,
        "obtained": step.obtained,
        "failed": dict(sorted(step.classes.items())),
        "missing": found.count_left(step),
        "shards": found.shards,
        "shards_tried": len(step.ok),
    }


def _format_row(name: str, found: SplitCounts) -> tuple[str, ...]:
    step = found.find_downloads()
    numbers = (found.published, found.listed, step.obtained, step.failed, found.count_left(step))
    return (name, *("-" if number is None else f"{number:,}" for number in numbers))


def _list_remarks(found: SplitCounts) -> list[str]:
    if found.listed is None:
        return [f"no list yet: ./reelpack build make_manifest_{found.dataset}_{found.split}"]
    step = found.find_downloads()
    by_number = sorted(step.classes.items(), key=lambda pair: (-pair[1], pair[0]))
    lines = []
    if by_number:
        lines.append("failed: " + ", ".join(f"{number:,} {name}" for name, number in by_number))
    if found.count_left(step):
        lines.append(f"missing: not tried yet ({len(step.ok)} of {found.shards} shards were)")
    return lines


def _format_files(asked: AuditRequest, files: FileAudit) -> list[str]:
    waiting = f", {files.waiting:,} still to be fetched" if files.waiting else ""
    lines = [f"{asked.dataset}: files", f"  {files.listed:,} listed, {files.here:,} here{waiting}"]
    for problem in PROBLEMS:
        found = files.findings[problem]
        if not found:
            continue
        lines.append(f"  {len(found):,} {_WORDS[problem]}")
        lines += [f"    {_format_finding(finding)}" for finding in found[:SHOWN_FINDINGS]]
        if len(found) > SHOWN_FINDINGS:
            lines.append(f"    ... all in results/{asked.dataset}/audit_files.csv")
    return lines


def _format_finding(finding: Finding) -> str:
    found = _clean(finding)
    if not found.clip_id:
        return found.path
    message = found.message.replace(f"{found.path}: ", "")
    return f"{found.split}/{found.clip_id}: {found.path}: {message}"


def _clean(finding: Finding) -> Finding:
    """Return a finding whose names can be printed, whatever bytes a file's name has."""
    return Finding(finding.problem, *(_make_printable(text) for text in astuple(finding)[1:]))


def _make_printable(text: str) -> str:
    known = os.fsencode(text).decode(errors="replace")
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in known
    )


def _format_csv(files: FileAudit | None) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([field.name for field in fields(Finding)])
    if files is not None:
        for found in files.findings.values():
            writer.writerows(astuple(_clean(finding)) for finding in found)
    return stream.getvalue()
