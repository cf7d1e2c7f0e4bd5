"""The networks: one network, one file, one frozen config.

Every file has a `Config`, whose first fields are `inputs` (channels in: 2k + 1 slices for k neighbours) and `outputs`, and a
`Net(config)` that takes (b, inputs, y, x) float32 of any y and x >= 1 and gives (b, outputs, y, x), raw: logits, not
probabilities. Its `multiple` is the one that y and x are padded to inside. `learn.network.NETS` lists them by name.
"""
