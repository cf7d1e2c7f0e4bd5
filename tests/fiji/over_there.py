"""Functions that test_apart.py has called in the process that has the JVM."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fibsem_ij.fiji import Session
from fibsem_ij.volume import Volume

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import java_trials as trials


def value(_: Session, given: Any) -> Any:
    return given


def inverted(session: Session, volume: Volume) -> Volume | None:
    return session.command("Invert", volume)


def printed(_: Session) -> str:
    """What is read from stdin, after words to stdout that must not get among the answers."""
    trials.java("java.lang.System").out.println("not for the pipe")
    print("nor this", flush=True)
    return sys.stdin.read()


def refused(_: Session) -> None:
    raise ValueError("expected this, got that; do so")


def of_java(_: Session) -> None:
    trials.java("java.lang.Integer").parseInt("x")


def java_object(_: Session) -> Any:
    return trials.java("java.util.ArrayList")()


def faulty(session: Session, kind: str, marker: Path | None = None) -> str:
    """At work on the fault; with a marker, the first time alone."""
    if marker and marker.exists():
        return "after all"
    if marker:
        marker.touch()
    session.job(lambda: trials.FAULTS[kind](), name=kind)
    return "no fault"
