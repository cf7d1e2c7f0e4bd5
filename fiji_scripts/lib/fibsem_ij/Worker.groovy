// The Python process that does the work: `fibsem-ij worker`, started by the path of its executable and a list of words, and told what to
// do in lines of JSON. Nothing goes through a shell, and no name is ever pasted into code.
//
// It is kept between calls, among SciJava's objects, so that only the first call waits for Python to start; it ends with Fiji, since its
// stdin ends then. Esc, or the cross in Fiji's progress window, stops a job: Python tidies up, and is ended if it does not.

import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import ij.IJ
import java.nio.file.Files
import org.scijava.Context
import org.scijava.object.ObjectService
import org.scijava.task.TaskService

class Worker {
    static final String KIND = 'fibsem_ij.worker'
    static final int PATIENCE_MS = 10_000  // how long a job that was stopped may tidy up

    final Context context
    final ObjectService objects
    final String title, python

    Worker(Context context, String title, String python) {
        this.context = context
        this.title = title
        this.python = python
        objects = context.getService(ObjectService)
    }

    /** What `fibsem-ij WORDS` tells with --json. */
    Map ask(List<String> words) {
        def worker = idle() ?: started()
        def task = context.getService(TaskService)?.createTask(title)
        IJ.resetEscape()
        task?.start()
        try {
            def answer = answered(worker, words, task)
            synchronized (objects) { objects.addObject(worker) }  // free again
            Fibsem.check(answer.ok, answer.error)
            return answer.result
        } finally {
            task?.finish()
        }
    }

    private Map answered(Map worker, List<String> words, task) {
        def id = System.nanoTime()
        send(worker, [id: id, args: words])
        long until = 0  // when a stopped job is ended; 0: it was not stopped
        while (true) {
            def told = next(worker)
            if (told?.id == id) {
                if (told.containsKey('ok')) return told
                if (told.says) IJ.log(told.says)
                if (told.stage) progress(told, task)
            } else if (!until && stopped(task)) {
                IJ.showStatus("$title: stopping")
                send(worker, [cancel: id])
                until = System.currentTimeMillis() + PATIENCE_MS
            } else if (until && System.currentTimeMillis() > until) {
                worker.process.destroy()
                throw new IllegalStateException('stopped')
            }
        }
    }

    private static boolean stopped(task) { IJ.escapePressed() || task?.canceled || Thread.interrupted() }

    private void progress(Map told, task) {
        IJ.showStatus("$title: $told.stage $told.done/$told.total")
        IJ.showProgress(told.done as int, Math.max(told.total as int, 1))
        task?.statusMessage = told.stage
        task?.progressMaximum = told.total
        task?.progressValue = told.done
    }

    /** The next line as an object; null where there is none yet. */
    private static Map next(Map worker) {
        if (worker.reader.ready()) return new JsonSlurper().parseText(worker.reader.readLine()) as Map
        if (!worker.process.alive && !worker.reader.ready()) {
            throw new IllegalStateException("expected an answer of $worker.python, it ended with code ${worker.process.exitValue()}; " +
                                            "${Fibsem.REMEDY}\n${tail(worker.log)}")
        }
        Thread.sleep(10)
        null
    }

    private static void send(Map worker, Map message) {
        try {
            worker.writer.write(JsonOutput.toJson(message) + '\n')
            worker.writer.flush()
        } catch (IOException ended) {
            worker.process.waitFor()  // `next` tells why
        }
    }

    /** A worker that waits, taken out of SciJava's objects for as long as it works; it outlives the script that started it. */
    private Map idle() {
        synchronized (objects) {
            def all = objects.getObjects(Map).findAll { it.kind == KIND }
            all.each { objects.removeObject(it) }
            def (fit, other) = all.split { it.process.alive && it.python == python }
            (other + fit.drop(1)).each { it.writer.close() }  // the end of its stdin ends it
            fit ? fit[0] : null
        }
    }

    private Map started() {
        def log = Files.createTempFile('fibsem_ij-', '.log').toFile()
        log.deleteOnExit()
        def process = Fibsem.process(python, ['worker']).redirectError(log).start()
        [kind: KIND, process: process, python: python, log: log, reader: process.inputStream.newReader('UTF-8'),
         writer: process.outputStream.newWriter('UTF-8')]
    }

    static String tail(File log) { log.readLines('UTF-8').findAll { it.trim() }.takeRight(12).join('\n') }
}
