// How the results of a job open: an image or label image with its colours and calibration, a ROI set in the manager, a table.

import ij.IJ
import ij.ImagePlus
import ij.WindowManager
import ij.io.FileSaver
import ij.measure.ResultsTable
import ij.plugin.FolderOpener
import ij.plugin.frame.RoiManager
import java.awt.GraphicsEnvironment

class Results {
    static void show(String kind, File file) {
        if (kind == 'rois') rois(file)
        else if (file.name ==~ /(?i).*\.csv/) table(file)
        else if (file.directory && !file.name.endsWith('.zarr')) shown(FolderOpener.open(file.path, 'virtual'), file)
        else if (file.name ==~ /(?i).*\.tiff?/) stack(file)
        else IJ.log("$file is written, but nothing that ImageJ itself opens; docs/fiji.md tells what does")
    }

    /** What is larger than a third of the memory stays in its file. An image of the same file that is open already shows the new pixels. */
    private static void stack(File file) {
        def virtual = file.length() > Runtime.runtime.maxMemory().intdiv(3)
        def imp = virtual ? IJ.openVirtual(file.path) : IJ.openImage(file.path)
        def open = (WindowManager.IDList ?: []).collect { WindowManager.getImage(it) }
            .find { !it.getStack().virtual && Sources.fileOf(it)?.canonicalPath == file.canonicalPath }
        if (virtual || !imp || !open || open.bitDepth != imp.bitDepth) {
            shown(imp, file)
        } else {
            def z = open.currentSlice
            open.setStack(imp.getStack())
            open.setSlice(z)
            open.setDisplayRange(imp.displayRangeMin, imp.displayRangeMax)
            open.changes = false
            open.updateAndDraw()
        }
    }

    /** Saves what was corrected in a review that is open: its images, and the ROI manager as its ROI set. */
    static void save(File review) {
        def open = (WindowManager.IDList ?: []).collect { WindowManager.getImage(it) }
            .findAll { Sources.fileOf(it)?.parentFile?.canonicalPath == review.canonicalPath }
        open.findAll { it.changes && !it.getStack().virtual }.each { imp ->
            def file = Sources.fileOf(imp)
            Fibsem.check(new FileSaver(imp).saveAsTiffStack(file.path), "expected $file to be written, it was not; see ImageJ's log")
        }
        def manager = GraphicsEnvironment.headless ? null : RoiManager.instance2
        if (open && manager?.count) Sources.zipped(manager.roisAsArray as List, new File(review, 'rois.zip'))
    }

    private static void shown(ImagePlus imp, File file) {
        Fibsem.check(imp, "expected $file to open, ImageJ could not; see its log")
        imp.show()
    }

    private static void rois(File file) {
        if (GraphicsEnvironment.headless) return  // ImageJ has no manager then
        def manager = RoiManager.instance2 ?: new RoiManager()
        manager.runCommand('Open', file.path)
        if (WindowManager.currentImage) manager.runCommand(WindowManager.currentImage, 'Show All')
    }

    /** In Results, where nothing else is in it; else under its own name. */
    private static void table(File file) {
        def taken = ResultsTable.resultsTable.size() > 0
        def table = ResultsTable.open(file.path)
        table.show(taken ? file.name : 'Results')
    }
}
