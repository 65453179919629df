from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("anomalib")
import torch
from anomalib.data import ImageBatch
from anomalib.engine import Engine
from anomalib.pre_processing import PreProcessor
from torchvision.transforms.v2 import Normalize

from toothwise.detectors import DraemSevNet
from toothwise.errors import InputError, TrainingError

CONFIGS = Path(__file__).parents[3] / "configs"
QUIET = {"pre_processor": False, "evaluator": False, "visualizer": False}


def _train(tmp_path, module, images, **options):
    loader = torch.utils.data.DataLoader(images, batch_size=2, collate_fn=lambda b: ImageBatch(image=torch.stack(b)))
    engine = Engine(
        max_epochs=1000,
        logger=False,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        **options,
    )
    engine.fit(module, train_dataloaders=loader)
    return engine.trainer


def test_steps_clip_and_schedule_are_the_users(tmp_path):
    """Learning rate by step, max_steps over epochs, the trainer's clip over ours."""
    rates, clips = [], []

    class Watched(DraemSevNet):
        def clip_gradients(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
            clips.append(gradient_clip_val)
            rates.append(optimizer.param_groups[0]["lr"])

    images = list(torch.rand(6, 3, 32, 32))
    for given, expected in ((None, 1.0), (0.7, 0.7)):
        rates.clear()
        clips.clear()
        module = Watched(base_width=1, max_steps=10, learning_rate=1e-3, **QUIET)
        assert _train(tmp_path, module, images, gradient_clip_val=given).global_step == 10
        assert set(clips) == {expected}
        np.testing.assert_allclose(rates, [1e-3] * 8 + [2e-4, 4e-5])


def test_every_step_draws_other_faults_and_every_run_the_same():
    images = torch.rand(4, 3, 32, 32)

    def drawn(seed, batch):
        seen = []
        module = DraemSevNet(base_width=1, seed=seed, **QUIET)
        module.log = lambda *a, **k: None
        honest = module.model.parts
        module.model.parts = lambda x: (seen.append(x.clone()), honest(x))[1]
        module.training_step(ImageBatch(image=images), batch)
        return seen[0]

    assert torch.equal(drawn(0, 1), drawn(0, 1))
    assert not torch.equal(drawn(0, 1), drawn(0, 2))
    assert not torch.equal(drawn(0, 1), drawn(1, 1))


def test_a_gradient_that_is_not_finite_names_its_layer():
    module = DraemSevNet(base_width=1, **QUIET)
    weight = module.model.severity_head.layers[2].weight
    weight.grad = torch.full_like(weight, float("inf"))
    with pytest.raises(TrainingError, match=r"severity_head\.layers\.2\.weight is not finite at step 0.*learning_rate"):
        module.on_before_optimizer_step(None)


def test_normalised_images_are_refused(tmp_path):
    transform = Normalize(mean=[0.5] * 3, std=[0.2] * 3)
    module = DraemSevNet(base_width=1, pre_processor=PreProcessor(transform=transform), evaluator=False)
    with pytest.raises(InputError, match="must not normalise"):
        _train(tmp_path, module, list(torch.rand(4, 3, 32, 32)))


@pytest.mark.full
def test_anomalib_train_with_the_shipped_config(anomalib_train):
    """The command of the documentation, two steps with narrow networks."""
    options = {"base_width": 1, "max_steps": 2, "faults": "lines", "map_shape": "[31, 95]"}
    checkpoint, state = anomalib_train("draem_sevnet.yaml", **options)
    assert state["global_step"] == 2
    loaded = DraemSevNet.load_from_checkpoint(checkpoint, map_location="cpu").eval()
    key = "model.severity_head.layers.0.weight"
    torch.testing.assert_close(loaded.state_dict()[key], state["state_dict"][key])
    assert loaded.faults.options.faults == "lines"
    assert torch.isfinite(loaded.model(torch.zeros(1, 3, 32, 64)).pred_score).all()
