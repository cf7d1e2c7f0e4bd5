// Align a stack: fibsem-ij register fit, then register apply.
#@ File (label="Stack", description="File or folder; left out, it is the image in front", style="both", required=false, persist=false) src
#@ File (label="Aligned stack", description="Left out, it lies beside the stack, named ...-aligned.tif", style="save", required=false, persist=false) out
#@ File (label="Transforms", description="One matrix a slice, .json. Left out, it lies beside the aligned stack", style="save", required=false, persist=false) transforms
#@ String (label="A slice may", description="What a slice may do", choices={"translation", "rigid", "similarity", "affine"}, value="affine", persistKey="fibsem.register.model") model
#@ String (label="Canvas", description="pad: nothing is lost; crop: what all slices share", choices={"same", "pad", "crop"}, value="same", persistKey="fibsem.register.canvas") canvas
#@ String (label="Fitted by", description="How a pair of slices is fitted", choices={"turboreg", "sift"}, value="turboreg", persistKey="fibsem.register.aligner") aligner
#@ Integer (label="Runs a pair", description="Stochastic runs; their median is the fit", min=1, value=25, persistKey="fibsem.register.runs") runs
#@ Boolean (label="Keep slow drift", description="It is the specimen's own", value=false, persistKey="fibsem.register.keep_trend") keep_trend
#@ String (label="Bad slices", description="Known to be bad, beside those that are found; from 0: 3,17", required=false, persistKey="fibsem.register.bad") bad
#@ String (label="Interpolation", description="Of the aligned stack", choices={"nearest", "linear", "cubic"}, value="linear", persistKey="fibsem.register.interpolation") interpolation
#@output String path

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

path = fibsem.job('register') { [src: fibsem.sources.stack(src)] }
