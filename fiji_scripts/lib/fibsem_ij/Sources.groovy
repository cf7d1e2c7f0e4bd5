// Which file is meant: the one that was given, else that of the image in front, or of the ROIs that are there.
//
// An image that was changed, or has no file, is written to a temporary TIFF, slice by slice. A virtual stack is never pulled into memory:
// its own file or folder is used, or it is an error. Through WindowManager and not #@ ImagePlus, so that it works in plain SciJava too.

import ij.ImagePlus
import ij.VirtualStack
import ij.WindowManager
import ij.gui.Roi
import ij.io.FileSaver
import ij.io.Opener
import ij.io.RoiEncoder
import ij.measure.Calibration
import ij.plugin.FileInfoVirtualStack
import ij.plugin.frame.RoiManager
import java.awt.GraphicsEnvironment
import java.nio.file.Files
import java.nio.file.StandardCopyOption
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream

class Sources {
    /** Of a stack. */
    static File stack(File given) {
        if (given) return given
        def imp = WindowManager.currentImage
        Fibsem.check(imp, 'expected a stack, got no open image; open one, or give its file')
        def file = fileOf(imp)
        if (file && (imp.getStack().virtual || !(imp.changes || recalibrated(imp)))) return file
        Fibsem.check(!imp.getStack().virtual, "expected the file of $imp.title, a virtual stack, got none; give its file or folder")
        Fibsem.check(imp.type != ImagePlus.COLOR_RGB && imp.NChannels == 1 && imp.NFrames == 1,
                     "expected a grey stack of one channel and time, got $imp.title; use Image > Type, or Image > Color > Split Channels")
        written(imp)
    }

    /** Of a label image that is to be edited: its own file, which holds what is seen. */
    static File saved(File given) {
        if (given) return given
        def imp = WindowManager.currentImage
        Fibsem.check(imp, 'expected a label image, got no open image; open one, or give its file')
        def file = fileOf(imp)
        Fibsem.check(file && !imp.changes, "expected $imp.title as it is on disk, got one that is not; save it first, edits go to the file")
        file
    }

    /** Of a ROI set: else the ROIs of the manager, else of the overlay of the image in front. */
    static File rois(File given) {
        if (given) return given
        def manager = GraphicsEnvironment.headless ? null : RoiManager.instance2
        def rois = manager?.count ? manager.roisAsArray : WindowManager.currentImage?.overlay?.toArray()
        Fibsem.check(rois, 'expected ROIs, got none; draw some into the ROI manager, or give a ROI set (.zip)')
        zipped(rois as List, temporary('rois.zip'))
    }

    /** A ROI set of these. NB: RoiManager.save writes a .roi into a .zip where there is only one. */
    static File zipped(List<Roi> rois, File file) {
        def part = new File(file.parentFile, ".${file.name}.part")
        def names = new HashSet()
        new ZipOutputStream(part.newOutputStream()).withCloseable { zip ->
            rois.eachWithIndex { roi, n ->
                def name = (roi.name ?: 'roi').replaceAll('[/\\\\]', '_')
                zip.putNextEntry(new ZipEntry((names.add(name) ? name : "$n-$name") + '.roi'))
                zip.write(RoiEncoder.saveAsByteArray(roi))
            }
        }
        Files.move(part.toPath(), file.toPath(), StandardCopyOption.REPLACE_EXISTING)
        file
    }

    /** That the image was opened from, where it still holds a stack of its size; else null. */
    static File fileOf(ImagePlus imp) {
        def stack = imp.getStack()
        if (stack instanceof VirtualStack && !(stack instanceof FileInfoVirtualStack) && stack.directory) {
            def ending = stack.getFileName(1).replaceAll(/.*\./, '.')
            def names = new File(stack.directory).list()?.findAll { it.endsWith(ending) && !it.startsWith('.') }
            return names?.size() == stack.size() ? new File(stack.directory) : null
        }
        def info = imp.originalFileInfo
        if (!info?.directory || !(info?.fileName =~ /(?i)\.tiff?$/)) return null
        def file = new File(info.directory, info.fileName)
        def found = file.isFile() ? Opener.getTiffFileInfo(file.path) : null
        def slices = !found ? 0 : found.length > 1 ? found.length : Math.max(found[0].nImages, 1)
        slices == imp.stackSize && found[0].width == imp.width && found[0].height == imp.height ? file : null
    }

    /** Whether the voxel size was changed since the file was opened. */
    private static boolean recalibrated(ImagePlus imp) {
        def (info, now, then) = [imp.originalFileInfo, imp.calibration, new Calibration()]
        then.unit = info.unit
        def same = [[now.pixelWidth, info.pixelWidth], [now.pixelHeight, info.pixelHeight], [now.pixelDepth, info.pixelDepth]]
            .every { a, b -> Math.abs(a - b) <= 1e-6 * Math.abs(a) }
        now.unit != then.unit || !same
    }

    private static File written(ImagePlus imp) {
        def file = temporary(imp.title.replaceAll(/(?i)\.tiff?$/, '').replaceAll(/[^\p{L}\p{N}._-]+/, '_') + '.tif')
        // NB: FileSaver renames the image that it saves; this one shares its pixels.
        def same = new ImagePlus(imp.title, imp.getStack())
        same.calibration = imp.calibration
        def saver = new FileSaver(same)
        Fibsem.check(imp.stackSize > 1 ? saver.saveAsTiffStack(file.path) : saver.saveAsTiff(file.path),
                     "expected $file to be written, it was not; see ImageJ's log")
        file
    }

    private static File temporary(String name) {
        def file = new File(Files.createTempDirectory('fibsem_ij-').toFile(), name)
        [file.parentFile, file]*.deleteOnExit()
        file
    }
}
