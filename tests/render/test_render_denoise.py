import numpy as np

from fibsem_ij.render.denoise import denoising_sheet

rng = np.random.default_rng(0)
TRUTH = np.kron(rng.integers(60, 200, (5, 8, 8)), np.ones((1, 24, 24))).astype(np.uint8)
NOISY = np.clip(TRUTH + rng.normal(0, 25, TRUTH.shape), 0, 255).astype(np.uint8)


def panels(sheet, columns, rows):
    """The pixels of each panel: 192 wide and high, so wider than its caption, as render.sheet lays them out."""
    side, gap, caption, head = 192, 8, 26, 42
    corners = [[(head + r * (side + caption + gap) + caption, gap + c * (side + gap)) for c in range(columns)] for r in range(rows)]
    return [[sheet[y : y + side, x : x + side] for y, x in row] for row in corners]


def test_noisy_denoised_residual_truth_side_by_side():
    rows = panels(denoising_sheet(TRUTH, TRUTH, noisy=NOISY), 4, 3)
    for noisy, ours, residual, true in rows:
        assert np.array_equal(ours, true)
        assert noisy.std() > true.std()
        assert abs(residual.mean() - 127) < 6  # grey: what was taken away is noise about nothing
        assert abs(np.corrcoef(residual[..., 0].ravel(), true[..., 0].ravel())[0, 1]) < 0.3


def test_without_the_noisy_stack_the_error_is_shown():
    rows = panels(denoising_sheet(TRUTH, TRUTH, slices=[1]), 3, 1)
    assert np.ptp(rows[0][1]) == 0
    rows = panels(denoising_sheet(NOISY, TRUTH, slices=[1]), 3, 1)
    assert np.ptp(rows[0][1]) > 100
