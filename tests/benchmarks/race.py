"""The whole job, from typing the command to a front: ours beside what a user would otherwise pick.

    python tests/benchmarks/race.py FOLDER --job digits
    python tests/benchmarks/race.py FOLDER --job fashion data.dir=TFDS_FOLDER
    python tests/benchmarks/race.py FOLDER --smoke

Each search runs alone, in an order shuffled by `--order`, for the job's seconds of wall time with
each of `--seeds` seeds. Its result is a file in FOLDER/runs as soon as it is there, each judged
network one in FOLDER/judged: the same command goes on where it was. FOLDER then holds `race.json`,
`race.md` and `race.png`. `--report` writes those from what is there.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import race_figure
import race_judge
import race_ours
import race_runs
import race_searches
from peers import installed
from race_runs import JOBS, Job, Run

from search.cli.hydra import compose
from search.files import write

_HERE = Path(__file__).parent
# Networks that are trained to find how many workers serve PyTorch best.
_TRIED = 12


def settings(folder: Path, job: Job) -> None:
    """Refuse to mix two races in a folder."""
    path, told = folder / "job.json", json.dumps(asdict(job), indent=1)
    if path.exists() and path.read_text() != told:
        raise SystemExit(f"{folder} holds another race: {path.read_text()}; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    write(path, told)


def process(script: str, file: Path, *words: str) -> None:
    """Run a search in a process of its own; raises `CalledProcessError` where it fails."""
    subprocess.run([sys.executable, str(_HERE / script), str(file), *words], check=True)


def best_workers(folder: Path, job: Job) -> int:
    """Return how many workers train most networks an hour: one with all cores, or one a core."""
    path = folder / "workers.json"
    if not path.exists():
        rates = {}
        for workers in (1, 2):
            file = folder / "workers" / f"{workers}.json"
            if not file.exists():
                print(f"measuring {workers} workers", flush=True)
                words = ["--search", "random", "--workers", str(workers), "--most", str(_TRIED)]
                process("race_searches.py", file, *words, "--limit", "1e9", *job.overrides)
            run = race_runs.load(file)
            # Without the first of each worker, whose process has to start and open the data.
            seconds = run.evaluated[-1].seconds - run.evaluated[workers - 1].seconds
            rates[workers] = 3600 * (len(run.evaluated) - workers) / seconds
        write(path, json.dumps({"networks_per_hour": rates}))
    rates = json.loads(path.read_text())["networks_per_hour"]
    return int(max(rates, key=rates.__getitem__))


def play(folder: Path, job: Job, search: str, seed: int, workers: int) -> Run | None:
    """Return the run of a search, from its file where it is there; None where it failed."""
    file = folder / "runs" / f"{search}-seed{seed}.json"
    if not file.exists():
        print(f"{time.strftime('%H:%M:%S')} {search}, seed {seed}", flush=True)
        words = ["--search", search, "--seed", str(seed), "--limit", str(job.limit)]
        script = "race_searches.py"
        if search in race_ours.SEARCHES:
            script = "race_ours.py"
            words += ["--programs", str(folder / "programs")]
        else:
            words += ["--workers", str(workers), "--began", repr(time.time())]
        try:
            process(script, file, *words, *job.overrides)
        except subprocess.CalledProcessError as error:
            # The hours of the others are not lost; the same command tries again.
            print(f"{search}, seed {seed} failed: {error}", flush=True)
            return None
    return race_runs.load(file)


def report(folder: Path, job: Job, runs: list[Run], seeds: int) -> None:
    """Write and print what the runs and the judged networks say."""
    accuracies = race_judge.judged(folder / "judged", seeds)
    found = race_judge.measure(runs, job.levels, accuracies)
    summary = race_judge.summarised(found, job.levels, job.limit)
    machine = runs[-1].machine if runs else {}
    write(folder / "race.json", json.dumps({**summary, "machine": machine}, indent=1))
    text = race_figure.table(summary)
    write(folder / "race.md", text)
    title = f"{job.name}, {job.limit:g} s of wall time"
    race_figure.draw(summary, title, folder / "race.png")
    print(text)


def playing(names: list[str]) -> list[str]:
    """Return the searches that can run here; says of the others why they cannot."""
    found = []
    for name in names:
        said = installed(name.partition("-")[0])
        if name.endswith("-warm") and not race_ours.KEEPS_PROGRAMS:
            said = f"{name} is left out: this version keeps no compiled programs across runs"
        if said:
            print(said)
        else:
            found.append(name)
    return found


def main() -> None:
    every = [*race_ours.SEARCHES, *race_searches.SEARCHES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("override", nargs="*", default=[], help="further overrides of the command")
    parser.add_argument("--job", choices=JOBS, default="digits")
    parser.add_argument("--searches", nargs="+", choices=every, default=every)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--limit", type=float, help="seconds of each search, instead of the job's")
    parser.add_argument("--workers", type=int, default=0, help="of PyTorch; 0 measures which")
    parser.add_argument("--judges", type=int, default=3, help="fresh seeds of each judged network")
    parser.add_argument("--order", type=int, default=0, help="seed of the order")
    parser.add_argument("--report", action="store_true", help="of what is there; runs nothing")
    parser.add_argument("--smoke", action="store_true", help="two seeds of 60 s, short trainings")
    given = parser.parse_intermixed_args()
    job = JOBS[given.job]
    job = replace(job, overrides=(*job.overrides, *given.override), limit=given.limit or job.limit)
    if given.smoke:
        job = replace(job, overrides=(*job.overrides, "epochs=1"), limit=given.limit or 60.0)
        given.seeds, given.judges, given.workers = 2, 1, given.workers or 1
    settings(given.folder, job)
    races = [(search, seed) for search in playing(given.searches) for seed in range(given.seeds)]
    random.Random(given.order).shuffle(races)
    kept = given.folder / "runs"
    if given.report:
        races = [(s, k) for s, k in races if (kept / f"{s}-seed{k}.json").exists()]
    else:
        workers = given.workers or best_workers(given.folder, job)
    played = [play(given.folder, job, s, k, 1 if given.report else workers) for s, k in races]
    runs = [run for run in played if run is not None]
    networks = race_judge.wanted(runs, job.limit)
    if not given.report:
        config = compose(list(job.overrides))
        race_judge.judge(networks, config, given.judges, given.folder / "judged")
    done = race_judge.judged(given.folder / "judged", given.judges)
    whole = [run for run in runs if set(race_judge.wanted([run], job.limit)) <= set(done)]
    report(given.folder, job, whole, given.judges)


if __name__ == "__main__":
    main()
