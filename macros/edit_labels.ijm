// Correct the label image in front by hand, as fibsem-ij labels edit does: every edit is logged beside the file, and can be undone.
//
//     runMacro("fibsem/edit_labels.ijm", "merge");       the objects under the points of the selection, into that of the first point
//     runMacro("fibsem/edit_labels.ijm", "split");       the object under the first point, a point in each part
//     runMacro("fibsem/edit_labels.ijm", "delete");      the objects under the points
//     runMacro("fibsem/edit_labels.ijm", "reassign 7");  the object under the first point gets number 7 in the slice in front
//     runMacro("fibsem/edit_labels.ijm", "undo");        the last edit that stands
//
// Click with the multi-point tool. By numbers, without an image: runMacro("fibsem/fibsem.ijm", "merge labels=/data/labels.tif keep=3 gone=7").

words = split(getArgument(), " ");
path = getDirectory("image") + getInfo("image.filename");
if (!File.exists(path)) exit("FIBSEM: expected a label image that was opened from a file; save it, edits go to the file");
if (is("changes")) exit("FIBSEM: expected the label image as it is on disk, got one that was changed; save it first");
keys = " labels=[" + path + "]";
front = getSliceNumber();
ids = "";
points = "";
first = "";
if (words[0] != "undo") {
    if (selectionType() != 10) exit("FIBSEM: expected points, got none; click on objects with the multi-point tool");
    getSelectionCoordinates(xs, ys);
    for (i = 0; i < xs.length; i++) {
        z = Roi.getPointPosition(i);
        if (z > 0) setSlice(z);
        id = getValue(floor(xs[i]), floor(ys[i]));
        if (id == 0) exit("FIBSEM: expected points on objects, got one on the background");
        if (i == 0) first = "" + id;
        else ids = ids + " " + id;
        points = points + " " + (getSliceNumber() - 1) + "," + floor(ys[i]) + "," + floor(xs[i]);
    }
    setSlice(front);
}
if (words[0] == "merge") keys = keys + " keep=" + first + " gone=[" + String.trim(ids) + "]";
if (words[0] == "split") keys = keys + " number=" + first + " seeds=[" + String.trim(points) + "]";
if (words[0] == "delete") keys = keys + " numbers=[" + first + ids + "]";
if (words[0] == "reassign") keys = keys + " number=" + first + " to=" + words[1] + " first=" + (front - 1) + " last=" + (front - 1);
old = getImageID();
done = runMacro(File.getDirectory(getInfo("macro.filepath")) + "fibsem.ijm", words[0] + keys);
if (done == "[aborted]") exit();
new = getImageID();
if (new != old) {
    selectImage(old);
    close();
    selectImage(new);
    setSlice(front);
}
return done;

