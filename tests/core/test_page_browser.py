"""The page in a real browser without a screen, where there is one."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from physhmr.body.humanoid_mjcf import standing_qpos
from physhmr.body.skeleton import Skeleton
from physhmr.view.page import Page
from physhmr.view.snapshot import Readings, Snapshot

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--window-size=900,600",
)  # fmt: skip
SECONDS = 60.0


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium here: the page is only tested without a browser")
def test_a_browser_gets_the_humanoid_and_is_missed_when_it_leaves(tmp_path: Path) -> None:
    assert BROWSER is not None
    image, qpos = np.zeros((48, 64, 3), np.uint8), standing_qpos(Skeleton())
    with Page(port=18180) as page:
        command = [BROWSER, *OPTIONS, f"--user-data-dir={tmp_path}", "--remote-debugging-port=0", page.url]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline, stamp = time.monotonic() + SECONDS, 0
            while page.updates < 10 and time.monotonic() < deadline:
                stamp += 33_000_000
                page.show(Snapshot(stamp, image, qpos=qpos, readings=Readings(latency_ms=30.0)))
                time.sleep(0.03)
        finally:
            browser.terminate()
            browser.wait(10)
        assert page.updates >= 10
        while page.visitors and time.monotonic() < deadline:
            time.sleep(0.05)
        assert page.visitors == 0
        drawn = page.updates
        page.show(Snapshot(stamp, image, qpos=qpos))
        time.sleep(0.2)
        assert page.updates == drawn
