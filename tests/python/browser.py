"""Asks a headless Chromium what a page looks like: a script runs in it and its answer comes back as JSON."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def probe(page: str, script: str, folder: Path, *, dark: bool = False, width: int = 1000, scripts: bool = True):
    """What `script` (a function body that returns a value) returns inside `page`, an HTML document.

    dark: the system's colour scheme. scripts=False leaves the page's own scripts out, the probe's alone runs. The test
    is skipped where there is no Chromium.
    """
    browser = find_browser()
    if browser is None:
        pytest.skip("Chromium is not installed; on Debian: apt-get install chromium")
    if not scripts:
        page = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    asked = (
        "<script>addEventListener('load',function ask(){"
        "if(!document.hasFocus())return setTimeout(ask,20);"  # a page without focus shows no :focus styles
        "const answer=(()=>{" + script + "})();"
        "const e=document.createElement('pre');e.id='probe';e.textContent=JSON.stringify(answer);"
        "document.body.append(e)})</script>"
    )
    path = folder / "page.html"
    path.write_text(page + asked, "utf-8")
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--window-size={width},900",
    ]
    command += ["--virtual-time-budget=60000", f"--user-data-dir={folder / 'profile'}"]
    command += ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if dark else []
    done = subprocess.run([*command, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120)
    answer = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.S)
    assert answer, f"the probe did not run: {done.stdout[-400:]}{done.stderr[-400:]}"
    return json.loads(html.unescape(answer[1]))
