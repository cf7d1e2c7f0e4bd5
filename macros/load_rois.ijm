// Load a ROI set into the ROI manager, in place of what is there, and show all of it on the image in front.
//
//     runMacro("fibsem/load_rois.ijm", "/data/rois.zip");
//
// NB: ImageJ has no ROI manager without a screen.

if (!File.exists(getArgument())) exit("FIBSEM: expected a ROI set, got no file " + getArgument());
roiManager("reset");
roiManager("open", getArgument());
if (nImages > 0) roiManager("show all");
return "" + roiManager("count");
