// The slices that are worth a look: a queue, a stack of them to correct, the corrections taken back. fibsem-ij review.
#@ File (label="Workspace", description="The folder of raw.zarr, labels.zarr and so on", style="directory", persist=false) workspace
#@ String (label="Step", description="queue: which slices; open: a stack of them; collect: save what was corrected, and take it back", choices={"queue", "open", "collect"}, value="open", persistKey="fibsem.review.step") step
#@ Integer (label="Slices", description="Of step open: the first so many of the queue", value=20, min=1, persistKey="fibsem.review.slices") slices
#@ Integer (label="Beside each", description="Of step open: slices for context", value=1, min=0, persistKey="fibsem.review.context") context
#@output String path

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

path = fibsem.job('review-' + step) {
    if (step == 'collect') fibsem.results.save(new File(workspace, 'review'))
    [step: null] + (step == 'open' ? [:] : [slices: null, context: null])
}
