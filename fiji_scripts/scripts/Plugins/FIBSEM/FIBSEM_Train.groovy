// Train a network on drawn slices: fibsem-ij segment fit.
#@ File (label="Stack", description="File or folder; left out, it is the image in front", style="both", required=false, persist=false) src
#@ File (label="Drawn", description="Folder of label slices, label stack, or ROI set", style="both", persist=false) drawn
#@ File (label="Network", description="Folder to write. Left out, it lies beside the stack, named ...-network", style="save", required=false, persist=false) net
#@ String (label="Preset", description="cells: inside and boundary of drawn objects", choices={"quick", "organelles", "sparse", "nuclei", "cells"}, value="quick", persistKey="fibsem.train.preset") preset
#@ String (label="Minutes", description="Training time of each network; left out, the preset's", required=false, persistKey="fibsem.train.minutes") minutes
#@ String (label="Updates", description="Or train for so many updates, whichever comes first", required=false, persistKey="fibsem.train.updates") updates
#@ String (label="Neighbours", description="Slices to each side that the network sees too", required=false, persistKey="fibsem.train.neighbours") neighbours
#@ Boolean (label="A network a class", description="One of its own for each class", value=false, persistKey="fibsem.train.per_class") per_class
#@output String path

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

path = fibsem.job('train') { [src: fibsem.sources.stack(src)] }
