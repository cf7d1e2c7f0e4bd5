"""What the rooms share, NumPy in and NumPy out: outlines of labels, the label colours, a map over slices, scores. No torch here."""
