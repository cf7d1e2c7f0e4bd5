// Take the noise out: fibsem-ij denoise fit, then denoise apply. A network that is there already is applied, not trained.
#@ File (label="Noisy stack", description="File or folder; left out, it is the image in front", style="both", required=false, persist=false) noisy
#@ File (label="Clean stack", description="Left out, it lies beside the stack, named ...-clean.tif", style="save", required=false, persist=false) out
#@ File (label="Network", description="Folder: a network that is there is applied; else one is trained into it. Left out, it lies beside the stack", style="save", required=false, persist=false) net
#@ File (label="Truth", description="A stack without noise of the same slices, if there is one", style="both", required=false, persist=false) clean
#@ Double (label="Minutes of training", description="The longer the better, up to an hour", min=0.01, value=10.0, persistKey="fibsem.denoise.minutes") minutes
#@ Integer (label="Neighbours", description="Slices to each side that the network sees too; 1 or 2 for an aligned stack", min=0, value=0, persistKey="fibsem.denoise.neighbours") neighbours
#@ String (label="Method", description="Left out: supervised where there is truth, else blindspot", required=false, persistKey="fibsem.denoise.method") method
#@ String (label="Updates", description="Or train for so many updates, whichever comes first", required=false, persistKey="fibsem.denoise.updates") updates
#@ File (label="What was taken away", description="Stack to write; it should look like noise", style="save", required=false, persist=false) residual
#@output String path

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

path = fibsem.job('denoise') { [noisy: fibsem.sources.stack(noisy)] }
