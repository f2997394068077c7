import numpy as np

from chromacord.color.distribution import ColorDistribution


def test_the_mean_of_the_colours_is_that_of_the_masked_pixels() -> None:
    random = np.random.default_rng(0)
    distribution, pictures, masks = ColorDistribution(), random.random((3, 3, 20, 30)), random.random((3, 1, 20, 30))
    masks[masks < 0.5] = 0
    for picture, mask in zip(pictures, masks, strict=True):
        distribution.add(picture.astype(np.float32), mask.astype(np.float32))
    colors, weights = distribution.colors()
    expected = (pictures * masks).sum(axis=(0, 2, 3)) / masks.sum()
    np.testing.assert_allclose(weights @ colors / weights.sum(), expected, rtol=1e-5)
    np.testing.assert_allclose(weights.sum(), masks.sum(), rtol=1e-5)


def test_two_colours_stay_two_and_what_the_mask_leaves_out_is_none() -> None:
    picture = np.zeros((3, 2, 4), np.float32)
    picture[:, :, 2:] = np.float32([1.0, 0.25, 0.5])[:, None, None]
    picture[:, 1, 3] = 0.9
    mask = np.ones((1, 2, 4), np.float32)
    mask[0, 1, 3] = 0
    distribution = ColorDistribution()
    distribution.add(picture, mask)
    colors, weights = distribution.colors()
    assert sorted(zip(colors.tolist(), weights.tolist(), strict=True)) == [([0, 0, 0], 4), ([1, 0.25, 0.5], 3)]
