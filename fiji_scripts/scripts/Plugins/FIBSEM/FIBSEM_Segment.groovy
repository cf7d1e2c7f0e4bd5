// Classes in every slice, or in the one in front: fibsem-ij segment apply.
#@ File (label="Stack", description="File or folder; left out, it is the image in front", style="both", required=false, persist=false) src
#@ File (label="Network", description="Folder that FIBSEM Train wrote", style="directory", persist=false) net
#@ File (label="Classes", description="Left out, it lies beside the stack, named ...-classes.tif", style="save", required=false, persist=false) out
#@ Boolean (label="The slice in front alone", description="To look at it in a moment", value=false, persistKey="fibsem.segment.here") here
#@ String (label="Slices", description="These alone, from 0: 5,9", required=false, persistKey="fibsem.segment.slices") slices
#@ File (label="Probabilities", description="Keep them too: a .zarr with a channel for each class", style="save", required=false, persist=false) probabilities
#@ String (label="By", description="auto: as the network is; argmax: the likeliest; threshold: the likeliest over it; priority: the first over it", choices={"auto", "argmax", "threshold", "priority"}, value="auto", persistKey="fibsem.segment.how") how
#@ Double (label="Threshold", description="Probability a class needs", min=0.001, max=1, value=0.5, persistKey="fibsem.segment.threshold") threshold
#@ String (label="Mirrored tiles too", description="true: a little better in four times the time; left out, as the network's preset", required=false, persistKey="fibsem.segment.flips") flips
#@output String path

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

def z = ij.WindowManager.currentImage?.currentSlice ?: 1
path = fibsem.job('segment') { [src: fibsem.sources.stack(src), here: null, slices: here ? z - 1 : slices] }
