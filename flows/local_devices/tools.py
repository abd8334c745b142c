"""A driver's own tool, asked once: bounded in time and in what it may answer, without a shell, never a crash."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress

SECONDS = 15.0
MOST_BYTES = 4 * 2**20  # far more than eight devices of any tool


def answer(command: Sequence[str], problems: list[str], seconds: float = SECONDS) -> str:
    """What the tool prints; nothing where it is missing, fails or hangs. Why it failed is added to `problems`."""
    tool = command[0]
    path = shutil.which(tool)
    if path is None:
        return ""
    # into a file, for a pipe would have to be read while waiting
    with tempfile.TemporaryFile() as out:
        try:
            process = subprocess.Popen(
                [path, *command[1:]], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            problems.append(f"{tool} cannot be started ({error.strerror})")
            return ""
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            problems.append(f"{tool} did not answer within {seconds:g} s")
            return ""
        finally:
            _end(process)
        out.seek(0)
        text = out.read(MOST_BYTES).decode("utf-8", errors="replace")
    if status:
        said = next((line.strip() for line in text.splitlines() if line.strip()), f"exit status {status}")
        problems.append(f"{tool}: {said[:200]}")
        return ""
    return text


def _end(process: subprocess.Popen[bytes]) -> None:
    """Also what it has started, which is of its session; of one that has ended nothing is left or it is not ours."""
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
