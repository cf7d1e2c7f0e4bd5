// One row an object: fibsem-ij measure. What the columns mean lies beside the table, in a .json of its name.
#@ File (label="Labels", description="File or folder; left out, it is the image in front", style="both", required=false, persist=false) labels
#@ File (label="Table", description="Table to write, .csv. Left out, it lies beside the stack, named ...-measures.csv", style="save", required=false, persist=false) table
#@ File (label="Grey stack", description="Adds grey values and texture", style="both", required=false, persist=false) image
#@ File (label="Cells or nuclei", description="Their labels: in which one each object is, how near to its membrane", style="both", required=false, persist=false) parent
#@ File (label="Their table", description="One row a parent: count, density, fraction", style="save", required=false, persist=false) parents_table
#@ File (label="Other objects", description="Labels of another class: the nearest of them", style="both", required=false, persist=false) against
#@ Boolean (label="Nearest of the same", description="The nearest object of the same labels", value=false, persistKey="fibsem.measure.nearest") nearest
#@ File (label="Contacts", description="Table of the pairs that touch, with the area", style="save", required=false, persist=false) contacts_table
#@ String (label="Groups", description="Of size,surface,hull,topology,skeleton,grey,texture,spectrum; left out, the usual ones", required=false, persistKey="fibsem.measure.groups") groups
#@ Boolean (label="Longest path", description="Through each filament", value=false, persistKey="fibsem.measure.skeleton") skeleton
#@ String (label="Voxel size", description="z,y,x in nm, where the file does not say it: 4,4,4", required=false, persistKey="fibsem.measure.voxel_nm") voxel_nm
#@output String path

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

path = fibsem.job('measure') { [labels: fibsem.sources.stack(labels)] }
