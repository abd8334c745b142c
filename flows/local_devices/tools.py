"""A driver's own tool, asked once: bounded in time and in what it may answer, without a shell, never a crash."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

SECONDS = 15.0
MOST_BYTES = 4 * 2**20  # far more than eight devices of any tool
MOST_WAIT = 0.05  # seconds until it is asked again whether the tool has ended
MOST_SAID = 200  # characters of the line that says why it failed


def answer(command: Sequence[str], problems: list[str], seconds: float = SECONDS) -> str:
    """What the tool prints; nothing where it is missing, fails or hangs. Why it failed is added to `problems`."""
    tool = command[0]
    path = shutil.which(tool)
    if path is None:
        return ""
    try:
        process = subprocess.Popen(
            [path, *command[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        problems.append(f"{tool} cannot be started ({error.strerror})")
        return ""
    try:
        printed, status = _heard(process, time.monotonic() + seconds)
    except subprocess.TimeoutExpired:
        problems.append(f"{tool} did not answer within {seconds:g} s")
        return ""
    finally:
        _end(process)
    if len(printed) > MOST_BYTES:
        # half an answer may be half a device
        problems.append(f"{tool} prints more than {MOST_BYTES:,} bytes")
        return ""
    text = printed.decode("utf-8", errors="replace")
    if status:
        said = next((line.strip() for line in text.splitlines() if line.strip()), f"exit status {status}")
        problems.append(f"{tool}: {said[:MOST_SAID]}")
        return ""
    return text


def _heard(process: subprocess.Popen[bytes], until: float) -> tuple[bytes, int | None]:
    """What it prints and its exit status; a little more than MOST_BYTES, and no status, of one that prints too much.

    Raises subprocess.TimeoutExpired where it has not ended by then, whether it prints or not.
    """
    assert process.stdout is not None
    pipe, printed, waiting = process.stdout.fileno(), bytearray(), select.poll()
    waiting.register(pipe, select.POLLIN)
    while len(printed) <= MOST_BYTES:
        if (left := until - time.monotonic()) <= 0:
            raise subprocess.TimeoutExpired(process.args, 0)
        has_ended = process.poll() is not None
        if waiting.poll(0 if has_ended else 1000 * min(left, MOST_WAIT)):
            piece = os.read(pipe, 2**16)
            if not piece:
                return bytes(printed), process.wait(left)
            printed += piece
        elif has_ended:
            # what it has started may keep the pipe open for ever
            return bytes(printed), process.returncode
    return bytes(printed), None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Also what it has started, which is of its session; of one that has ended nothing is left or it is not ours."""
    if process.stdout is not None:
        process.stdout.close()
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
