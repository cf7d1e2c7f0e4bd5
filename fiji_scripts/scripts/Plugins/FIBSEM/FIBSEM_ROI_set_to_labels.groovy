// Draw a ROI set as a label image: fibsem-ij labels from-rois.
#@ File (label="ROI set", description="A .zip. Left out, it is the ROI manager's, or the overlay of the image in front", style="open", required=false, persist=false) rois
#@ File (label="Stack", description="That the ROIs lie on: lends shape, voxel size and slice names. File or folder; left out, it is the image in front", style="both", required=false, persist=false) like
#@ File (label="Labels", description="A .tif, or a folder of label slices, as FIBSEM Train takes them. Left out, it lies beside the stack, named ...-labels.tif", style="save", required=false, persist=false) out
#@output String path

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

path = fibsem.job('from-rois') { [rois: fibsem.sources.rois(rois), like: fibsem.sources.stack(like)] }
