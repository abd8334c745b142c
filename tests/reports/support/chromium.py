"""A made-up report on the disk, and a page of a real browser that is watched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bought import procurement_page
from made_up import pages
from playwright.sync_api import Page
from side_by_side import scripts

from reports import render

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
NO_CHROMIUM = "no Chromium on this machine: install Debian's chromium"

# Every element with text of its own against the first painted background below it: 4.5 to 1 as WCAG AA asks. The
# glyphs of the map repeat what the cell's colour and its label say, and stay out.
CONTRAST = """() => {
    const level = rgb => {
        const [r, g, b] = rgb.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const numbers = text => (text.match(/[\\d.]+/g) || []).map(Number);
    const faint = new Set();
    for (const element of document.querySelectorAll("body *")) {
        if (element.closest(".map td, .key i, noscript, script, svg, .vh, .skip")) continue;
        if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
        const colour = numbers(getComputedStyle(element).color);
        let under = element, paper = [0, 0, 0, 0];
        while (under && (paper.length > 3 && paper[3] === 0)) {
            paper = numbers(getComputedStyle(under).backgroundColor);
            under = under.parentElement;
        }
        const [a, b] = [level(colour.slice(0, 3)), level(paper.slice(0, 3))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) faint.add(element.tagName + "." + element.className + " " + ratio.toFixed(1));
    }
    return [...faint];
}"""


def write(folder: Path, rows: int, name: str) -> Path:
    files = {**render.assets(), **{path: page.encode() for path, page in pages(name, rows).items()}}
    files["procurement.js"] = render.rows_beside(procurement_page(name, rows).options).encode()
    files |= {path: script.encode() for path, script in scripts(name).items()}
    devices = [{"name": n, "group": n, "memory": "24 GiB"} for n in ("Device A", "Device B")]
    files["assets/devices.js"] = render.device_list(devices).encode()
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


class Watched:
    """A page that remembers every complaint and every request."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))
