"""What the commands in scripts/ share: arguments, and one line for a mistake."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelpack.core.errors import DamagedError, UserError
from reelpack.core.files import is_full

if TYPE_CHECKING:
    from reelpack.jobs.job import Job


def run(main: Callable[[], int | None]) -> None:
    """Run a command; a `UserError` or a full disk becomes one line on stderr and exit status 2."""
    try:
        sys.exit(main())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        if not is_full(error):
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"error: {where}no space left on this disk; what is finished is kept: make room and run again",
            file=sys.stderr,
            flush=True,
        )
        sys.exit(2)


def run_job(main: Callable[[], int | None]) -> None:
    """Run a rule's command: as `run`, and a damaged input is removed for the next run to make again."""

    def mend() -> int | None:
        try:
            return main()
        except DamagedError as error:
            Path(error.path).unlink(missing_ok=True)
            raise UserError(f"{error}; it is removed: run again to have it made again") from error

    run(mend)


def use_this_interpreter() -> None:
    """Put this interpreter's folder first on PATH, so that jobs' `python` is never the system's.

    A conda environment that a job activates comes in front of it.
    """
    folder = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "")
    if path.split(os.pathsep)[0] != folder:
        os.environ["PATH"] = f"{folder}{os.pathsep}{path}"


def command_parser(
    name: str, description: str | None, *, examples: Sequence[str]
) -> argparse.ArgumentParser:
    """Return the parser of a command for people, `./reelpack {name}`.

    Args:
        name: the command's name.
        description: what it does.
        examples: arguments that show how it is used.
    """
    lines = "\n".join(f"  ./reelpack {name} {example}".rstrip() for example in examples)
    return argparse.ArgumentParser(
        prog=f"./reelpack {name}",
        description=description,
        epilog=f"Example:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def parse_in_folder(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None
) -> argparse.Namespace:
    """Parse arguments, and go to the run's folder that `--directory` names.

    Paths that were given are of the folder that the command was called from, or where nothing is
    there of the run's folder; the usual ones are of the run's folder.

    Args:
        parser: a command's parser; it gets the argument `--directory`.
        arguments: instead of the command line's.

    Raises:
        UserError: there is no such folder.
    """
    parser.add_argument(
        "--directory", type=Path, default=Path(), help="the run's folder (default: the project's)"
    )
    args = parser.parse_args(arguments)
    folder: Path = args.directory
    if not folder.is_dir():
        raise UserError(f"--directory {folder}: no such folder")
    if not folder.samefile(Path()):
        for name, value in vars(args).items():
            if value == parser.get_default(name) or name == "directory":
                continue
            if isinstance(value, Path):
                setattr(args, name, _place(value, folder))
            elif isinstance(value, list):
                setattr(
                    args, name, [_place(v, folder) if isinstance(v, Path) else v for v in value]
                )
        os.chdir(folder)
    return args


def _place(path: Path, folder: Path) -> Path:
    """Return a path that names the same file or folder from within `folder`."""
    return path if not path.exists() and (folder / path).exists() else path.absolute()


JOB = ("--params", "--ledger", "--output", "--journal", "--retries", "--threads")
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "--params": {"required": True, "metavar": "JSON", "help": "the stage's result string"},
    "--ledger": {"required": True, "type": Path, "help": "ledger to write (parquet)"},
    "--output": {"required": True, "type": Path, "help": "the stage's output to write"},
    "--journal": {"required": True, "type": Path, "help": "folder of finished clips"},
    "--retries": {
        "default": "{}",
        "metavar": "JSON",
        "help": 'how often failures were to be retried, such as {"transient": 1, "all": 0}',
    },
    "--threads": {"type": int, "default": 1, "help": "worker processes (default: 1)"},
    "--earlier": {
        "required": True,
        "type": Path,
        "nargs": "+",
        "help": "ledgers of the stages before",
    },
    "--clips": {"required": True, "type": Path, "help": "clip table of trim_shard"},
    "--shard": {"required": True, "type": Path, "help": "shard table of the manifest"},
    "--ffmpeg": {"default": "", "help": "ffmpeg program of recipes with decoder: program"},
    "--gpus": {"type": int, "default": 0, "help": "GPUs that the job asked for"},
}


def build_parser(description: str | None, *names: str) -> argparse.ArgumentParser:
    """Return a parser with some of the arguments that several stages take; `JOB` are those of all."""
    parser = argparse.ArgumentParser(description=description)
    for name in names:
        parser.add_argument(name, **_ARGUMENTS[name])
    return parser


def read_job(args: argparse.Namespace) -> Job:
    """Return the job that the arguments of `JOB`, and perhaps `--earlier`, describe."""
    from reelpack.jobs.job import Job
    from reelpack.jobs.retries import Retries

    return Job(
        result=args.params,
        output=args.output,
        ledger=args.ledger,
        journal=args.journal,
        earlier=tuple(vars(args).get("earlier", ())),
        retries=Retries.parse(args.retries),
        workers=args.threads,
    )
