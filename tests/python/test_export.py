# SPDX-License-Identifier: Apache-2.0
"""PyTorch modules of no known family, and torch.compile: by way of ONNX."""

import threading
import warnings

import pytest

import vitrum

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")

from torch import nn  # noqa: E402


class Small(nn.Module):
    """A convolution and attention; a dict out, one entry of which is no tensor."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 4, 4)
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.head = nn.Linear(16, 5)

    def forward(self, x, scale=None, answer="dict"):
        t = self.norm(self.embed(x).flatten(2).transpose(1, 2))
        q, k, v = self.qkv(t).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
        t = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        logits = self.head(t.mean(1))
        if scale is not None:
            logits = logits * scale
        if answer == "dict":
            return {"logits": logits, "best": logits.argmax(-1), "loss": None}
        return logits, (t,)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return Small()


@pytest.fixture(scope="module")
def fast(model):
    return vitrum.compile(model, threads=1, example_inputs=torch.rand(2, 3, 16, 24))


def close(y, z):
    return y.dtype == z.dtype and float((y - z).abs().max() / z.std()) < 1e-4


def answer(model, *args, **named):
    with torch.inference_mode():
        return model(*args, **named)


class TestModules:
    @pytest.mark.parametrize("shape", [(2, 3, 16, 24), (3, 3, 32, 20)])
    def test_gives_what_the_module_gives_at_other_sizes_too(self, model, fast, shape):
        x = torch.rand(shape)
        y, z = fast(x), answer(model, x)
        assert list(y) == ["logits", "best", "loss"] and y["loss"] is None
        assert close(y["logits"], z["logits"]) and torch.equal(y["best"], z["best"])
        assert model.training, "the model's own mode is left alone"

    def test_arguments_by_name(self, fast):
        x = torch.rand(2, 3, 16, 24)
        assert torch.equal(fast(x=x, scale=None)["logits"], fast(x)["logits"])

    def test_sizes_of_other_operators_are_refused(self, fast):
        with pytest.raises(vitrum.UsageError, match="other sizes"):
            fast(torch.rand(2, 1, 16, 24))

    def test_other_arguments_are_refused(self, fast):
        with pytest.raises(vitrum.UsageError, match="other arguments"):
            fast(torch.rand(2, 3, 16, 24), answer="tuple")

    def test_tuples_and_several_inputs_of_one_size(self, model):
        x, scale = torch.rand(1, 3, 8, 8), torch.rand(5)
        named = {"scale": scale, "answer": "tuple"}
        fast = vitrum.compile(model, threads=1, example_inputs=(x,), example_kwargs=named, dynamic=False)
        (logits, (t,)), (z, (u,)) = fast(x, **named), answer(model, x, **named)
        assert close(logits, z) and close(t, u)
        with pytest.raises(vitrum.UsageError, match="the example's shapes are"):
            fast(torch.rand(1, 3, 16, 8), **named)

    def test_training_goes_on_without_the_engine(self, model, fast):
        x = torch.rand(2, 3, 16, 24)
        before = fast(x)["logits"]
        bias = model.head.bias.detach().clone()
        with torch.no_grad():
            model.head.bias.zero_()
        assert torch.equal(fast(x)["logits"], before)
        with torch.no_grad():
            model.head.bias.copy_(bias)

    def test_without_an_example_the_way_is_told(self, model):
        with pytest.raises(vitrum.Error, match="nearest is .*give example_inputs"):
            vitrum.compile(model)

    def test_missing_operators_are_named(self):
        class Spectrum(nn.Module):
            def forward(self, x):
                return torch.view_as_real(torch.fft.fft(x))

        with pytest.raises(vitrum.Error, match="DFT"):
            vitrum.compile(Spectrum(), example_inputs=torch.rand(4, 8), dynamic=False)

    def test_what_is_not_finite_stays_so(self, tmp_path):
        """Masked rows, whole or in part, and values that are lost already: vector kernels against their definition."""

        class Functions(nn.Module):
            def forward(self, x):
                return torch.softmax(x, -1), nn.functional.gelu(x), nn.functional.silu(x), torch.sigmoid(x)

        path = tmp_path / "functions.onnx"
        torch.onnx.export(Functions(), (torch.randn(6, 21),), path, dynamo=True, verbose=False)
        x = torch.randn(6, 21)
        x[1, 2:] = x[2] = -torch.inf
        x[3, 1], x[4, 20], x[5, 0] = torch.nan, torch.inf, -torch.inf
        expected = vitrum.compile(path, device="reference").evaluate(x)
        assert all(z[3, 1].isnan() for z in expected.values())
        kernels = vitrum.doctor()["kernels for"].partition(" (")[0]
        for isa in kernels.split(", "):
            found = vitrum.compile(path, isa=isa).evaluate(x)
            for y, z in zip(found.values(), expected.values()):
                assert torch.allclose(y, z, rtol=2e-6, atol=1e-6, equal_nan=True)

    def test_a_module_that_changes_itself_is_refused(self):
        class Counter(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("calls", torch.zeros(()))

            def forward(self, x):
                self.calls += 1
                return x * self.calls

        with pytest.raises(vitrum.Error, match="Counter changes its inputs"):
            vitrum.compile(Counter(), example_inputs=torch.rand(4, 8), dynamic=False)


class TestTorchCompile:
    @pytest.fixture(autouse=True)
    def fresh(self):
        import vitrum._dynamo as dynamo
        import vitrum.dynamo  # noqa: F401

        torch._dynamo.reset()
        dynamo._said.clear()

    def test_runs_graphs(self, model):
        from vitrum import _dynamo

        made = []
        backend = lambda *args, **options: made.append(_dynamo.backend(*args, **options)) or made[-1]
        model.eval()
        x = torch.rand(2, 3, 16, 24)
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            fast = torch.compile(model, backend=backend, options={"threads": 1})
            y, z = fast(x), model(x)
        assert close(y["logits"], z["logits"]) and torch.equal(y["best"], z["best"])
        (graph,) = made
        assert [engine is not None for engine in graph._engines.values()] == [True]

    def test_what_changes_its_input_stays_with_pytorch(self):
        fast = torch.compile(lambda x: x.add_(1), backend="vitrum")
        x = torch.zeros(3)
        with torch.no_grad(), pytest.warns(UserWarning, match="it changes its inputs"):
            fast(x)
        assert torch.equal(x, torch.ones(3))

    def test_the_name_is_known_and_training_stays_with_pytorch(self):
        layer = nn.Linear(4, 4)
        fast = torch.compile(layer, backend="vitrum")
        x = torch.rand(2, 4)
        with pytest.warns(UserWarning, match="leaves a graph to PyTorch: tensors require gradients"):
            fast(x).sum().backward()
        assert layer.weight.grad is not None
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            fast(x)  # says so once

    def test_changed_weights_are_seen(self):
        layer = nn.Linear(4, 4)
        fast = torch.compile(layer, backend="vitrum")
        x = torch.rand(2, 4)
        with torch.no_grad():
            assert torch.allclose(fast(x), layer(x), atol=1e-6)
            layer.bias.add_(1)
            assert torch.allclose(fast(x), layer(x), atol=1e-6)

    def test_threads_share_a_graph(self, model):
        """More sizes than engines are kept for, so that threads take each other's away."""
        from vitrum import _dynamo

        made = []
        backend = lambda graph, inputs: made.append(_dynamo.backend(graph, inputs, options={"threads": 1})) or made[-1]
        layer = nn.Linear(4, 4)
        compiled = torch.compile(layer, backend=backend, dynamic=False)
        with torch.no_grad():
            compiled(torch.rand(1, 4))
        graph, wrong = made[0], []
        graph.KEPT = 2

        def work(first):
            for i in range(first, first + 4):
                x = torch.rand(i, 4)
                weights = layer.parameters()
                with torch.no_grad():
                    (y,) = graph(*[next(weights) if is_weight else x for is_weight in graph._is_weight])
                    if not torch.allclose(y, layer(x), atol=1e-6):
                        wrong.append(i)

        threads = [threading.Thread(target=work, args=[first]) for first in (1, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == [] and len(graph._engines) == 2

    def test_what_is_not_supported_stays_with_pytorch(self):
        fast = torch.compile(lambda x: torch.view_as_real(torch.fft.fft(x)), backend="vitrum")
        x = torch.rand(4, 8)
        with torch.no_grad(), pytest.warns(UserWarning, match="DFT"):
            y = fast(x)
        assert torch.equal(y, torch.view_as_real(torch.fft.fft(x)))
