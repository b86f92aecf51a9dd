"""What the commands in scripts/ share: arguments that come as JSON, and one line for a mistake."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from reelpack.core.errors import DamagedError, UserError
from reelpack.core.files import is_full
from reelpack.jobs.retries import Retries


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

    def mending() -> int | None:
        try:
            return main()
        except DamagedError as error:
            Path(error.path).unlink(missing_ok=True)
            raise UserError(f"{error}; it is removed: run again to have it made again") from error

    run(mending)


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


def shard_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the arguments that every clip-by-clip stage takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--ledger", required=True, type=Path, help="ledger to write (parquet)")
    parser.add_argument("--output", required=True, type=Path, help="the stage's output to write")
    parser.add_argument("--journal", required=True, type=Path, help="folder of finished clips")
    parser.add_argument(
        "--retries",
        type=Retries.parse,
        default=Retries(),
        metavar="JSON",
        help='how often failures were to be retried, such as {"transient": 1, "all": 0}',
    )
    parser.add_argument("--threads", type=int, default=1, help="worker processes (default: 1)")
    return parser
