"""How long `fibsem-ij --help` takes, beside `import numpy`, each as a whole process, in turn.

    python benchmarks/startup.py [--small]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import numpy": ["-c", "import numpy"],
    "fibsem-ij --help": ["-m", "fibsem_ij", "--help"],
    "import fibsem_ij": ["-c", "import fibsem_ij"],
}


def seconds(argv: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="5 rounds instead of 21")
    rounds = 5 if parser.parse_args().small else 21
    taken = {name: [] for name in COMMANDS}
    for _ in range(rounds + 1):  # the first round warms the disk cache
        for name, argv in COMMANDS.items():
            taken[name].append(seconds(argv))
    median = {name: statistics.median(times[1:]) for name, times in taken.items()}
    ratio = median["fibsem-ij --help"] / median["import numpy"]
    print(f"{'what':28s} {'asked':>8s} {'measured':>10s}")
    for name, value in median.items():
        print(f"{name:28s} {'':>8s} {1000 * value:7.0f} ms")
    print(f"{'--help / import numpy':28s} {'< 2':>8s} {ratio:10.2f}")


if __name__ == "__main__":
    main()
