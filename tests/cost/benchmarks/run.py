"""The benchmark: `python tests/cost/benchmarks/run.py`. `--quick` takes at most six minutes, `--write` updates the docs.

It measures the CPU time of the client; the server is another process. Peers that are not installed are skipped. A peer
or a case that fails is reported, and the others are measured.
"""

import argparse
import os
import time
import warnings

import server
from cases import build_cases
from measure import measure_case, measure_cold, measure_imports, measure_memory
from peers import installed
from report import Report
from targets import MEMORY, MODULES, PROCESS

#: The settings of a quick and of a full run: time limit in minutes, seconds per case, and minimum rounds per case.
_QUICK, _FULL = (6, 0.4, 3), (45, 4, 5)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller cases, fewer rounds, without the slowest peers")
    parser.add_argument("--write", action="store_true", help="write the results into the docs, and the plots")
    parser.add_argument("--json", default="", help="write medians and ratios into this file")
    parser.add_argument("--against", default="", help="compare the ratios with those of a file from --json")
    parser.add_argument("--only", default="", help="only cases whose group or name holds this")
    parser.add_argument("--peers", default="", help="only these, by class name, comma between; always add Ours")
    parser.add_argument("--minutes", type=float, default=0, help="most minutes of the whole run")
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
    limit = options.minutes or (_QUICK if options.quick else _FULL)[0]
    with server.start() as running:
        # This variable makes the clients trust the certificate of the server.
        os.environ["SSL_CERT_FILE"] = running.authority
        _measure(report, peers, running, options, end=begin + limit * 60)
    minutes = (time.monotonic() - begin) / 60
    print(f"\n{report.tables(minutes, quick=options.quick)}\n{report.targets(minutes, quick=options.quick)}")
    if options.against:
        print(report.compare(options.against))
    if options.json:
        report.write_json(options.json)
    if options.write:
        report.write_pages(minutes, quick=options.quick)


def _measure(report, peers, running, options, *, end):
    # Measurements that need new processes (imports, first answers, memory) may take at most half of the remaining time.
    half = (time.monotonic() + end) / 2
    _measure_processes(report, peers, running.url, half, only=options.only, quick=options.quick)
    _, seconds, least = _QUICK if options.quick else _FULL
    cases = [case for case in build_cases(quick=options.quick) if options.only in f"{case.group} {case.name}"]
    for number, case in enumerate(cases):
        left = end - time.monotonic()
        if left <= 0:
            report.skip(case.group, case.name, "the time was up")
            continue
        # A case may take up to four times as long as an equal share of the remaining time.
        share = 4 * left / (len(cases) - number)
        samples = measure_case(case, peers, running, seconds=seconds, least=least, most=share)
        report.add(case.group, case.name, samples, case.unit)


def _measure_processes(report, peers, url, end, *, only, quick):
    rounds = 2 if quick else 4
    if any(only in f"{group} import" for group in (PROCESS, MODULES, MEMORY)):
        imported = [peer for peer in peers if peer.verbs is None or "import" in peer.verbs]
        seconds, sizes, modules = measure_imports(imported, rounds=rounds, end=end)
        report.add(PROCESS, "import", seconds, 1)
        report.add(MODULES, "in `sys.modules`", modules, 1)
        report.add(MEMORY, "after import, resident", sizes, 1)
    if any(only in f"{group} first answer" for group in (PROCESS, MEMORY)):
        called = [peer for peer in peers if peer.verbs is None or "cold" in peer.verbs]
        seconds, sizes = measure_cold(called, url, rounds=rounds, end=end)
        report.add(PROCESS, "first answer", seconds, 1)
        report.add(MEMORY, "after the first answer, resident", sizes, 1)
    chunks = 2_000 if quick else 20_000
    name = f"peak of a stream of {chunks:,} chunks not kept"
    if only in f"{MEMORY} {name}":
        streamed = [peer for peer in peers if peer.verbs is None or "memory" in peer.verbs]
        report.add(MEMORY, name, measure_memory(streamed, url, chunks=chunks, end=end), 1)


if __name__ == "__main__":
    main()
