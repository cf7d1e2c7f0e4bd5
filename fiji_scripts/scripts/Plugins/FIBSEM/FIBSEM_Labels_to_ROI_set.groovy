// Write one ROI for each object and slice, into the ROI manager: fibsem-ij labels to-rois.
#@ File (label="Labels", description="File or folder; left out, it is the image in front", style="both", required=false, persist=false) labels
#@ File (label="ROI set", description="A .zip to write. Left out, it lies beside the stack, named ...-rois.zip", style="save", required=false, persist=false) rois
#@output String path

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

path = fibsem.job('to-rois') { [labels: fibsem.sources.stack(labels)] }
