// Copy out the slices that are worth drawing: fibsem-ij segment choose. Draw on the copies, then FIBSEM ROI set to labels.
#@ File (label="Stack", description="File or folder; left out, it is the image in front", style="both", required=false, persist=false) src
#@ Integer (label="Slices", description="7 at least, 50 is much", min=1, value=10, persistKey="fibsem.draw.count") count
#@ String (label="Chosen", description="Evenly through z, or those that differ most", choices={"even", "diverse"}, value="even", persistKey="fibsem.draw.how") how
#@ File (label="Copies", description="New folder for them, each under its name. Left out, it lies beside the stack, named ...-to_draw", style="save", required=false, persist=false) copies
#@output String path

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

path = fibsem.job('draw') { [src: fibsem.sources.stack(src)] }
