// What a person points at in a label image: the points of the multi-point tool, else the ROIs selected in the manager, else the selection.

import ij.ImagePlus
import ij.WindowManager
import ij.gui.PointRoi
import ij.gui.Roi
import ij.plugin.frame.RoiManager
import java.awt.GraphicsEnvironment

class Picked {
    /** The slice in front, from 0. */
    static int slice() { (WindowManager.currentImage?.currentSlice ?: 1) - 1 }

    /** [z, y, x] of each point, from 0, in the order in which they were clicked. */
    static List<List<Integer>> points() {
        def roi = image().roi
        Fibsem.check(roi instanceof PointRoi, 'expected points, got none; click on the parts with the multi-point tool, or give seeds')
        def at = roi.floatPolygon
        (0..<at.npoints).collect { n -> [(roi.getPointPosition(n) ?: image().currentSlice) - 1, at.ypoints[n] as int, at.xpoints[n] as int] }
    }

    /** The objects under the points, or of which each ROI has most pixels; each once. */
    static List<Long> labels() {
        def imp = image()
        def found = imp.roi instanceof PointRoi ? points().collect { z, y, x -> imp.getStack().getProcessor(z + 1).getf(x, y) as long }
                                                : rois(imp).collect { most(imp, it) }
        Fibsem.check(found.any(), 'expected objects under the points or ROIs, got background; click on objects, or give numbers')
        found.findAll().unique()
    }

    private static ImagePlus image() {
        Fibsem.check(WindowManager.currentImage, 'expected the label image in front, got no open image; open it, or give numbers and seeds')
        WindowManager.currentImage
    }

    private static List<Roi> rois(ImagePlus imp) {
        def manager = GraphicsEnvironment.headless ? null : RoiManager.instance2
        def chosen = manager?.selectedIndexes ? manager.selectedRoisAsArray as List : imp.roi ? [imp.roi] : []
        Fibsem.check(chosen, 'expected points or ROIs, got no selection; click on objects with the multi-point tool, or give numbers')
        chosen
    }

    private static long most(ImagePlus imp, Roi roi) {
        def pixels = imp.getStack().getProcessor(roi.position ?: imp.currentSlice)
        def counts = roi.containedPoints.countBy { pixels.getf(it.x as int, it.y as int) as long }
        counts.remove(0L)
        counts.max { it.value }?.key ?: 0L
    }
}
