// What the scripts of Plugins > FIBSEM share: they gather parameters, this runs the job in Python and opens what it made.
//
// Its parts lie beside it: Sources (which file is meant by the image in front), Worker (the Python process), Results (how they open).
// Which Python: that of Plugins > FIBSEM > FIBSEM Settings, else the one that `fibsem-ij fiji install` wrote into python.txt beside this.

import ij.IJ
import ij.Prefs
import ij.text.TextWindow
import java.awt.GraphicsEnvironment
import org.scijava.script.ScriptModule

class Fibsem {
    static final String KEY = 'fibsem_ij.python'  // in ImageJ's preferences
    static final String REMEDY = 'choose the Python that has fibsem-ij in Plugins > FIBSEM > FIBSEM Settings'

    // So that a script asks for all by one name.
    static final sources = Sources, picked = Picked, settings = Settings, results = Results

    final ScriptModule module
    final String title

    Fibsem(Script script) {
        module = script.binding.getVariable(ScriptModule.name) as ScriptModule
        module.info.outputs().each { module.resolveOutput(it.name) }  // else Fiji shows each path in a window of its own
        title = new File(module.info.path).name.replace('.groovy', '').replace('_', ' ')
    }

    /** The job with the dialog's values, those that `other` gives in their place; opens what it made, and gives its path. Null: it failed. */
    String job(String name, Closure<Map> other = { [:] }) {
        guarded {
            def keys = inputs() + other().collectEntries { key, value -> [key, text(value)] }
            def words = keys.findAll { it.value }.collect { key, value -> "$key=$value".toString() }
            def told = new Worker(module.context, title, python()).ask(['fiji', 'job', name] + words)
            told.commands.each { IJ.log('fibsem-ij ' + it.join(' ')) }
            if (told.text) IJ.log("runMacro(\"fibsem/fibsem.ijm\", ${quoted(name + ' ' + told.text)});")
            told.opens.each { Results.show(it.kind, new File(it.path)) }
            told.opens ? told.opens[0].path : told.told[-1]?.path
        }
    }

    /** The jobs and their keys, shown in a window where there is a screen. */
    String help() {
        guarded {
            def told = new Worker(module.context, title, python()).ask(['fiji', 'jobs'])
            def text = told.collect { name, job ->
                "$name: $job.about\n" + job.keys.collect { "    ${it.key.padRight(16)} $it.about ($it.default)" }.join('\n')
            }.join('\n\n')
            if (!GraphicsEnvironment.headless) new TextWindow('FIBSEM Help', text, 900, 600)
            text
        }
    }

    /** What `call` gives. What goes wrong in it is told as ImageJ tells it; without a screen it is thrown, so that a batch fails. */
    def guarded(Closure call) {
        try {
            return call()
        } catch (IllegalStateException | IOException problem) {
            IJ.showStatus("$title: failed")
            if (GraphicsEnvironment.headless) throw problem
            IJ.error(title, problem.message)
            return null
        } finally {
            IJ.showProgress(1.0)
        }
    }

    /** The path of the Python that has fibsem-ij. */
    static String python() {
        def url = Fibsem.protectionDomain.codeSource.location
        def installed = new File(new File(url.toURI()).parentFile, 'python.txt')
        def path = Prefs.get(KEY, '') ?: (installed.isFile() ? installed.getText('UTF-8').trim() : '')
        check(path, "expected the path of a Python, got none; $REMEDY")
        check(new File(path).isFile(), "expected a Python at $path, there is none; $REMEDY")
        path
    }

    /** A command of fibsem-ij. NB: -P, so that no file in the folder that Fiji was started from is taken for a module. */
    static ProcessBuilder process(String python, List<String> words) {
        new ProcessBuilder([python, '-P', '-m', 'fibsem_ij'] + words)
    }

    static void check(condition, message) {
        if (!condition) throw new IllegalStateException(message.toString())
    }

    /** A text as ImageJ's macro language writes it. */
    private static String quoted(String text) { '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"' }

    private Map inputs() {
        module.info.inputs().findAll { it.type in [String, File, Boolean, Integer, Double] }
            .collectEntries { [it.name, text(module.getInput(it.name))] }
    }

    private static String text(value) { value instanceof File ? value.absolutePath : value?.toString()?.trim() }
}
