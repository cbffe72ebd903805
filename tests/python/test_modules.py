# SPDX-License-Identifier: Apache-2.0
"""PyTorch modules: the interface stays."""

import sys

import cases
import numpy as np
import pytest

import vitrum

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

sys.path.insert(0, str(cases.ZOO))
import elan  # noqa: E402
import mst  # noqa: E402
import swinir  # noqa: E402

SWINIR = dict(upsampler="pixelshuffledirect", embed_dim=12, depths=[2, 2], num_heads=[3, 2])
MODULES = {
    "SwinIR": lambda: swinir.SwinIR(upscale=2, **SWINIR),
    "ELAN": lambda: elan.Elan(scale=3, c_elan=12, m_elan=4),
    "MST++": lambda: mst.MSTPlusPlus(stage=1),
    "MST": lambda: mst.MST(num_blocks=(1, 1, 1)),
}


def close(y, z):
    return float((y - z).abs().max() / z.std()) < 1e-4


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


@pytest.mark.parametrize("name", MODULES)
def test_known_families_give_what_they_gave(name):
    model = MODULES[name]()
    fast = vitrum.compile(model)
    assert isinstance(fast, torch.nn.Module) and fast.engine.info.family == name
    assert model.training, "the model's own mode is left alone"
    x = torch.rand(2, 3, 24, 40)
    with torch.inference_mode():
        assert close(fast(x), model.eval()(x))
    assert fast.engine.info.format == "PyTorch module"


def test_several_inputs():
    model = mst.CassiMST(num_blocks=(1, 1, 1))
    x, mask = mst.snapshot_inputs(28, 1, 16, torch.Generator().manual_seed(1)).values()
    with torch.inference_mode():
        assert close(vitrum.compile(model)(x, mask), model(x, mask))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types(dtype):
    model = swinir.SwinIR(upscale=2, **SWINIR).to(dtype)
    x = torch.rand(1, 3, 16, 16, dtype=dtype)
    y = vitrum.compile(model)(x)
    assert y.dtype == dtype


def test_the_structure_of_the_answer_stays():
    class Answers(swinir.SwinIR):
        arrange = staticmethod(lambda y: (y,))

        def forward(self, x):
            return self.arrange(super().forward(x))

    model = Answers(upscale=2, **SWINIR)
    x = torch.rand(1, 3, 16, 16)
    assert isinstance(vitrum.compile(model)(x), tuple)
    Answers.arrange = staticmethod(lambda y: {"picture": y})
    assert list(vitrum.compile(model)(x)) == ["picture"]
    Answers.arrange = staticmethod(lambda y: [y, 3])
    with pytest.raises(vitrum.Error, match="gives a list"):
        vitrum.compile(model)


def test_training_goes_on_without_the_engine():
    model = swinir.SwinIR(upscale=2, **SWINIR)
    fast = vitrum.compile(model)
    x = torch.rand(1, 3, 16, 16)
    before = fast(x)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert torch.equal(fast(x), before)


def test_a_wrapped_module():
    model = swinir.SwinIR(upscale=2, **SWINIR)
    x = torch.rand(1, 3, 16, 16)
    wrapped = torch.nn.DataParallel(model)
    assert torch.equal(vitrum.compile(wrapped)(x), vitrum.compile(model)(x))


def test_another_forward_is_found_out():
    class Brighter(swinir.SwinIR):
        def forward(self, x):
            return super().forward(x) * 1.1

    model = Brighter(upscale=2, **SWINIR)
    with pytest.raises(vitrum.AccuracyError, match="Brighter answers otherwise"):
        vitrum.compile(model)
    vitrum.compile(model, check=False)


def test_settings_that_weights_cannot_tell():
    model = swinir.SwinIR(upscale=2, img_range=255.0, **SWINIR)
    with pytest.raises(vitrum.AccuracyError, match="img_range"):
        vitrum.compile(model)
    fast = vitrum.compile(model, img_range=255)
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert close(fast(x), model.eval()(x))


def test_unknown_modules_name_the_nearest_family():
    with pytest.raises(vitrum.Error, match="the module Linear: not a network .* nearest is"):
        vitrum.compile(torch.nn.Linear(3, 3))


def test_diverged_weights_are_refused():
    model = swinir.SwinIR(upscale=2, **SWINIR)
    with torch.no_grad():
        model.conv_first.weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(vitrum.Error, match="conv_first.weight.*NaN"):
        vitrum.compile(model)


@pytest.fixture(scope="module")
def model():
    """A tiny Mask2Former of transformers."""
    pytest.importorskip("transformers", reason="transformers is not installed")
    import mask2former

    sizes = dict(hidden_dim=32, mask_feature_size=32, feature_size=32, num_attention_heads=4)
    backbone = mask2former.swin(embed_dim=12, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2])
    return mask2former.build(backbone, 5, 1, num_queries=6, **sizes)[0]


@pytest.fixture(scope="module")
def fast(model):
    return vitrum.compile(model)


class TestHuggingFace:
    @pytest.fixture
    def pixels(self):
        return torch.randn(1, 3, 70, 96)

    def test_gives_its_output_class(self, model, fast, pixels):
        y = fast(pixel_values=pixels, pixel_mask=torch.ones(1, 70, 96, dtype=torch.int64))
        with torch.inference_mode():
            z = model(pixel_values=pixels)
        assert type(y) is type(z)
        assert close(y.class_queries_logits, z.class_queries_logits)
        assert close(y.masks_queries_logits, z.masks_queries_logits)
        assert y.loss is None and y.encoder_last_hidden_state is None

    def test_takes_what_image_processors_give(self, model, fast):
        """Pictures of two sizes in one batch, the smaller one padded."""
        processor_class = pytest.importorskip("transformers").Mask2FormerImageProcessor
        try:
            processor = processor_class(size={"height": 64, "width": 96})
        except ImportError as error:
            pytest.skip(str(error))
        rng = np.random.default_rng(4)
        pictures = [rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in [(50, 90), (64, 70)]]
        inputs = processor(pictures, size={"shortest_edge": 48, "longest_edge": 96}, return_tensors="pt")
        assert not inputs["pixel_mask"].all()
        with torch.inference_mode():
            answers = [fast(**inputs), model(**inputs)]
        assert close(answers[0].masks_queries_logits, answers[1].masks_queries_logits)
        for process in (processor.post_process_semantic_segmentation, processor.post_process_instance_segmentation,
                        processor.post_process_panoptic_segmentation):
            found, expected = (process(answer, target_sizes=[(50, 90), (64, 70)]) for answer in answers)
            for y, z in zip(found, expected):
                y, z = (x if isinstance(x, torch.Tensor) else x["segmentation"] for x in (y, z))
                assert y.shape == z.shape and float((y != z).float().mean()) < 1e-3

    def test_gives_tuples_on_request(self, fast, pixels):
        logits, masks = fast(pixels, return_dict=False)
        assert torch.equal(logits, fast(pixels).class_queries_logits)
        assert masks.dim() == 4

    def test_knows_its_classes(self, model, fast):
        assert fast.engine.info.class_names == [f"LABEL_{i}" for i in range(5)]
        assert fast.config is model.config

    @pytest.mark.parametrize(
        "asked, text",
        [
            ({"mask_labels": [], "class_labels": []}, "train"),
            ({"output_hidden_states": True}, "hidden"),
            ({"output_auxiliary_logits": True}, "auxiliary"),
        ],
    )
    def test_refuses_what_it_cannot_give(self, fast, pixels, asked, text):
        with pytest.raises(vitrum.UsageError, match=text):
            fast(pixels, **asked)

    def test_a_saved_folder_is_the_same(self, model, fast, pixels, tmp_path):
        model.save_pretrained(tmp_path)
        y = vitrum.compile(tmp_path)(pixels)
        with torch.inference_mode():
            z = model(pixels)
        assert torch.equal(y["output_masks"], fast(pixels).masks_queries_logits)
        assert close(y["output_masks"], z.masks_queries_logits)
        assert close(y["output_logits"], z.class_queries_logits)
