"""How long `make audit` takes after installation: the nightly flow on the embedded snapshot, Prefect's start included.

python benchmarks/audit.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time


def main() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    with tempfile.TemporaryDirectory(prefix="hubfit-bench-") as data:
        for night in ("first night", "second night"):
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "flows", "nightly", "--source", "snapshot", "--data", data],
                check=True,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            print(f"{night:<14}{time.perf_counter() - started:>8.1f} s  floor: under 60 s")


if __name__ == "__main__":
    main()
