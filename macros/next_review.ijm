// Go to the next slice of the review queue in the image in front, which is the whole stack, and say why it is worth a look.
//
//     runMacro("fibsem/next_review.ijm", "/data/workspace/review.csv");
//
// Begins with the worst, and again after the last. Which one was shown last is kept with the image.

if (!File.exists(getArgument())) exit("FIBSEM: expected a queue, got no file " + getArgument() + "; fibsem-ij review queue writes it");
lines = split(File.openAsString(getArgument()), "\n");
head = split(lines[0], ",");
z = 0;
for (i = 0; i < head.length; i++) if (String.trim(head[i]) == "z") z = i;
if (lines.length < 2) exit("FIBSEM: expected entries in " + getArgument() + ", there are none");
last = parseInt(Property.get("fibsem review"));
if (isNaN(last) || last + 1 >= lines.length) last = 0;
now = last + 1;
cells = split(lines[now], ",");
if (parseInt(cells[z]) >= nSlices) exit("FIBSEM: expected the stack of " + getArgument() + " in front, got one of " + nSlices + " slices");
setSlice(parseInt(cells[z]) + 1);
Property.set("fibsem review", now);
said = "" + now + " of " + (lines.length - 1) + ": " + lines[now];
showStatus(said);
return said;

