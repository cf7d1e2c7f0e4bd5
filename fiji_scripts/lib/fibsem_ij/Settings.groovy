// The Python that does the work: chosen, kept in ImageJ's preferences, and asked what works on this machine.

import groovy.json.JsonSlurper
import ij.Prefs
import ij.measure.ResultsTable
import java.awt.GraphicsEnvironment
import java.nio.file.Files

class Settings {
    private static final List<String> PLACES = ['bin/python', 'bin/python3', 'Scripts/python.exe', 'python.exe']

    /** The path of the executable at `given`, or in the environment there; of the one in use where nothing is given. */
    static String choose(File given) {
        if (!given) return Fibsem.python()
        // NB: not the canonical path; the python of an environment is often a link, and the link is what knows the environment.
        def python = given.isFile() ? given : PLACES.collect { new File(given, it) }.find { it.isFile() }
        Fibsem.check(python, "expected a Python, or the folder of an environment that has one, got $given; look for bin/python or python.exe")
        python.absolutePath
    }

    /** What `fibsem-ij doctor` finds. A Python that has fibsem-ij is kept from now on. */
    static String doctor(String python) {
        def log = Files.createTempFile('fibsem_ij-', '.log').toFile()
        log.deleteOnExit()
        def process = Fibsem.process(python, ['doctor', '--json']).redirectError(log).start()
        process.outputStream.close()
        def told = process.inputStream.getText('UTF-8')
        Fibsem.check(process.waitFor() in [0, 1] && told.startsWith('['),
                     "expected a Python that has fibsem-ij, got $python; pip install fibsem-ij there\n${Worker.tail(log)}")
        Prefs.set(Fibsem.KEY, python)
        Prefs.savePreferences()
        def findings = new JsonSlurper().parseText(told)
        if (!GraphicsEnvironment.headless) table(findings).show('FIBSEM doctor')
        findings.collect { "${it.ok == null ? '--' : it.ok ? 'ok' : 'NO'}  $it.what: $it.found${it.remedy ? "\n      -> $it.remedy" : ''}" }.join('\n')
    }

    private static ResultsTable table(List findings) {
        def table = new ResultsTable()
        findings.each { found ->
            table.addRow()
            table.addValue('What', found.what)
            table.addValue('Works', found.ok == null ? 'your choice' : found.ok ? 'yes' : 'NO')
            table.addValue('Found', found.found)
            table.addValue('Remedy', found.remedy)
        }
        table
    }
}
