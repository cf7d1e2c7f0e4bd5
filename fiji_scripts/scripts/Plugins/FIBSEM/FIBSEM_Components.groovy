// Number the pieces that hang together: fibsem-ij objects components.
#@ File (label="Stack", description="File or folder; left out, it is the image in front", style="both", required=false, persist=false) src
#@ File (label="Labels", description="Left out, it lies beside the stack, named ...-labels.tif", style="save", required=false, persist=false) out
#@ String (label="Preset", description="chromosomes: 26, delta 10, the 12 largest", choices={"none", "chromosomes"}, value="none", persistKey="fibsem.components.preset") preset
#@ String (label="Threshold", description="Grey value or probability from which a voxel counts", required=false, persistKey="fibsem.components.threshold") threshold
#@ String (label="Neighbours", description="6, 18 or 26", required=false, persistKey="fibsem.components.connectivity") connectivity
#@ String (label="Delta", description="Grey neighbours that differ by no more hang together", required=false, persistKey="fibsem.components.delta") delta
#@ Boolean (label="Fill holes", description="Fill what one class alone surrounds", value=false, persistKey="fibsem.components.fill_holes") fill_holes
#@ Double (label="Least voxels", description="Smaller pieces go", min=0, value=0.0, persistKey="fibsem.components.least_voxels") least_voxels
#@ String (label="Largest", description="Keep so many", required=false, persistKey="fibsem.components.largest") largest
#@ String (label="Cut necks", description="Cut pieces at necks narrower by this in radius", required=false, persistKey="fibsem.components.split_px") split_px
#@output String path

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

path = fibsem.job('components') { [src: fibsem.sources.stack(src)] }
