"""ROIs through ImageJ itself: label slice -> ROI bytes -> Overlay -> bytes -> label slice."""

from __future__ import annotations

import numpy as np
import pytest
import roifile

from fibsem_ij import fiji
from fibsem_ij.fiji import FijiError
from fibsem_ij.files import rois as roi_files
from fibsem_ij.volume import Labels

pytestmark = pytest.mark.timeout(120)


def labels() -> Labels:
    """Holes, an island in a hole, one-pixel objects, diagonal neighbours, touching objects, objects at the edge."""
    a = np.zeros((2, 24, 30), np.uint32)
    a[0, 2:12, 2:12] = 1
    a[0, 4:10, 4:10] = 0
    a[0, 6:8, 6:8] = 2
    a[0, 0, 0] = 3
    a[0, 13, 13] = a[0, 14, 14] = 4
    a[0, 2:12, 12:20] = 5
    a[0, 20:, 25:] = 70_000
    a[1, 3:20, 3:28] = np.random.default_rng(0).integers(0, 6, (17, 25))
    return Labels(a)


def test_labels_survive_an_overlay(session: fiji.Session) -> None:
    truth = labels()
    sent = [(roi.name, roi.tobytes()) for roi in roi_files.to_rois(truth)]
    back = session.from_overlay(session.to_overlay(sent))
    assert [name for name, _ in back] == [name for name, _ in sent]
    again = roi_files.from_rois([roifile.ImagejRoi.frombytes(content) for _, content in back], shape=truth.shape)
    assert np.array_equal(again, truth)


def test_roi_attributes_survive(session: fiji.Session) -> None:
    roi = roifile.ImagejRoi.frompoints([[1, 1], [5, 1], [5, 4]], name="inner", position=3)
    roi.roitype = roifile.ROI_TYPE.POLYGON
    ((name, content),) = session.from_overlay(session.to_overlay([("", roi.tobytes())]))
    again = roifile.ImagejRoi.frombytes(content)
    assert name == "inner"
    assert again.position == roifile.ImagejRoi.frombytes(roi.tobytes()).position > 0
    assert again.roitype == roifile.ROI_TYPE.POLYGON
    assert np.array_equal(again.coordinates(), roi.coordinates())


def test_bytes_that_are_no_roi(session: fiji.Session) -> None:
    good = roifile.ImagejRoi.frompoints([[1, 1], [5, 1], [5, 4]]).tobytes()
    for content in (b"", b"x", b"not a ROI" * 20, good[:20]):
        with pytest.raises(FijiError, match="'bad'"):
            session.to_overlay([("bad", content)])
