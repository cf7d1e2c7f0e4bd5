// The jobs of Plugins > FIBSEM for the macro language: for plain ImageJ, and for batches.
//
//     path = runMacro("fibsem/fibsem.ijm", "register src=/data/raw.tif out=[/data/my aligned.tif] model=rigid");
//     if (path == "[aborted]") exit();
//
// First the job, then its keys as key=value, or key=[value] where the value has spaces; `fibsem-ij fiji jobs` and docs/fiji.md list them.
// Opens what was made, and returns its path. A name with a single [ or ] in it is refused: rename it, or use the command line.
//
// Once, in plain ImageJ:  runMacro("fibsem/fibsem.ijm", "settings python=[/path/to/python]");  a Fiji knows it from `fibsem-ij fiji install`.
// NB: what is given goes to Python as one argument of a process, never into code; exec takes each argument by itself.

argument = String.trim(getArgument()) + " ";
job = substring(argument, 0, indexOf(argument, " "));
keys = String.trim(substring(argument, lengthOf(job)));
if (job == "settings") {
    path = settings(keys);
    return path;
}
path = python();
showStatus("FIBSEM " + job);
told = exec(path, "-P", "-m", "fibsem_ij", "fiji", "job", job, "--text=" + keys, "--progress", "none");
showStatus("");
path = opened(told);
return path;

function opened(told) {
    first = "";
    lines = split(told, "\n");
    for (i = 0; i < lines.length; i++) {
        tab = indexOf(lines[i], "\t");
        if (tab < 0) exit("FIBSEM: expected an answer of Python, got: " + told);
        kind = substring(lines[i], 0, tab);
        path = String.trim(substring(lines[i], tab + 1));
        if (kind == "error") exit("FIBSEM: " + path);
        if (kind == "done") return first;
        show(kind, path);
        if (first == "") first = path;
    }
    exit("FIBSEM: expected an answer of Python, got none; see what it says: " + python() + " -m fibsem_ij doctor");
}

function show(kind, path) {
    if (kind == "rois") {
        if (getInfo("java.awt.headless") != "true") roiManager("open", path);  // ImageJ has no ROI manager without a screen
    } else if (File.isDirectory(path) && !endsWith(path, ".zarr")) {
        File.openSequence(path, " virtual");
    } else if (endsWith(path, ".csv")) {
        Table.open(path);
    } else if (!endsWith(path, ".tif") && !endsWith(path, ".tiff")) {
        print(path + " is written, but nothing that ImageJ itself opens; docs/fiji.md tells what does");
    } else if (File.length(path) < parseInt(call("ij.IJ.maxMemory")) / 3) {
        open(path);
    } else if (indexOf(path, "]") < 0) {
        run("TIFF Virtual Stack...", "open=[" + path + "]");
    } else {
        print(path + ": larger than a third of the memory, and not opened as a virtual stack because of the ] in its name");
    }
}

function python() {
    path = call("ij.Prefs.get", "fibsem_ij.python", "");
    installed = getDirectory("imagej") + "lib/fibsem_ij/python.txt";
    if (path == "" && File.exists(installed)) path = String.trim(File.openAsString(installed));
    if (path == "") exit("FIBSEM: expected a Python, got none; once: runMacro(\"fibsem/fibsem.ijm\", \"settings python=[/path/to/python]\")");
    if (!File.exists(path)) exit("FIBSEM: expected a Python at " + path + ", there is none; choose it again with settings python=[...]");
    return path;
}

// The Python is kept only if it has fibsem-ij.
function settings(keys) {
    path = replace(replace(keys, "^python=\\[?", ""), "\\]$", "");
    told = exec(path, "-P", "-m", "fibsem_ij", "doctor", "--json");
    if (!startsWith(told, "[")) exit("FIBSEM: expected a Python that has fibsem-ij, got " + path + "; pip install fibsem-ij there");
    call("ij.Prefs.set", "fibsem_ij.python", path);
    print("FIBSEM: " + path);
    return path;
}
