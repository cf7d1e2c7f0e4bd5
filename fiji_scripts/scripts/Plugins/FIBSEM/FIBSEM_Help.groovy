// What each entry of this menu does, and the names of its parameters, which are the keys of a macro: fibsem-ij fiji jobs.
#@output String text

def loader = new GroovyClassLoader(getClass().classLoader)
loader.addClasspath(new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij')).path)
def fibsem = loader.loadClass('Fibsem').newInstance(this)


text = fibsem.help()
