"""Seconds until the front and the page of a large study are there, and how the page answers.

python tests/benchmarks/page.py --trials 10000
"""

import argparse
import shutil
import tempfile
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from search.config.space import SpaceConfig
from search.jobs import Result
from search.networks.arch import Input
from search.report.study import study_page
from search.spaces.budget_table import tabulate
from search.spaces.stages import build as build_space
from search.study.study import Study, StudyInfo
from search.study.tables import read_front
from search.study.trials import pending

HIGH, EPOCHS = 200_000, 9
READINGS = 9
# Moves of the mouse across the chart, and what each took until the next frame was drawn.
HOVER = """async () => {
  const box = plot.host.getBoundingClientRect(), took = [];
  for (let at = 0; at < 60; at += 1) {
    const x = box.x + box.width * (0.2 + 0.01 * at), y = box.y + box.height * (0.3 + 0.005 * at);
    const began = performance.now();
    plot.host.querySelector("canvas").dispatchEvent(
      new MouseEvent("mousemove", { clientX: x, clientY: y, bubbles: true }));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    took.push(performance.now() - began);
  }
  return took;
}"""


def make(folder: Path, trials: int) -> None:
    """Record trials of networks spread over the space, with accuracies that grow with cost."""
    table = tabulate(build_space(SpaceConfig(), Input(8, 8, 1), 10), HIGH)
    rng = np.random.default_rng(0)
    low = table.cheapest()[0]
    data = {"name": "digits", "classes": [str(digit) for digit in range(10)], "shape": [8, 8, 1]}
    info = StudyInfo(low, HIGH, 0, HIGH, table.count(0, HIGH), True, 0.1, EPOCHS, data)
    with Study.open(folder, {"strategy": {"name": "random"}}, info) as study:
        # Writing durably is not what is measured.
        study._database._connection.execute("PRAGMA synchronous=OFF")
        for number in range(trials):
            top = low * (HIGH / low) ** rng.random()
            found = table.candidate(table.sample(rng, 1, 0, int(top) + 1)[0])
            noise = zlib.crc32(found.id.encode()) % 1000 / 4000
            accuracy = 0.4 + 0.1 * float(np.log10(found.multiplies)) - noise
            result = Result(accuracy, 1 - accuracy, 1.0)
            job = found.job(EPOCHS)
            study.add(replace(pending(number, job, number), result=result))


def browse(path: Path) -> None:
    """Open the page in Chromium, and print how long it takes and how it answers the mouse."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.perf_counter()
        page.goto(path.as_uri())
        page.wait_for_function("plot.instance !== null")
        print(f"open in the browser  {time.perf_counter() - began:.2f} s")
        took = sorted(page.evaluate(HOVER))
        print(
            f"pointing, to a frame {took[len(took) // 2]:.0f} ms median, {took[-1]:.0f} ms at most"
        )
        filtering = page.evaluate(
            "() => { const began = performance.now();"
            " document.querySelector('input[data-filter]').click();"
            " return performance.now() - began; }"
        )
        print(f"one filter           {filtering:.0f} ms")
        browser.close()


def main() -> None:
    """Make the study, and print the figures one a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "study"
        make(folder, arguments.trials)
        took = []
        for _ in range(READINGS):
            began = time.process_time()
            read_front(folder)
            took.append(time.process_time() - began)
        took.sort()
        print(f"front                {took[0]:.2f} s, median {took[READINGS // 2]:.2f} s")
        with Study.read(folder) as study:
            began = time.process_time()
            html = study_page(study)
            print(f"front.html           {time.process_time() - began:.2f} s")
        print(f"its size             {len(html) / 1e6:.2f} MB")
        (folder / "front.html").write_text(html)
        browse(folder / "front.html")


if __name__ == "__main__":
    main()
