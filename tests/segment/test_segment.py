from dataclasses import replace

import numpy as np
import pytest
import scene_of_classes as scene
import torch

from fibsem_ij import segment
from fibsem_ij.files import networks as stored
from fibsem_ij.learn.network import build

GREY, TRUTH = scene.made()
DRAWN = scene.drawn(TRUTH)
TESTED = [2, 10]


@pytest.fixture(scope="module")
def trained():
    return segment.fit(GREY, DRAWN, names=scene.NAMES, options=scene.quick())


def f1(networks, src=GREY, **more):
    classes = segment.labels(segment.apply(src, networks, **more), ids=segment.classes(networks))
    told = segment.score(classes, TRUTH, names=scene.NAMES, slices=TESTED)["classes"]
    return told["blob"]["f1"], told["core"]["f1"]


def test_slices_that_were_not_drawn_are_segmented(trained):
    assert min(f1(trained)) > 0.9
    assert min(f1(trained, flips=True)) > 0.9
    network, = trained
    assert network.classes == {0: "background", 1: "blob", 2: "core"}
    assert segment.classes(trained) == scene.NAMES
    assert network.record["trained"] == [0, 4, 8]
    assert min(network.record["f1"].values()) > 0.8


@pytest.mark.parametrize("more", [
    {"activation": "sigmoid"}, {"neighbours": 1}, {"context": 2, "patch": 24, "updates": 120}, {"loss": "dice", "weights": {"core": 2.0}},
    {"loss": "cross-entropy", "network": "unet"}, {"least_px": 20, "of": ("core",)},
])
def test_every_way_learns(more):
    assert min(f1(segment.fit(GREY, DRAWN, names=scene.NAMES, options=scene.quick(**more)))) > (0.75 if "context" in more else 0.88)


def test_grain_channels_are_seen_in_training_and_after():
    networks = segment.fit(GREY, DRAWN, names=scene.NAMES, options=scene.quick(grain=(0.01, 0.05), neighbours=1, updates=100))
    assert (networks[0].config.inputs, networks[0].neighbours) == (5, 1)
    assert min(f1(networks)) > 0.88


def test_one_network_a_class_and_the_best_of_several(trained):
    told = []
    each = segment.fit(GREY, DRAWN, names=scene.NAMES, options=scene.quick(per_class=True, trainings=2, updates=40),
                       progress=told.append)
    assert [network.classes for network in each] == [{0: "background", 1: "blob"}, {0: "background", 1: "core"}]
    assert {(t["training"], t["trainings"]) for t in told} == {(n, 4) for n in (1, 2, 3, 4)}
    assert segment.classes(each) == scene.NAMES
    assert min(f1(each)) > 0.8
    assert [segment.exclusive(some) for some in (trained, each, each[:1], [*trained, each[0]])] == [True, False, True, False]
    best = segment.fit(GREY, DRAWN, names=scene.NAMES, options=scene.quick(trainings=3, keep=2, updates=10))
    reached = [np.mean(list(one["f1"].values())) for one in best[0].record["trainings"]]
    assert len(best) == 2
    assert sorted(reached, reverse=True) == reached
    assert [network.record["seed"] for network in best] == [one["seed"] for one in best[0].record["trainings"][:2]]


def test_mirrored_tiles_are_what_the_preset_says(trained):
    network, = trained
    mirrored = replace(network, record=network.record | {"options": network.record["options"] | {"flips": True}})
    plain, both = (segment.apply(GREY[:1], trained, flips=flips) for flips in (False, True))
    assert (plain != both).any()
    np.testing.assert_array_equal(segment.apply(GREY[:1], trained), plain)
    np.testing.assert_array_equal(segment.apply(GREY[:1], [mirrored]), both)
    assert [name for name, options in segment.PRESETS.items() if options.flips] == ["quick", "cells"]


def test_an_ensemble_is_the_mean_of_its_networks(trained):
    other = segment.fit(GREY, DRAWN, names=scene.NAMES, options=scene.quick(seed=5, updates=20))
    apart = [segment.apply(GREY[:2], one).astype(float) for one in (trained, other)]
    assert np.abs(segment.apply(GREY[:2], [*trained, *other]) - np.mean(apart, axis=0)).max() <= 1


def test_slices_that_are_there_already_are_left_and_the_others_are_the_same(trained):
    whole, told = segment.apply(GREY, trained), []
    out = np.full_like(whole, 77)
    segment.apply(GREY, trained, out, done={0, 5}, progress=lambda *now: told.append(now))
    assert (out[:, [0, 5]] == 77).all()
    assert np.array_equal(np.delete(out, [0, 5], 1), np.delete(whole, [0, 5], 1))
    assert told[-1] == (len(GREY), len(GREY))


def test_objects_become_interior_and_boundary():
    from skimage.measure import label

    cells = {z: label(TRUTH[z] > 0).astype(np.int32) for z in DRAWN}
    networks = segment.fit(GREY, cells, options=scene.quick(activation="sigmoid", boundary_px=4, updates=100))
    assert segment.classes(networks) == {1: "interior", 2: "boundary"}
    assert not segment.exclusive(networks)
    interior, boundary = segment.apply(GREY, networks)[:, 2]
    edge = np.abs(np.diff((TRUTH[2] > 0).astype(int), axis=1)).astype(bool)
    assert boundary[:, 1:][edge].mean() > 2 * boundary.mean()
    assert interior[TRUTH[2] == 7].mean() > 200


def test_networks_from_disk_do_the_same(trained, tmp_path):
    stored.write(tmp_path / "net", trained[0])
    again = [stored.read(tmp_path / "net")]
    assert segment.classes(again) == scene.NAMES
    assert np.array_equal(segment.apply(GREY[:2], again), segment.apply(GREY[:2], trained))


def test_a_training_that_was_stopped_ends_with_the_same_bits(trained, tmp_path):
    class Stopped(Exception):
        pass

    def stop(told):
        if told["update"] == 40:
            raise Stopped

    with pytest.raises(Stopped):
        segment.fit(GREY, DRAWN, names=scene.NAMES, options=scene.quick(), state=tmp_path / "state", progress=stop)
    resumed, = segment.fit(GREY, DRAWN, names=scene.NAMES, options=scene.quick(), state=tmp_path / "state")
    for name, weights in trained[0].module.state_dict().items():
        assert torch.equal(weights, resumed.module.state_dict()[name])


def test_what_is_held_back_is_looked_at_at_its_own_place():
    """A network that says 'blob' everywhere: its F1 there follows from the share of blobs in the quarter held back."""
    from fibsem_ij.learn.scale import Scale
    from fibsem_ij.segment.holding import held_back
    from fibsem_ij.segment.seen import Seen
    from fibsem_ij.segment.targets import targets
    from fibsem_ij.segment.task import Segmentation

    options = scene.quick(held=0.05)
    found = targets(DRAWN, scene.NAMES, options)
    (z, box), = held_back(found, 0.05).items()
    config, module = build("resunet", inputs=1, outputs=3, base=8, depth=2)
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)
    module.last.bias.data[1] = 1
    task = Segmentation(Seen(GREY), found, {z: box}, config=config, scale=Scale.of(GREY, "mean-std"), options=options)
    share = (TRUTH[z][box] == 3).mean()
    assert task.f1(module.eval()) == pytest.approx({"blob": 2 * share / (share + 1), "core": 0})


def test_what_does_not_fit_is_named(trained):
    def fit(src=GREY, drawn=DRAWN, **more):
        return segment.fit(src, drawn, names=scene.NAMES, options=scene.quick(**more))

    for told, call in {
        "slice 99": lambda: fit(drawn={99: TRUTH[0]}),
        "slice 1: expected a drawn slice of 96 x 96": lambda: fit(drawn={1: TRUTH[0, :50]}),
        "one slice": lambda: fit(src=GREY[0]),
        "uint8": lambda: segment.apply(GREY.astype(np.float32), trained),
        "its channels are": lambda: segment.apply(GREY, trained, np.zeros((3, *GREY.shape), np.uint8)),
        "one of both, dice": lambda: fit(loss="focal"),
        "keep from 1 to 2": lambda: fit(trainings=2, keep=3),
        "expected a preset": lambda: segment.preset("fast"),
    }.items():
        with pytest.raises(ValueError, match=told):
            call()
    wider = segment.fit(GREY, DRAWN, names=scene.NAMES, options=scene.quick(updates=1, neighbours=1))
    with pytest.raises(ValueError, match="one fit"):
        segment.apply(GREY, [*trained, *wider])


def test_presets_can_be_built():
    for name, options in segment.PRESETS.items():
        assert options.minutes or options.updates, name
        build(options.network, **dict(options.config or {}))
