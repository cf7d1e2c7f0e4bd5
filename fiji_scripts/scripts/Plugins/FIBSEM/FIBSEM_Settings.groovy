// Choose the Python that does the work, and hear from it what works here: fibsem-ij doctor.
#@ File (label="Python", description="Its executable, or the folder of its environment (.venv, miniforge3/envs/...); left out, it is the one in use", style="both", required=false, persist=false) python
#@output String path
#@output String report

def lib = new File(binding.getVariable('org.scijava.script.ScriptModule').info.URL.toURI().resolve('../../../lib/fibsem_ij'))
def fibsem = new GroovyClassLoader(getClass().classLoader).tap { addClasspath(lib.path) }.loadClass('Fibsem').newInstance(this)

path = fibsem.guarded { fibsem.settings.choose(python) }
report = path ? fibsem.guarded { fibsem.settings.doctor(path) } : null
