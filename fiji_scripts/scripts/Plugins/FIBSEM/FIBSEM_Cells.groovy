// Follow drawn cells through the stack: fibsem-ij objects cells.
#@ File (label="Interior", description="Probabilities of interior and boundary (.zarr), of interior, or a mask. File or folder; left out, it is the image in front", style="both", required=false, persist=false) src
#@ File (label="Drawn cells", description="Folder of label slices, label stack with empty slices, or ROI set", style="both", persist=false) drawn
#@ File (label="Boundary", description="Probability of cell boundary, if it is a stack of its own", style="both", required=false, persist=false) boundary
#@ File (label="Cells", description="Left out, it lies beside the stack, named ...-cells.tif", style="save", required=false, persist=false) out
#@ String (label="Cut", description="How carried outlines cut the mask", choices={"frame", "selective", "everywhere"}, value="frame", persistKey="fibsem.cells.way") way
#@output String path

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

path = fibsem.job('cells') { [src: fibsem.sources.stack(src)] }
