// What each entry of this menu does, and the names of its parameters, which are the keys of a macro: fibsem-ij fiji jobs.
#@output String text

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

text = fibsem.help()
