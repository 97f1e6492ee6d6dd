"""Runs the tests with real software: installs what each part needs, runs its tests, and writes its report.

    python tests/real/run.py                   all parts
    python tests/real/run.py litellm mcp       these parts
    python tests/real/run.py --ci              the parts that `.ci/run` runs, without a report

Programs come from PyPI, npm and Debian. What cannot be installed is skipped, and the report says why.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from parts import PARTS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
REPORTS = HERE / "reports"
README = HERE / "README.md"
NAME = re.compile(r"[\w@./-]+?(?=\[|[<>=~! ]|(?<=.)@|$)")


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, **options)


class Installer:
    """Installs into `folder`: a Python environment for the tests, one for each tool, and the packages of npm."""

    def __init__(self, folder):
        self.folder = folder
        self.overrides = folder / "overrides.txt"
        folder.mkdir(parents=True, exist_ok=True)
        # uv may install any version of certifi: langchain-core 1.7.3 and later require one that not every mirror has
        # yet.
        self.overrides.write_text("certifi\n")

    def install_packages(self, name, *packages):
        """Install packages of PyPI into the environment `name`. Return its Python."""
        python = self.folder / name / "bin" / "python"
        if not python.exists():
            run("uv", "venv", "-q", "-p", sys.executable, str(self.folder / name))
        run("uv", "pip", "install", "-q", "-p", str(python), "--override", str(self.overrides), *packages, cwd=ROOT)
        return str(python)

    def install_part(self, part):
        for name, packages in part.tools.items():
            self.install_packages(name, *packages)
        if part.npm:
            options = ["--no-audit", "--no-fund", "--silent", "--prefix", str(self.folder / "npm")]
            run("npm", "install", *options, *part.npm)
        missing = [package for program, package in part.debian.items() if not _has_program(program)]
        if missing:
            run("apt-get", "install", "-y", "-qq", *missing, stdout=subprocess.DEVNULL)

    def read_versions(self, part, python):
        """Return the version of each package that `part` needs."""
        found = {}
        environments = {python: part.packages}
        environments |= {str(self.folder / name / "bin" / "python"): named for name, named in part.tools.items()}
        for place, packages in environments.items():
            listed = json.loads(run("uv", "pip", "list", "-p", place, "--format", "json", capture_output=True).stdout)
            versions = {one["name"]: one["version"] for one in listed}
            names = [NAME.match(package)[0] for package in packages]
            found |= {name: versions[name] for name in names if name in versions}
        for package in part.npm:
            name = package.rpartition("@")[0]
            found[name] = json.loads((self.folder / "npm/node_modules" / name / "package.json").read_text())["version"]
        for package in part.debian.values():
            shown = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
            found[package] = shown.stdout or "not from Debian"
        return found


def _has_program(name):
    return shutil.which(name) is not None or any(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))


def run_tests(python, part, folder):
    """Run the tests of a part. Return pytest's last line and whether they passed."""
    command = [python, "-m", "pytest", "-q", "-rsfE", "-m", "real", f"tests/real/test_{part.name}.py"]
    environment = {**os.environ, "REAL_SOFTWARE": str(folder)}
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE)
    print(done.stdout, flush=True)
    lines = done.stdout.strip().splitlines() or ["no output"]
    return re.sub(r" in [\d.]+s.*", "", lines[-1]).strip("= "), done.returncode == 0


def run_part(installer, part, python):
    """Install and run a part. Return its report."""
    report = {"part": part.name, "about": part.about, "date": datetime.now(tz=timezone.utc).date().isoformat()}
    began = time.monotonic()
    try:
        installer.install_part(part)
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        return {**report, "versions": {}, "seconds": 0, "result": f"not installed: {error}", "passed": False}
    installed = time.monotonic()
    result, passed = run_tests(python, part, installer.folder)
    ended = time.monotonic()
    print(
        f"== {part.name}: {result}; {installed - began:.0f} s to install, {ended - installed:.0f} s to run", flush=True
    )
    versions = installer.read_versions(part, python)
    return {**report, "versions": versions, "seconds": round(ended - installed), "result": result, "passed": passed}


def write_table():
    """Write the table of the last reports into the page for contributors."""
    lines = ["| part | what it exercises | software | result | seconds | run on |", "|---|---|---|---|---|---|"]
    order = [part.name for part in PARTS]
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in REPORTS.glob("*.json")]
    for one in sorted(reports, key=lambda report: order.index(report["part"])):
        software = ", ".join(f"{name} {version}" for name, version in one["versions"].items()) or "Python"
        cells = (f"`{one['part']}`", one["about"], software, one["result"], str(one["seconds"]), one["date"])
        lines.append(f"| {' | '.join(cells)} |")
    page = README.read_text(encoding="utf-8")
    before, _, rest = page.partition("<!-- reports -->\n")
    _, _, after = rest.partition("<!-- end -->")
    README.write_text(f"{before}<!-- reports -->\n" + "\n".join(lines) + f"\n<!-- end -->{after}", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(part.name for part in PARTS)}")
    parser.add_argument("--ci", action="store_true", help="the parts that .ci/run runs; no report is written")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "real", help="where to install")
    args = parser.parse_args()
    unknown = set(args.parts) - {part.name for part in PARTS}
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    chosen = [part for part in PARTS if (part.in_ci if args.ci else not args.parts or part.name in args.parts)]
    installer = Installer(args.folder.resolve())
    packages = sorted({package for part in chosen for package in part.packages})
    python = installer.install_packages("tests", "-e", ".", "--group", "test", *packages)
    reports = [run_part(installer, part, python) for part in chosen]
    if not args.ci:
        for report in reports:
            text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
            (REPORTS / f"{report['part']}.json").write_text(text, encoding="utf-8")
        write_table()
    failed = [report["part"] for report in reports if not report["passed"]]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
