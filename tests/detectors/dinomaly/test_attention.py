import itertools

import pytest
import torch

pytest.importorskip("anomalib")
from anomalib.models.image.dinomaly.components import LinearAttention

from toothwise.detectors.dinomaly import attention as module
from toothwise.detectors.dinomaly import line_attention
from toothwise.detectors.dinomaly.attention import DirectionalLinearAttention
from toothwise.errors import InputError

DIM, HEADS = 24, 3  # head dimension 8: grids below test both products


def _make(seed=0, **options):
    torch.manual_seed(seed)
    return DirectionalLinearAttention(DIM, HEADS, **options).eval()


def _reference(layer):
    plain = LinearAttention(DIM, num_heads=HEADS, qkv_bias=layer.qkv.bias is not None).eval()
    plain.load_state_dict({k: v for k, v in layer.state_dict().items() if k.startswith(("qkv", "proj"))})
    return plain


def _tokens(n, seed=1, batch=2):
    return torch.randn(batch, n, DIM, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("axis", "grid"), [("x", (1, 5)), ("y", (5, 1)), ("x", (1, 40)), ("y", (40, 1))])
@pytest.mark.parametrize("prefix", [0, 3])
@pytest.mark.parametrize("bias", [False, True])
def test_a_single_line_equals_anomalibs_linear_attention(axis, grid, prefix, bias):
    layer = _make(axis=axis, qkv_bias=bias)
    tokens = _tokens(prefix + grid[0] * grid[1])
    torch.testing.assert_close(layer(tokens, grid), _reference(layer)(tokens)[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("h", "w"), [(4, 6), (12, 11)])
def test_each_line_is_linear_attention_of_that_line_alone(h, w):
    tokens = _tokens(h * w)
    grid_tokens = tokens.reshape(2, h, w, DIM)
    along_x = _make(axis="x")
    expected = torch.stack([_reference(along_x)(grid_tokens[:, i])[0] for i in range(h)], dim=1)
    torch.testing.assert_close(along_x(tokens, (h, w)).reshape(2, h, w, DIM), expected, atol=1e-5, rtol=1e-4)
    along_y = _make(axis="y")
    expected = torch.stack([_reference(along_y)(grid_tokens[:, :, j])[0] for j in range(w)], dim=2)
    torch.testing.assert_close(along_y(tokens, (h, w)).reshape(2, h, w, DIM), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("per", ["layer", "head"])
@pytest.mark.parametrize("mix", ["learned", "fixed", "adaptive"])
def test_both_is_the_stated_mixture_before_the_projection(mix, per):
    alpha, h, w = 0.3, 5, 7
    tokens = _tokens(h * w)
    both = _make(axis="both", mix=mix, alpha=alpha, alpha_per=per)
    y, x = _make(axis="y"), _make(axis="x")
    shared = {k: v for k, v in both.state_dict().items() if k.startswith(("qkv", "proj"))}
    y.load_state_dict(shared)
    x.load_state_dict(shared)
    expected = alpha * y(tokens, (h, w)) + (1 - alpha) * x(tokens, (h, w))  # the projection is affine
    torch.testing.assert_close(both(tokens, (h, w)), expected, atol=1e-5, rtol=1e-4)
    assert both.alpha().shape == ((HEADS,) if per == "head" else (1,))


def test_adaptive_alpha_depends_on_the_token_and_is_trained():
    layer = _make(mix="adaptive", alpha=0.4)
    tokens = _tokens(6)
    torch.testing.assert_close(layer.alpha_over_grid(tokens, (2, 3)), torch.full((2, 1, 2, 3, 1), 0.4))
    layer(tokens, (2, 3)).square().sum().backward()
    assert layer.alpha_of_token.weight.grad.abs().max() > 0
    torch.nn.init.normal_(layer.alpha_of_token.weight)
    assert layer.alpha_over_grid(tokens, (2, 3)).std() > 0.05


def test_learned_alpha_gets_a_gradient():
    layer = _make(alpha=0.9)
    layer(_tokens(12), (3, 4)).square().sum().backward()
    assert layer.alpha_logit.grad.abs().item() > 0


def test_transposing_the_grid_swaps_the_axes():
    h, w = 4, 9
    tokens = _tokens(h * w)
    turned = tokens.reshape(2, h, w, DIM).transpose(1, 2).reshape(2, h * w, DIM)
    one, two = _make(mix="fixed", alpha=0.2), _make(mix="fixed", alpha=0.8)
    two.load_state_dict({**one.state_dict(), "alpha_fixed": two.state_dict()["alpha_fixed"]})
    expected = one(tokens, (h, w)).reshape(2, h, w, DIM).transpose(1, 2).reshape(2, h * w, DIM)
    torch.testing.assert_close(two(turned, (w, h)), expected, atol=1e-6, rtol=1e-4)


def test_a_token_changes_its_own_column_only_under_y():
    h, w = 5, 6
    layer = _make(axis="y")
    tokens = _tokens(h * w)
    changed = tokens.clone()
    changed[:, 2 * w + 3] += 1.0
    moved = (layer(changed, (h, w)) - layer(tokens, (h, w))).abs().sum(-1).reshape(2, h, w).sum(0)
    assert (moved[:, 3] > 0).all()
    assert (torch.cat([moved[:, :3], moved[:, 4:]], dim=1) == 0).all()


def test_with_prefix_a_token_reaches_every_line_through_the_prefix_only_in_the_next_layer():
    h, w = 5, 6
    layer = _make(axis="y")
    tokens = _tokens(1 + h * w)
    changed = tokens.clone()
    changed[:, 1 + 2 * w + 3] += 1.0
    moved = (layer(changed, (h, w)) - layer(tokens, (h, w))).abs().sum(-1)
    assert (moved[:, 0] > 0).all()  # the prefix attends globally
    grid = moved[:, 1:].reshape(2, h, w)
    assert (grid[:, :, 3] > 0).all()
    assert (grid[:, :, :3] == 0).all()


def test_rows_may_be_permuted_under_y():
    h, w = 6, 4
    layer = _make(axis="y")
    tokens = _tokens(h * w).reshape(2, h, w, DIM)
    order = torch.randperm(h, generator=torch.Generator().manual_seed(3))
    direct = layer(tokens.reshape(2, -1, DIM), (h, w)).reshape(2, h, w, DIM)[:, order]
    permuted = layer(tokens[:, order].reshape(2, -1, DIM), (h, w)).reshape(2, h, w, DIM)
    torch.testing.assert_close(permuted, direct, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("keys", [7, 9])  # where the one product takes fewer multiplications, and the other one
def test_both_products_give_the_same_numbers(keys):
    torch.manual_seed(5)
    q, k, v = (torch.rand(2, 3, 4, length, 8) for length in (7, keys, keys))
    weight = q @ k.transpose(-2, -1)
    torch.testing.assert_close(
        module._attend(q, k, v), weight @ v / (weight.sum(-1, keepdim=True) + 1e-6), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("mix", ["learned", "adaptive"])
def test_outputs_and_gradients_are_finite_in_bfloat16(size, mix):
    for seed in range(20):
        layer = _make(seed, mix=mix).to(torch.bfloat16)
        tokens = (size * _tokens(2 + 16 * 16, seed)).to(torch.bfloat16).requires_grad_()
        out = layer(tokens, (16, 16))
        assert out.dtype == torch.bfloat16
        out.float().sum().backward()
        assert torch.isfinite(out).all()
        assert torch.isfinite(tokens.grad).all()
        assert all(torch.isfinite(p.grad).all() for p in layer.parameters() if p.grad is not None)


@pytest.mark.parametrize("mix", ["learned", "adaptive"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_core_is_float32_under_autocast(mix, dtype):
    layer = _make(mix=mix)
    tokens = _tokens(30)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(tokens.to(dtype), (5, 6))
    torch.testing.assert_close(out.float(), layer(tokens, (5, 6)), atol=0.02, rtol=0.05)


@pytest.mark.parametrize("grid", list(itertools.product((1, 3, 17), (1, 5, 31))))
def test_any_grid(grid):
    h, w = grid
    assert _make()(_tokens(4 + h * w), grid).shape == (2, 4 + h * w, DIM)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axis": "z"}, "'y', 'x', 'both', but got 'z'"),
        ({"mix": "magic"}, "mix"),
        ({"alpha_per": "token"}, "alpha_per"),
        ({"prefix": "keep"}, "prefix"),
        ({"alpha": 1.0}, "strictly"),
        ({"alpha": 0.0, "mix": "adaptive"}, "strictly"),
        ({"alpha": 1.5, "mix": "fixed"}, "0..1"),
    ],
)
def test_options_that_are_not_allowed(options, message):
    with pytest.raises(InputError, match=message):
        _make(**options)


def test_fixed_alpha_may_be_zero_or_one():
    tokens = _tokens(12)
    one = _make(mix="fixed", alpha=1.0)
    y = _make(axis="y")
    torch.testing.assert_close(one(tokens, (3, 4)), y(tokens, (3, 4)), atol=1e-6, rtol=1e-5)


def test_a_grid_that_does_not_fit():
    with pytest.raises(InputError, match="needs 12 tokens"):
        _make()(_tokens(11), (3, 4))
    with pytest.raises(InputError, match="drop"):
        _make(prefix="drop")(_tokens(13), (3, 4))
    with pytest.raises(InputError, match="does not divide"):
        DirectionalLinearAttention(10, 3)


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("exclude", [0, 1])
def test_excluded_neighbours_do_not_count_and_all_others_do(axis, exclude):
    h, w = 6, 7
    layer = _make(axis=axis, exclude=exclude)
    # without the query's own part: values of the excluded tokens may be anything
    q, k, v = (torch.rand(1, 1, w, 8, generator=torch.Generator().manual_seed(s)) for s in range(3))
    out = module._attend(q, k, v, exclude=exclude)
    for at in range(w):
        rest = [j for j in range(w) if abs(j - at) > exclude]
        expected = module._attend(q[:, :, at : at + 1], k[:, :, rest], v[:, :, rest])
        torch.testing.assert_close(out[:, :, at : at + 1], expected)
    assert layer(_tokens(h * w), (h, w)).shape == (2, h * w, DIM)
    with pytest.raises(InputError, match="leaves nothing to attend to on a line of 3 tokens"):
        _make(axis="y", exclude=1)(_tokens(3 * w), (3, w))
    with pytest.raises(InputError, match="exclude must be a whole number"):
        _make(exclude=-1)


@pytest.mark.parametrize("grid", [(3, 5), (40, 7), (7, 40)])
@pytest.mark.parametrize("prefix", [0, 1, 5])
@pytest.mark.parametrize(
    ("axis", "mix", "per"),
    [
        ("y", "learned", "layer"),
        ("x", "learned", "layer"),
        ("both", "learned", "head"),
        ("both", "adaptive", "layer"),
        ("both", "adaptive", "head"),
        ("both", "fixed", "layer"),
    ],
)
def test_the_written_gradient_is_that_of_autograd(monkeypatch, axis, mix, per, prefix, grid):
    """``line_attention`` against the plain core: outputs and all gradients; heads together, one by one, lines apart."""
    layer = _make(axis=axis, mix=mix, alpha_per=per, alpha=0.3, qkv_bias=True)
    if mix == "adaptive" and axis == "both":
        torch.nn.init.normal_(layer.alpha_of_token.weight, std=0.3)
    tokens = _tokens(prefix + grid[0] * grid[1]).requires_grad_()
    upstream = _tokens(prefix + grid[0] * grid[1], seed=2)
    wanted = [tokens, *layer.parameters()]

    def found():
        out = layer(tokens, grid)
        return [out, *torch.autograd.grad(out, wanted, upstream)]

    together = found()
    whole = slice(None)
    cuts = [(whole, whole)] if axis == "both" else [(whole, slice(0, 2)), (whole, slice(2, None))]
    cuts = [cut[::-1] for cut in cuts] if axis == "x" else cuts
    monkeypatch.setattr(line_attention, "_parts", lambda heads, *_: [(slice(0, 1), cuts), (slice(1, heads), cuts)])
    split = found()
    monkeypatch.setattr(module, "must_be_plain", lambda: True)
    for plain, one, two in zip(found(), together, split, strict=True):
        torch.testing.assert_close(one, plain, atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(two, plain, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("axis", "mix", "per"), [("y", "fixed", "layer"), ("both", "learned", "head"), ("both", "adaptive", "head")]
)
def test_all_heads_together_give_the_same(axis, mix, per):
    layer = _make(axis=axis, mix=mix, alpha_per=per, alpha=0.3, qkv_bias=True)
    tokens, wanted = _tokens(35).requires_grad_(), list(layer.parameters())
    first = layer(tokens, (5, 7))
    one = [first, *torch.autograd.grad(first.square().sum(), [tokens, *wanted])]
    layer.together = True
    second = layer(tokens, (5, 7))
    two = [second, *torch.autograd.grad(second.square().sum(), [tokens, *wanted])]
    torch.testing.assert_close(two, one, atol=2e-5, rtol=1e-4)


def test_what_the_written_gradient_does_not_do_is_left_to_autograd():
    tokens = _tokens(12).requires_grad_()
    (first,) = torch.autograd.grad(_make()(tokens, (3, 4)).square().sum(), tokens, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()
