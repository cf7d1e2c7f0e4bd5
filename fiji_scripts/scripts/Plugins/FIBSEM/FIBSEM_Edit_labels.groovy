// Correct a label image by hand: fibsem-ij labels edit. Click on objects with the multi-point tool, or select ROIs; each edit is logged.
#@ File (label="Labels", description="A label image on disk; left out, it is the image in front", style="both", required=false, persist=false) labels
#@ String (label="Edit", description="merge: into the first; split: a point in each part; reassign: another number in some slices; renumber: 1, 2, ...", choices={"merge", "split", "delete", "reassign", "renumber", "undo"}, value="merge", persistKey="fibsem.edit.edit") edit
#@ String (label="Numbers", description="Of objects: 3 7; left out, those under the points or selected ROIs, the first first", required=false, persist=false) numbers
#@ String (label="Points", description="For split, z,y,x from 0: 10,40,40 10,80,90; left out, the points of the selection", required=false, persist=false) seeds
#@ String (label="To", description="For reassign: the number it gets", required=false, persist=false) to
#@ String (label="First slice", description="For reassign, from 0; left out, the slice in front", required=false, persist=false) first
#@ String (label="Last slice", description="For reassign, from 0, included; left out, the slice in front", required=false, persist=false) last
#@output String path

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

path = fibsem.job(edit) {
    def file = fibsem.sources.saved(labels)
    def ids = (edit in ['undo', 'renumber'] ? [] : numbers ? numbers.trim().split(/[ ,]+/) as List : fibsem.picked.labels()).collect { it as String }
    def z = fibsem.picked.slice() as String
    def keys = [merge: [keep: ids[0], gone: ids.drop(1).join(' ')], delete: [numbers: ids.join(' ')], undo: [:], renumber: [:],
                split: [number: ids[0], seeds: edit == 'split' ? seeds ?: fibsem.picked.points().collect { it.join(',') }.join(' ') : null],
                reassign: [number: ids[0], to: to, first: first ?: z, last: last ?: z]]
    [edit: null, numbers: null, seeds: null, to: null, first: null, last: null] + keys[edit] + [labels: file]
}
