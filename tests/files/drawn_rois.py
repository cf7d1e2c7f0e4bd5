"""ROIs as people draw them, for the tests."""

import numpy as np
from roifile import ROI_TYPE, ImagejRoi

from fibsem_ij.files import rois as door


def roi(kind=ROI_TYPE.POLYGON, points=((0, 0), (3, 0), (3, 2), (0, 2)), **more):
    made = ImagejRoi.frompoints(points, name=more.pop("name", "a"), position=more.pop("z", None))
    made.roitype = kind
    for key, value in more.items():
        setattr(made, key, value)
    return made


def covered(*rois, shape=(1, 8, 8)):
    return np.asarray(door.from_rois(rois, shape=shape))[0]
