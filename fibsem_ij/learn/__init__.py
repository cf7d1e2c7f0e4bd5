"""The learning floor: what the rooms that learn share. Arrays in, arrays out; neither files nor Java.

    nets/        one network, one file, one frozen config; NETS lists them
    network      Network = name + config + module + all that is needed to use it again; build
    scale        grey values -> network input, and back
    patches      training patches, drawn on the fly, and what is done to them (augment)
    losses       dice, cross-entropy and their kin
    train        the one training loop, over any `task`
    checkpoint   a training stopped anywhere goes on where it stopped
    predict      slices -> overlapping tiles -> network -> blended slices
    device       where it runs; `fast` makes a trained module fit for it
    export       source, state dict and ONNX, for other tools

These modules import torch; `import fibsem_ij` and `fibsem-ij --help` import none of them.
"""
