import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from fibsem_ij.arrays.slices import around, map_slices, middle, spread

SRC = np.random.default_rng(0).integers(0, 1000, (12, 5, 7)).astype(np.uint16)


def scaled(labels_slice, z):
    return labels_slice * 2 + z


def middle_of(slab, z):
    return np.median(slab, axis=0) + z


def fails_at_five(labels_slice, z):
    if z == 5:
        raise ValueError("expected light, got darkness")
    return labels_slice


def late_first(labels_slice, z):
    time.sleep(0.02 if z < 3 else 0)
    return labels_slice + z


def spawned():
    return ProcessPoolExecutor(2, mp_context=get_context("spawn"))


@pytest.mark.parametrize("pool", [None, lambda: ThreadPoolExecutor(3), spawned])
def test_the_result_does_not_depend_on_the_executor(pool):
    plain, median = np.zeros_like(SRC), np.zeros(SRC.shape)
    executor = pool() if pool else None
    map_slices(scaled, SRC, plain, executor=executor)
    map_slices(middle_of, SRC, median, executor=executor, neighbours=1)
    if executor:
        executor.shutdown()
    around = np.concatenate([SRC[:1], SRC, SRC[-1:]])
    np.testing.assert_array_equal(plain, SRC * 2 + np.arange(12, dtype=np.uint16)[:, None, None])
    np.testing.assert_array_equal(median, [np.median(around[z:z + 3], axis=0) + z for z in range(12)])


def test_slices_come_back_in_any_order_and_land_in_their_place():
    out, order = np.zeros_like(SRC), []
    with ThreadPoolExecutor(4) as pool:
        map_slices(late_first, SRC, out, executor=pool, finished=order.append)
    assert sorted(order) == list(range(12))
    np.testing.assert_array_equal(out, SRC + np.arange(12, dtype=np.uint16)[:, None, None])


def test_a_resumed_run_leaves_done_slices_alone_and_reports_all():
    out, steps, fresh = np.zeros_like(SRC), [], []
    map_slices(scaled, SRC, out, done=[0, 1, 4], finished=fresh.append, progress=lambda done, depth: steps.append((done, depth)))
    assert fresh == [2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert steps == [(n, 12) for n in range(4, 13)]
    assert not out[[0, 1, 4]].any()
    map_slices(scaled, SRC, out, done=range(12), finished=fresh.append)
    assert len(fresh) == 9


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_names_its_slice_and_earlier_slices_stay(workers):
    out, kept = np.zeros_like(SRC), []
    pool = ThreadPoolExecutor(workers) if workers else None
    with pytest.raises(ValueError, match="slice 5: expected light"):
        map_slices(fails_at_five, SRC, out, executor=pool, in_flight=2, finished=kept.append)
    if pool:
        pool.shutdown()
    assert set(kept) >= set(range(4))
    assert 5 not in kept
    np.testing.assert_array_equal(out[kept], SRC[kept])


def test_what_is_no_slice_is_called_by_its_name():
    with pytest.raises(ValueError, match=r"^chunk 5: expected light"):
        map_slices(fails_at_five, SRC, {}, unit="chunk")


def test_an_error_of_another_kind_keeps_its_kind():
    def stops(labels_slice, z):
        raise MemoryError("full")

    with pytest.raises(MemoryError) as caught:
        map_slices(stops, SRC, {})
    assert caught.value.__notes__ == ["in slice 0"]


class Counted:
    """A stack that counts how often each slice is read, and how many are read but not yet finished."""

    def __init__(self):
        self.reads, self.held, self.most = np.zeros(len(SRC), int), 0, 0
        self.lock = threading.Lock()

    shape, dtype = SRC.shape, SRC.dtype

    def __getitem__(self, z):
        with self.lock:
            self.reads[z] += 1
            self.held += 1
            self.most = max(self.most, self.held)
        return SRC[z]

    def finished(self, z):
        with self.lock:
            self.held -= 1


def test_slices_are_read_once_and_few_are_in_memory():
    src = Counted()
    with ThreadPoolExecutor(2) as pool:
        map_slices(scaled, src, {}, executor=pool, in_flight=3, finished=src.finished)
    assert (src.reads == 1).all()
    assert src.most <= 3
    src = Counted()
    map_slices(middle_of, src, {}, neighbours=2)
    assert (src.reads == 1).all()


def test_any_result_can_be_collected():
    means = {}
    map_slices(lambda labels_slice, z: float(labels_slice.mean()), SRC, means)
    assert means == {z: float(SRC[z].mean()) for z in range(12)}


def test_done_slices_must_exist():
    with pytest.raises(ValueError, match=r"0\.\.11"):
        map_slices(scaled, SRC, {}, done=[12])


def test_around_repeats_the_ends():
    assert around(0, 2, 5) == [0, 0, 0, 1, 2]
    assert around(3, 1, 5) == [2, 3, 4]


def test_spread_has_both_ends_and_no_slice_twice():
    assert spread(9, 3) == [0, 4, 8]
    assert spread(2, 5) == [0, 1]


def test_middle_is_a_window_about_the_centre():
    assert np.array_equal(middle(SRC, 3, 3), SRC[3, 1:4, 2:5])
    assert np.array_equal(middle(SRC, 3, 100), SRC[3])
