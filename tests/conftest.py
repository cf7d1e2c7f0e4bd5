"""What tests everywhere need: one thread each, and to know whether this machine draws.

Test processes with a pool of torch threads apiece wait for each other more than they compute. One thread also makes trainings
repeatable to the bit, which they are for a given number of threads.
"""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # NB: read once, when torch and NumPy are imported


@pytest.fixture(scope="session")
def drawing() -> None:
    """Where VTK finds no driver that draws: a skip, but a failure under CI=true."""
    from fibsem_ij.render.objects import check_vtk

    try:
        check_vtk()
    except OSError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
