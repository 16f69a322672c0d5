"""Workers do not outlive who they work for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WAITS = """
import multiprocessing, time
from concurrent.futures import ProcessPoolExecutor
from physhmr.worker import end_with_parent
if __name__ == "__main__":
    pool = ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), initializer=end_with_parent)
    print(list(pool.map(abs, [-1, 2])), flush=True)
    time.sleep(600)
"""


def test_workers_of_a_killed_process_end(tmp_path: Path) -> None:
    script = tmp_path / "waits.py"
    script.write_text(WAITS)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "[1, 2]\n"
        process.kill()
        # The workers have this pipe, too: it ends when the last of them has.
        process.communicate(timeout=60)
