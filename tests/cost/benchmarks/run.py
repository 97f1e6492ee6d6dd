"""The benchmark: `python tests/cost/benchmarks/run.py`. `--quick` takes some minutes, `--write` updates the docs.

It measures the CPU time of the client; the server is another process. Peers that are not installed are skipped.
"""

import argparse
import time
import warnings

import server
from cases import build_cases
from measure import measure_case, measure_cold, measure_imports, measure_memory
from peers import installed
from report import Report, write_page


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller cases, fewer rounds, without the slowest peers")
    parser.add_argument("--write", action="store_true", help="write the results into docs/reference/performance.md")
    parser.add_argument("--only", default="", help="only cases whose group or name holds this")
    parser.add_argument("--peers", default="", help="only these, by class name, comma between; always add Ours")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    chosen = options.peers.split(",") if options.peers else None
    unknown = set(chosen or ()) - {peer.__name__ for peer in installed()}
    if unknown:
        parser.error(f"no such peer, or not installed: {', '.join(sorted(unknown))}")
    peers = [
        peer for peer in installed() if (peer.__name__ in chosen if chosen else not (options.quick and peer.is_slow))
    ]
    report, begin = Report(peers), time.monotonic()
    with server.start() as url:
        _measure(report, peers, url, options)
    text = report.text((time.monotonic() - begin) / 60, quick=options.quick)
    print(f"\n{text}")
    if options.write:
        write_page(text)


def _measure(report, peers, url, options):
    whole = [peer for peer in peers if peer.verbs is None]
    _measure_processes(report, whole, url, only=options.only, quick=options.quick)
    seconds, least = (0.5, 3) if options.quick else (4, 3)
    for case in build_cases(quick=options.quick):
        if options.only in f"{case.group} {case.name}":
            samples = measure_case(case, peers, url, seconds=seconds, least=least)
            report.add(case.group, case.name, samples, case.unit)


def _measure_processes(report, peers, url, *, only, quick):
    """Measure child processes first, while this process is small: their cost depends on the size of the parent."""
    rounds = 2 if quick else 4
    if any(
        only in row for row in ("A process, s of CPU import", "Import, modules", "Memory, MB after import, resident")
    ):
        seconds, sizes, modules = measure_imports(peers, rounds=rounds)
        report.add("A process, s of CPU", "import", seconds, 1)
        report.add("Import, modules", "in `sys.modules`", modules, 1)
        report.add("Memory, MB", "after import, resident", sizes, 1)
    if only in "A process, s of CPU first answer":
        report.add("A process, s of CPU", "first answer", measure_cold(peers, url, rounds=rounds), 1)
    chunks = 2_000 if quick else 20_000
    name = f"peak of a stream of {chunks:,} chunks not kept"
    if only in f"Memory, MB {name}":
        report.add("Memory, MB", name, measure_memory(peers, url, chunks=chunks), 1)


if __name__ == "__main__":
    main()
