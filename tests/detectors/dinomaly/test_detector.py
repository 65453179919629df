"""The contract of a detector, and what is special to Dinomaly."""

import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("anomalib")
import torch

from toothwise import Model, detectors
from toothwise.detectors.curves import recorded_curves
from toothwise.errors import InputError, TrainingError, WeightsError
from toothwise.exported.manifest import digest

SMALL = {"encoder_name": "test_vit", "weights": "random", "image_size": [32, 96], "batch_size": 4}


def _maps(n, seed=0, shape=(20, 40)):
    rng = np.random.default_rng(seed)
    return np.exp(0.2 * rng.standard_normal((n, *shape)) + 0.3 * rng.standard_normal((n, 1, shape[1]))).astype("f4")


@pytest.fixture(scope="module")
def fitted():
    return detectors.create("dinomaly_directional", max_steps=12, **SMALL).fit(_maps(32))


def test_prediction(fitted):
    maps = _maps(5, 1)
    maps[2, 7] *= 3
    p = fitted.predict(maps)
    assert p.score.dtype == np.float64
    assert p.anomaly_map.shape == maps.shape
    assert p.anomaly_map.dtype == np.float32
    means = p.anomaly_map.mean(axis=2)
    np.testing.assert_allclose(p.row_evidence, means - np.median(means, axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(p.score, np.maximum(p.row_evidence.max(1), p.column_evidence.max(1)))


@pytest.mark.parametrize(
    ("shape", "size"), [((6, 9), [224, 160]), pytest.param((9, 6), [160, 224], marks=pytest.mark.full)]
)
def test_more_patches_lie_along_the_gear_with_fewer_teeth(shape, size, tmp_path):
    options = {"max_steps": 1, "batch_size": 2}
    detector = detectors.create("dinomaly", encoder_name="toothwise_vit_tiny", **options).fit(_maps(4, shape=shape))
    again = Model.open(Model(detector).save(tmp_path / "saved")).detector
    assert detector.options["image_size"] == again.options["image_size"] == size
    test = _maps(2, 1, shape)
    np.testing.assert_allclose(again.predict(test).score, detector.predict(test).score, rtol=1e-5)
    options |= {"encoder_name": "test_vit", "weights": "random"}
    other = detectors.create("dinomaly", **options).fit(_maps(4, shape=shape))
    assert other.options["image_size"] == [224, 224]
    assert detector.fit(_maps(4, shape=shape[::-1])).options["image_size"] == size[::-1]  # the same one, fitted anew


def _depth(detector):
    return len({name.split(".")[1] for name in detector._state() if name.startswith("decoder.")})


def test_maps_with_another_encoder_get_two_layers_and_the_published_eight_are_kept_elsewhere(tmp_path):
    maps, own = _maps(8), {"max_steps": 1}
    assert _depth(detectors.create("dinomaly", **own, **SMALL).fit(maps)) == 2
    assert _depth(detectors.create("dinomaly", **own, **SMALL, decoder_depth=3).fit(maps)) == 3
    assert _depth(detectors.create("dinomaly", **own, **SMALL, log=False).fit(maps)) == 8
    assert _depth(detectors.create("dinomaly_directional", **own, **SMALL).fit(maps)) == 8
    assert detectors.create("dinomaly")._depth == 8  # the package's own encoder
    with pytest.raises(InputError, match="directional_layers must be between 0 and 1, but got"):
        detectors.create("dinomaly_directional", decoder_depth=2, **SMALL)


def test_a_folder_that_does_not_say_the_depth_holds_as_many_layers_as_it_has(tmp_path):
    deep = detectors.create("dinomaly", max_steps=1, decoder_depth=8, **SMALL).fit(_maps(8))
    expected = deep.predict(_maps(2, 1)).score
    del deep.options["decoder_depth"]  # as folders have it that were written before there was a choice
    again = Model.open(Model(deep).save(tmp_path / "saved")).detector
    np.testing.assert_allclose(again.predict(_maps(2, 1)).score, expected, rtol=1e-5)
    assert _depth(again) == _depth(again.fit(_maps(8))) == 8


def test_training_lowers_the_loss_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {**SMALL, "learning_rate": 5e-3}
    short = detectors.create("dinomaly", max_steps=1, **options).fit(_maps(16))
    long = detectors.create("dinomaly", max_steps=40, **options).fit(_maps(16))
    assert long.info["final_loss"] < 0.9 * short.info["final_loss"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["dinomaly_directional", pytest.param("dinomaly_severity", marks=pytest.mark.full)])
def test_half_precision_trains_about_the_same_and_leaves_the_encoder_alone(name):
    from toothwise.detectors.encoder_cache import shared_encodings

    maps, options = _maps(16, 5), {**SMALL, "max_steps": 6, "learning_rate": 5e-3}
    whole = detectors.create(name, **options).fit(maps)
    with shared_encodings() as cache:
        half = detectors.create(name, precision="bfloat16", **options).fit(maps)
        encoded = len(cache._held)
        kept = half.predict(maps).score  # from what the training left in the cache
        assert len(cache._held) == encoded
    assert half.info["final_loss"] != whole.info["final_loss"]
    np.testing.assert_allclose(half.info["final_loss"], whole.info["final_loss"], rtol=0.05)
    np.testing.assert_allclose(kept, half.predict(maps).score, atol=1e-5)
    with pytest.raises(InputError, match="precision must be one of 'auto', 'float32', 'bfloat16', but got 'half'"):
        detectors.create(name, precision="half")


@pytest.mark.full  # test_contract.py has the short one, of all detectors
@pytest.mark.parametrize("name", ["dinomaly", "dinomaly_directional"])
def test_saved_and_loaded_offline_in_a_fresh_process(name, tmp_path):
    maps = _maps(12, 4)
    detector = detectors.create(name, max_steps=2, **SMALL).fit(maps)
    folder = Model(detector).save(tmp_path / "saved")
    assert json.loads((folder / "model.json").read_text())["detector"] == name
    np.save(tmp_path / "maps.npy", maps)
    code = (
        "import json, socket, numpy as np\n"
        "def refuse(*a, **k): raise OSError('no network')\n"
        "socket.socket.connect = refuse\n"
        "import torch; torch.set_num_threads(1)\n"
        "from toothwise import Model\n"
        f"d = Model.open({str(folder)!r}).detector; p = d.predict(np.load({str(tmp_path / 'maps.npy')!r}))\n"
        "print(json.dumps([d.name, p.score.tolist()]))"
    )
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    found_name, score = json.loads(out.stdout.splitlines()[-1])
    assert found_name == name
    np.testing.assert_allclose(score, detector.predict(maps).score, rtol=1e-6)


def test_the_encoder_is_not_saved_and_must_be_the_same(fitted, tmp_path):
    folder = Model(fitted).save(tmp_path / "saved")
    meta = json.loads((folder / "model.json").read_text())
    assert meta["info"]["encoder"]["kind"] == "random"
    from safetensors import safe_open

    with safe_open(folder / "state.safetensors", "np") as state:
        assert not any(key.startswith("encoder.") for key in state.keys())  # noqa: SIM118
    meta["info"]["encoder"]["sha256"] = "0" * 64
    (folder / "model.json").write_text(json.dumps(meta | {"sha256": digest(meta)}))
    with pytest.raises(InputError, match="fitted with encoder weights 000"):
        Model.open(folder)


def test_unmeshed_pairs_constant_single_and_few_maps(fitted):
    maps = _maps(6, 5)
    maps[:, ::2, ::2] = np.nan
    p = fitted.predict(maps)
    assert np.isnan(p.anomaly_map[:, ::2, ::2]).all()
    assert np.isfinite(p.score).all()
    assert np.isfinite(fitted.predict(np.ones((1, 20, 40), "f4")).score).all()
    one = detectors.create("dinomaly_directional", max_steps=1, **SMALL).fit(_maps(1))
    assert np.isfinite(one.predict(_maps(2, 6)).score).all()


def test_alpha_is_learned_at_its_own_rate_and_recorded_with_the_entropies(fitted):
    assert list(fitted.info["alpha"]) == ["0", "1", "2"]
    moved = {}
    for rate in (1.0, 40.0):
        with recorded_curves() as curves:
            detectors.create("dinomaly_directional", max_steps=4, alpha_rate=rate, **SMALL).fit(_maps(16))
        moved[rate] = abs(curves["alpha/layer_0"][-1][1] - 0.5)
        rates = [value for _, value in curves["learning_rate/alpha"]]
        assert max(rates) == pytest.approx(rate * 2e-3)
        assert 0 < curves["entropy_x/layer_0"][0][1] <= 1
    assert moved[40.0] > 10 * moved[1.0] > 0


def test_alpha_of_each_head_is_recorded_where_heads_have_their_own():
    with recorded_curves() as curves:
        detectors.create("dinomaly_directional", max_steps=6, alpha_rate=40.0, alpha_per="head", **SMALL).fit(_maps(16))
    heads = [points[-1][1] for name, points in curves.items() if name.startswith("alpha/layer_1/head_")]
    assert len(heads) > 1
    assert np.ptp(heads) > 1e-4
    assert np.mean(heads) == pytest.approx(curves["alpha/layer_1"][-1][1])


@pytest.mark.parametrize(
    ("pooling", "channels"), [("top", "grey"), ("rows", "physical"), ("columns", "grey"), ("lines", "physical")]
)
def test_every_pooling_and_input(pooling, channels):
    options = {**SMALL, "max_steps": 1, "pooling": pooling, "channels": channels}
    p = detectors.create("dinomaly", **options).fit(_maps(8)).predict(_maps(3))
    assert np.isfinite(p.score).all()


def test_exploding_training_stops_with_step_and_remedy(monkeypatch):
    from toothwise.detectors.dinomaly.torch_model import DirectionalDinomalyModel

    honest = DirectionalDinomalyModel.decode

    def spoiled(self, x, grid):
        return [honest(self, x, grid)[0] * float("nan")] * 2

    monkeypatch.setattr(DirectionalDinomalyModel, "decode", spoiled)
    with pytest.raises(TrainingError, match=r"nan at step 0.*learning_rate"):
        detectors.create("dinomaly", max_steps=2, **SMALL).fit(_maps(8))


def test_a_gradient_that_is_not_finite_names_its_layer():
    from toothwise.detectors import DirectionalDinomaly

    module = DirectionalDinomaly("vit_tiny_patch16_224", weights="random")
    module.model.decoder[3].mlp.fc1.weight.grad = torch.full_like(module.model.decoder[3].mlp.fc1.weight, float("inf"))
    with pytest.raises(TrainingError, match=r"decoder\.3\.mlp\.fc1\.weight"):
        module.on_before_optimizer_step(None)


@pytest.mark.full  # that of DRAEM-SevNet is the short one
def test_steps_clip_and_schedule_are_the_users(tmp_path):
    """Learning rate by step, max_steps over epochs, the trainer's clip over ours."""
    from anomalib.data import ImageBatch
    from anomalib.engine import Engine

    from toothwise.detectors import DirectionalDinomaly

    rates, clips = [], []

    class Watched(DirectionalDinomaly):
        def clip_gradients(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
            clips.append(gradient_clip_val)
            rates.append(optimizer.param_groups[0]["lr"])

    images = list(torch.randn(6, 3, 32, 32))
    loader = torch.utils.data.DataLoader(images, batch_size=2, collate_fn=lambda b: ImageBatch(image=torch.stack(b)))
    for given, expected in ((None, 0.1), (0.7, 0.7)):
        rates.clear()
        clips.clear()
        module = Watched(
            "vit_tiny_patch16_224",
            weights="random",
            max_steps=20,
            pre_processor=False,
            evaluator=False,
            visualizer=False,
        )
        engine = Engine(
            max_epochs=1000,
            gradient_clip_val=given,
            logger=False,
            accelerator="cpu",
            enable_progress_bar=False,
            enable_model_summary=False,
            barebones=False,
            default_root_dir=tmp_path,
        )
        engine.fit(module, train_dataloaders=loader)
        assert engine.trainer.global_step == 20
        assert set(clips) == {expected}
        assert rates[:3] == pytest.approx([0.0, 2e-3, 2e-3], abs=1e-6)  # two warm-up steps of twenty
        assert rates[-1] < 4e-4
        assert len(set(rates[2:])) == 18


def test_bad_options():
    for wrong in ({"pooling": "max"}, {"batch_size": 0}, {"device": "tpu"}, {"channels": "rgb"}, {"image_size": [32]}):
        with pytest.raises(InputError):
            detectors.create("dinomaly", **{**SMALL, **wrong})
    for wrong in ({"image_size": [33, 96]}, {"directional_layers": [9]}, {"max_steps": 0}):
        with pytest.raises(InputError):
            detectors.create("dinomaly", **{**SMALL, **wrong}).fit(_maps(4))
    with pytest.raises(InputError, match="constant"):
        detectors.create("dinomaly", **SMALL).fit(np.ones((4, 20, 40)))
    with pytest.raises(InputError, match="positive"):
        detectors.create("dinomaly", **SMALL).fit(-_maps(4))
    with pytest.raises(WeightsError, match="no such weights"):
        detectors.create("dinomaly", **{**SMALL, "weights": "/none.safetensors"}).fit(_maps(4))
